"""The pages that the command line writes, of runs that were trained and masks that were drawn."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from unetseg.cli import main


def pictures(path):
    """The pictures of a page, as its script reads them."""
    (content,) = re.findall(r'<script type="application/json" id="pictures">(.*?)</script>', path.read_text())
    return json.loads(content)


@pytest.fixture
def masks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reference = np.zeros((40, 50), np.uint8)
    reference[10:30, 12:40] = 255
    for folder, pixels in (("truth", 0), ("thin", -3), ("thick", 3)):
        (tmp_path / folder).mkdir()
        change = cv2.erode if pixels < 0 else cv2.dilate
        for index, name in enumerate("ab"):
            mask = change(reference, np.ones((abs(pixels) + index + 1,) * 2, np.uint8))
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), mask if pixels else reference)
    return tmp_path


def test_compare_writes_the_page_of_runs_with_their_masks_over_the_photographs(fit, tmp_path, capsys):
    fit(out="one")
    fit("--skips", "off", out="two")
    assert main(["compare", "one", "two", "-o", "out"]) == 0
    assert "out/report.html" in capsys.readouterr().out
    found = pictures(tmp_path / "out/report.html")
    assert found["arms"] == ["reference mask", "skips on", "skips off, control drop"]
    assert sorted(each["name"] for each in found["pictures"]) == ["test0", "test1", "test2"]
    views = [view for each in found["pictures"] for view in (each["whole"], each["zoom"])]
    assert all(view["photo"].startswith("data:image/webp") for view in views)
    assert all(len(set(view["layers"])) > 1 for view in views)


def test_compare_writes_the_page_of_folders_of_masks(masks):
    assert main(["compare", "thin", "thick", "--reference", "truth", "-o", "out"]) == 0
    found = pictures(masks / "out/report.html")
    assert found["arms"] == ["reference mask", "thin", "thick"]
    assert [each["name"] for each in found["pictures"]] == ["b", "a"]
    assert found["pictures"][0]["whole"]["photo"] == ""


def test_evaluate_writes_the_page_of_a_run(fit, tmp_path):
    run = fit(out="one").run
    assert main(["evaluate", "one", "--html", "page.html"]) == 0
    html = (tmp_path / "page.html").read_text()
    scores = run.test_scores()
    assert f"Dataset IoU: {scores['mean']['dataset']['iou']:.3f}" in html
    assert "GMACs" in html and "unetseg evaluate one --html page.html" in html
    found = pictures(tmp_path / "page.html")
    assert found["arms"] == ["reference mask", "prediction"]
    ious = [float(each["scores"][0][0]) for each in found["pictures"]]
    assert len(ious) == 3 and ious == sorted(ious)


def test_evaluate_writes_the_page_of_another_split(fit, tmp_path):
    fit(out="one")
    assert main(["evaluate", "one", "--split", "val", "--html", "page.html"]) == 0
    assert len(pictures(tmp_path / "page.html")["pictures"]) == 5


def test_evaluate_writes_the_page_of_masks(masks):
    assert main(["evaluate", "--predictions", "thin", "--reference", "truth", "--html", "page.html"]) == 0
    assert [each["name"] for each in pictures(masks / "page.html")["pictures"]] == ["b", "a"]


def test_a_folder_for_the_page_is_refused_before_anything_is_scored(masks, capsys):
    assert main(["evaluate", "--predictions", "thin", "--reference", "truth", "--html", "truth"]) == 2
    assert capsys.readouterr().err == "unetseg: --html truth: is a folder; name a file\n"


def test_pages_of_masks_need_no_torch():
    code = "import sys, unetseg.report.run_page, unetseg.report.outputs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
