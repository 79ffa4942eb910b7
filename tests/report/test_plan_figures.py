"""What a page shows of a study's plan: each net, the looks, power, and that it was not followed."""

import re

import pytest

from unetseg.report.html.page import Figures, Table, render, write_page
from unetseg.report.markdown import study_markdown
from unetseg.report.plan_figures import SEEDS, power_table
from unetseg.report.study_page import study_page
from unetseg.studies.analysis.looks import Plan

LOOKS = Plan((2, 3), ("drop", "zero"), "iou")


@pytest.fixture(scope="module")
def planned(draw_study):
    return draw_study(plan=LOOKS, exploratory=("arm zero was not planned",), seeds=(4, 5, 9)).results


def blocks(page, title):
    return next(section.blocks for section in page.sections if section.title == title)


def test_every_net_is_a_dot_that_says_its_seed_and_score(planned):
    html = render(study_page(planned, None))
    dots = re.findall(r'data-seed="(\d+)"[^>]*aria-label="(\w+), seed (\d+): ([\d.]+)"', html)
    assert len(dots) == len(planned.arms) * 3
    for arm in planned.arms:
        shown = sorted(float(score) for _, name, _, score in dots if name == arm.name)
        means = planned.metric("iou").values[arm.name].mean(axis=1)
        assert shown == pytest.approx(sorted(means), abs=0.0006)
    assert {seed for seed, *_ in dots} == {"4", "5", "9"}


def test_the_plan_stands_with_its_looks_threshold_and_family(planned):
    text, table = blocks(study_page(planned, None), "The plan")
    assert "a look after 2, 3 seeds, each at an adjusted p below 0.025 (0.05 / 2)" in text.text
    assert "2 arms against on; primary metric image IoU; margin 0.01" in text.text
    assert [row[:2] for row in table.rows] == [[arm.name, "3"] for arm in planned.arms]


def test_without_a_plan_there_is_no_such_part(study):
    page = study_page(study.results, None)
    assert "The plan" not in [section.title for section in page.sections] and page.mark == ""


def test_a_page_that_departs_from_its_plan_is_marked_and_says_why(planned):
    page = study_page(planned, None)
    assert page.mark == "Exploratory, not as planned"
    assert "arm zero was not planned" in page.notes[0]
    assert '<p class="mark">Exploratory, not as planned</p>' in render(page)
    assert "**Exploratory, not as planned**" in study_markdown(planned)
    assert all("exploratory" in arm.sentence for arm in planned.arms if arm.name != planned.baseline)


def test_power_is_a_table_and_a_figure_over_seeds_and_images(planned):
    _, figures, table = blocks(study_page(planned, None), "What more seeds or images would show")
    assert isinstance(figures, Figures) and isinstance(table, Table)
    assert [row[0] for row in table.rows] == [str(count) for count in SEEDS]
    assert table.head[1:] == ["3 images", "6 images", "12 images", "24 images"]
    assert figures.items[0].draw().count("<use") >= 4 * len(SEEDS)
    with pytest.raises(ValueError, match="not known"):
        power_table(type(planned)(**(vars(planned) | {"spread": None})))


def test_power_counts_groups_where_images_belong_together(draw_study):
    results = draw_study(groups=("p1", "p1", "p2", "p2", "p3", "p3")).results
    text, _, table = blocks(study_page(results, None), "What more seeds or images would show")
    assert table.head[1:] == ["10 groups", "12 groups"]  # fewer have no interval, however many images
    assert "by seeds and groups of test images" in table.caption and "between groups" in text.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_in_a_browser_nothing_scrolls_sideways_and_every_net_has_its_dot(
    open_page, planned, tmp_path, scheme, width
):
    write_page(study_page(planned, None), tmp_path / "report.html")
    size = {"width": width, "height": 900}
    opened = open_page(tmp_path / "report.html", color_scheme=scheme, viewport=size)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.page.locator("[data-seed]").count() == 9
    assert opened.page.locator("header .mark").is_visible() and opened.messages == []
