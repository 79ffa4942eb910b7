"""The page in a real browser: nothing leaves it, everything on it can be used, and by everybody."""

import pytest

from unetseg.report.html.page import write_page
from unetseg.report.study_page import study_page

PHONE = {"width": 375, "height": 800}


def title(opened):
    return opened.page.locator("[data-title]").inner_text()


def wipe(opened):
    return opened.style(".layer.left", "clipPath")


# What it does by itself


def test_the_page_opens_without_an_error_and_asks_nobody_for_anything(open_page, study_file):
    opened = open_page(study_file)
    assert opened.messages == []
    outside = [url for url in opened.requests if not url.startswith(("data:", study_file.as_uri()))]
    assert outside == []


def test_a_request_that_a_page_would_make_is_blocked_by_the_page_itself(open_page, study_file):
    opened = open_page(study_file)
    with opened.page.expect_console_message(lambda message: "example.org" in message.text) as said:
        opened.page.evaluate(
            "document.body.append(Object.assign(new Image(), {src: 'https://example.org/a'}))"
        )
    assert "Content Security Policy" in said.value.text


def test_names_that_are_markup_are_shown_as_they_are_and_do_nothing(open_page, tmp_path, draw_study):
    hostile = "<script>alert(1)</script>.png"
    arms = {'"><img src=x onerror=alert(2)>': 0, "</script><script>alert(3)</script>": 2}
    drawn = draw_study((hostile, "b"), arms, ("background", "<b onclick=alert(4)>cell</b>"), claim=hostile)
    write_page(study_page(drawn.results, drawn.gallery), tmp_path / "page.html")
    opened = open_page(tmp_path / "page.html")
    opened.page.locator("use[data-image]").first.focus()
    opened.page.keyboard.press("Enter")
    assert opened.dialogs == []
    assert opened.messages == []
    assert hostile in title(opened) or "b (" in title(opened)
    assert opened.page.locator("script").count() == 2  # the pictures and the page's own
    assert opened.page.locator("img[onerror], b, [onclick]").count() == 0
    assert hostile in opened.page.locator("header").inner_text()


# The slider


def test_a_key_moves_the_wipe(open_page, study_file):
    opened = open_page(study_file)
    before = wipe(opened)
    opened.page.locator("[data-wipe]").focus()
    opened.page.keyboard.press("End")
    assert wipe(opened) != before
    assert wipe(opened) == "inset(0px 0% 0px 0px)"


def test_the_mouse_moves_the_wipe_by_its_slider(open_page, study_file):
    opened = open_page(study_file)
    opened.page.locator("[data-wipe]").scroll_into_view_if_needed()
    area = opened.page.locator("[data-wipe]").bounding_box()
    middle = area["y"] + area["height"] / 2
    opened.page.mouse.move(area["x"] + area["width"] / 2, middle)
    opened.page.mouse.down()
    opened.page.mouse.move(area["x"], middle, steps=4)
    opened.page.mouse.up()
    assert wipe(opened) == "inset(0px 100% 0px 0px)"


@pytest.mark.parametrize("view", ["whole", "zoom"])
def test_the_mouse_moves_the_wipe_on_the_picture(open_page, study_file, view):
    opened = open_page(study_file)
    stage = opened.page.locator(f"[data-view={view}]")
    stage.scroll_into_view_if_needed()
    area = stage.bounding_box()
    opened.page.mouse.move(area["x"] + area["width"] / 2, area["y"] + 60)
    opened.page.mouse.down()
    opened.page.mouse.move(area["x"] + area["width"] / 4, area["y"] + 60, steps=4)
    opened.page.mouse.up()
    assert wipe(opened) == "inset(0px 75% 0px 0px)"
    assert opened.page.locator("[data-wipe]").input_value() == "25"


# Points and pictures


def test_a_click_on_a_point_shows_its_image(open_page, study_file):
    opened = open_page(study_file)
    for index in (5, 2):
        point = opened.page.locator(f"use[data-image='{index}']").first
        point.scroll_into_view_if_needed()
        area = point.bounding_box()
        opened.page.mouse.click(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
        assert title(opened) == f"{'abcdef'[index]} ({index + 1} of 6)"
        assert opened.page.locator("[data-viewer]").is_visible()


def test_the_point_under_the_mouse_is_read_out(open_page, study_file):
    opened = open_page(study_file)
    point = opened.page.locator("use[data-image]").first
    point.scroll_into_view_if_needed()
    area = point.bounding_box()
    opened.page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
    assert opened.page.locator("[data-hint]").inner_text() == point.get_attribute("aria-label")


def test_arrows_step_through_the_points_and_enter_shows_the_image(open_page, study_file):
    opened = open_page(study_file)
    opened.page.locator("use[data-image]").first.focus()
    opened.page.keyboard.press("ArrowRight")
    chosen = opened.page.locator("use[data-image]").nth(1).get_attribute("aria-label")
    assert opened.page.locator("[data-hint]").inner_text() == chosen
    opened.page.keyboard.press("Enter")
    assert title(opened).startswith(chosen.split(":")[0])
    assert opened.page.evaluate("document.activeElement.matches('[data-title]')")


def test_pictures_and_arms_can_be_chosen(open_page, study_file):
    opened = open_page(study_file)
    page = opened.page
    page.get_by_role("button", name="Next").click()
    assert title(opened) == "b (2 of 6)"
    page.locator("[data-strip] button").nth(4).click()
    assert title(opened) == "e (5 of 6)"
    layer = page.locator("[data-view=whole] .layer.right")
    before = layer.get_attribute("src")
    page.locator("[data-arm=right]").select_option("zero")
    assert layer.get_attribute("src") != before
    assert page.locator("[data-view=whole] .tag.right").inner_text() == "zero"
    page.get_by_label("Show the masks").uncheck()
    assert not layer.is_visible()


def test_scores_of_the_two_arms_that_are_shown_stand_below_the_picture(open_page, study_file, study):
    rows = open_page(study_file).page.locator("[data-scores] tbody tr")
    shown = [row.split("\t") for row in rows.all_inner_texts()]
    assert shown == [
        ["on", *study.gallery.pictures[0].scores[0]],
        ["drop", *study.gallery.pictures[0].scores[1]],
    ]


# For everybody


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_an_accessibility_checker_finds_nothing(open_page, study_file, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    opened = open_page(study_file, color_scheme=scheme, viewport={"width": width, "height": 900})
    found = axe.Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()


def test_nothing_scrolls_sideways_on_a_phone(open_page, study_file):
    opened = open_page(study_file, viewport=PHONE)
    for details in opened.page.locator("summary").all():
        details.click()
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 375


def test_figures_follow_the_dark_scheme(open_page, study_file):
    colours = {}
    for scheme in ("light", "dark"):
        opened = open_page(study_file, color_scheme=scheme)
        colours[scheme] = (opened.style(".plot text", "fill"), opened.style("body", "backgroundColor"))
    assert colours["light"] == ("rgb(27, 31, 36)", "rgb(255, 255, 255)")
    assert colours["dark"] == ("rgb(232, 234, 237)", "rgb(20, 23, 28)")


def test_printed_tables_are_unfolded_and_controls_are_left_out(open_page, study_file):
    opened = open_page(study_file, color_scheme="dark")
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert opened.style("body", "backgroundColor") == "rgb(255, 255, 255)"
    assert not opened.page.locator("[data-wipe]").is_visible()
    folded = opened.page.locator("details table").first
    assert folded.bounding_box()["height"] > 100


def test_without_scripts_all_but_the_pictures_is_there(open_page, study_file):
    opened = open_page(study_file, java_script_enabled=False)
    assert opened.page.locator(".plot").first.is_visible()
    assert opened.page.locator("noscript").first.is_visible()
    assert not opened.page.locator("[data-viewer]").is_visible()
