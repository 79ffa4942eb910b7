"""The demo in a real browser: a slider moves, the mask follows, and nobody outside is asked for anything."""

import cv2
import numpy as np
import pytest

from unetseg.cli import main
from unetseg.report.demo.skip_bench import SkipBench

# Gradio calls pandas in ways that pandas gives up.
pytestmark = [
    pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting' is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated:DeprecationWarning"),
]
CHANGED = "text=of the pixels differ"


@pytest.fixture(scope="module")
def bench(trained_once):
    return SkipBench(trained_once.run, "cpu")


@pytest.fixture(scope="module")
def address(bench):
    pytest.importorskip("gradio", reason="gradio: pip install 'unetseg[demo]'")
    from unetseg.report.demo.live_page import serve

    with serve([bench], None) as at:
        yield at


@pytest.fixture
def page(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 1100})
    page = context.new_page()
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: message.type == "error" and page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(address)
    page.wait_for_selector(CHANGED)
    yield page
    context.close()


def download(page, path):
    with page.expect_download() as started:
        page.get_by_role("button", name="Download the mask").click()
    started.value.save_as(path)
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_a_slider_moves_and_the_mask_follows_without_a_word_to_anybody(page, address, bench, discs, tmp_path):
    assert page.locator(CHANGED).inner_text().startswith("0.00%")
    page.get_by_label("range slider for Skip of level 0").focus()
    page.keyboard.press("Home")
    page.wait_for_function("!document.body.innerText.includes('0.00% of the pixels differ')")
    whole, without = (bench.predict(bench.open_sample("test0"), scales).mask for scales in ({}, {0: 0.0}))
    assert page.locator(CHANGED).inner_text().startswith(f"{(whole != without).mean():.2%}")
    own = discs / "images/test1.png"
    page.locator("input[type=file]").first.set_input_files(own)
    page.wait_for_selector("text=need a reference mask")
    found = download(page, tmp_path / "mask.png")
    colours = np.asarray(bench.colours, np.uint8)[bench.predict(bench.open_file(own), {0: 0.0}).mask]
    assert np.array_equal(found[:, :, ::-1], colours)
    outside = [url for url in page.asked if not url.startswith((address, "data:", "blob:"))]
    assert outside == [] and page.said == []


def test_three_runs_and_a_port_that_is_none_are_refused(capsys):
    assert main(["demo", "a", "b", "c"]) == 2
    assert "give one, or two to compare" in capsys.readouterr().err
    assert main(["demo", "--port", "0"]) == 2
    assert "must lie between" in capsys.readouterr().err
