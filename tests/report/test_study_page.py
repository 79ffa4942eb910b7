"""What stands on the page of a study, before any browser opens it."""

import re
from dataclasses import replace

import pytest

from unetseg.report.html.page import render
from unetseg.report.study_page import study_page, write_study_page
from unetseg.studies.analysis.results import METHOD


@pytest.fixture(scope="session")
def page(study):
    return study_page(study.results, study.gallery)


@pytest.fixture(scope="session")
def html(page):
    return render(page)


def section(page, title):
    (found,) = (each for each in page.sections if each.title == title)
    return found


def test_the_findings_come_first_each_arm_with_its_verdict_and_its_boundary(page, study):
    assert [finding.text for finding in page.findings] == [arm.sentence for arm in study.results.arms]
    verdicts = [study.results.metric("iou").arms[arm.name].verdict or "" for arm in study.results.arms]
    assert [finding.verdict for finding in page.findings] == verdicts
    (contrast,) = study.results.contrasts
    assert [*page.findings[1].more] == [contrast.arms["drop"].sentence]


def test_every_part_of_a_study_is_there(html, study):
    results = study.results
    said = [
        "The claim under test: Skips matter.",
        "unetseg ablate drawn",
        "12,345",
        "0.520 at 96²",
        "0.001",
        "lr 0.1: failed",
        "f00d",
    ]
    said += ["self, seed 1 is missing: out of memory", "torch", "2.10", "Seeds: 0, 1", "runs/zero-1"]
    said += [METHOD[0], METHOD[2][:40], results.metric("boundary_iou").label, "Training loss"]
    text = html.replace("−", "-").replace("&#39;", "'")
    missing = [part for part in said if part.lower() not in text.lower()]
    assert missing == []


def test_the_table_holds_the_differences_of_the_results(page, study):
    rows = section(page, "The arms").blocks[0].rows
    score = study.results.metric("iou").arms["drop"]
    assert rows[1][0] == "drop"
    assert rows[1][1] == f"{score.estimate.mean:.3f}"
    assert rows[1][2] == f"{score.difference.mean:+.3f}".replace("-", "−")
    assert rows[1][5].verdict == score.verdict == "for these nets only"  # of two seeds
    assert rows[0][5] == "reference"


def test_only_images_with_a_picture_answer(study):
    less = replace(study.gallery, pictures=study.gallery.pictures[:2])
    _, figures, text, _ = section(study_page(study.results, less), "Image by image").blocks
    assert set(re.findall(r'data-image="(\d)"', figures.items[0].draw())) == {"0", "1"}
    assert "the 2 whose arms differ most of 6 images" in text.text


def test_a_page_without_pictures_has_no_viewer_and_no_answering_points(study):
    blocks = section(study_page(study.results, None), "Image by image").blocks
    assert [block.kind for block in blocks] == ["text", "figures"]
    assert not blocks[1].answering
    assert "data-image" not in blocks[1].items[0].draw()


def test_a_page_says_why_there_are_no_pictures_where_the_runs_are_gone(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_study_page(study.results, "page.html")
    html = (tmp_path / "page.html").read_text()
    assert "the page has no pictures: runs/on-0/config.yaml: cannot be read" in html
    assert study.results.arms[1].label in html


def test_one_seed_is_said_to_know_nothing_of_seeds(draw_study):
    assert any("one seed" in note for note in study_page(draw_study(seeds=(0,)).results, None).notes)


def test_several_classes_have_their_own_tables_and_strata(draw_study):
    drawn = draw_study(classes=("background", "vein", "artery"))
    page = study_page(drawn.results, drawn.gallery)
    captions = [block.caption for block in page.sections[0].blocks]
    assert [
        name
        for name in ("mean of classes", "vein", "artery")
        if any(f", {name}:" in text for text in captions)
    ] == [
        "mean of classes",
        "vein",
        "artery",
    ]
    strata = section(page, "By width and size of the structures").blocks
    titles = [figure.title for block in strata for figure in block.items]
    assert any("px wide, vein" in title for title in titles)
    assert any("px wide, artery" in title for title in titles)


def test_arms_that_are_one_run_are_drawn_once(study):
    arms = tuple(replace(arm, same_as="drop") if arm.name == "zero" else arm for arm in study.results.arms)
    page = study_page(replace(study.results, arms=arms), None)
    curves = [figure.title for figure in section(page, "Training").blocks[-1].items]
    assert curves == ["on", "drop"]
    cost = section(page, "Cost and chosen settings").blocks[0]
    assert [row[1] for row in cost.rows] == ["With on", "With drop", "With zero (the same runs as drop)"]


def test_the_same_results_make_the_same_bytes(study, html):
    assert render(study_page(study.results, study.gallery)) == html


def test_the_page_names_no_other_place(html):
    assert re.findall(r'(?:src|href|action)="(?!data:|#)[^"]*"', html) == []
    assert re.findall(r"url\((?!#)[^)]*\)", html) == []
