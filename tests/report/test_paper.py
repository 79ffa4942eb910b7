"""``compare --figures``: what goes into a paper, opened by other programs."""

import csv
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from unetseg.cli import main
from unetseg.report.paper.citations import bibtex
from unetseg.report.paper.latex import escaped, table


@pytest.fixture(scope="module")
def paper(discs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    for name, size in (("near_right", 1), ("wide", 5)):
        (folder / name).mkdir()
        for path in (discs / "masks").iterdir():
            grown = cv2.dilate(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.ones((size, size), np.uint8))
            cv2.imwrite(str(folder / name / path.name), grown)
    words = ["compare", f"{folder}/near_right", f"{folder}/wide", "--reference", f"{discs}/masks"]
    assert main([*words, "-o", f"{folder}/report", "--figures", f"{folder}/out"]) == 0
    return folder / "out"


def test_every_figure_is_there_twice_in_the_colours_of_print(paper):
    drawn = sorted(paper.glob("figure-*.svg"))
    assert len(drawn) >= 5 and [path.with_suffix(".pdf").exists() for path in drawn] == [True] * len(drawn)
    for path in drawn:
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        colours = set(re.findall(r"#[0-9a-f]{6}", path.read_text(encoding="utf-8")))
        assert "#1b1f24" in colours and not any(
            colour.startswith("#00000") for colour in colours - {"#000000"}
        )


@pytest.mark.parametrize(
    ("program", "suffix", "before", "after"),
    [
        ("rsvg-convert", ".svg", ["-o", "page.png"], []),
        ("pdftoppm", ".pdf", ["-png", "-singlefile"], ["page"]),
    ],
    ids=["rsvg-convert", "pdftoppm"],
)
def test_another_program_opens_it(paper, tmp_path, program, suffix, before, after):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    subprocess.run(
        [program, *before, next(paper.glob(f"figure-*{suffix}")), *after], cwd=tmp_path, check=True
    )
    pixels = cv2.imread(str(tmp_path / "page.png"), cv2.IMREAD_GRAYSCALE)
    assert pixels.max() == 255 and pixels.min() < 80 and pixels.mean() > 200  # dark ink on white paper


def test_tables_hold_the_same_numbers_as_latex_and_csv(paper):
    with (paper / "all-differences.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    text = (paper / "all-differences.tex").read_text(encoding="utf-8")
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    cells = [[cell.strip() for cell in line.removesuffix(r"\\").split(" & ")] for line in body]
    assert cells == [[escaped(cell) for cell in row] for row in rows]
    assert head[:3] == ["Metric", "Arm", "Mean"] and rows[0][2] == "1.000"
    assert rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}" in text


def test_the_methods_cite_what_the_bibliography_has(paper):
    methods = (paper / "methods.tex").read_text(encoding="utf-8")
    assert "“wide” was compared with “near\\_right” on 14 images" in methods
    known = re.findall(r"@\w+\{(\w+),", (paper / "references.bib").read_text(encoding="utf-8"))
    assert set(re.findall(r"\\cite\{(\w+)\}", methods)) == set(known) >= {"holm1979", "cheng2021"}


def test_a_second_call_replaces_nothing(paper, discs, tmp_path, capsys):
    before = {path: path.read_bytes() for path in paper.iterdir()}
    near, wide = paper.parent / "near_right", paper.parent / "wide"
    words = ["compare", str(near), str(wide), "--reference", f"{discs}/masks", "-o", str(tmp_path / "new")]
    assert main([*words, "--figures", str(paper)]) == 2
    assert "figure-01" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in paper.iterdir()} == before


def test_no_letter_of_a_name_is_a_command_of_latex():
    assert escaped("50 % of a_b & {c} \\d −1 ≥ 2²") == (
        r"50 \% of a\_b \& \{c\} \textbackslash{}d $-$1 $\geq$ 2$^2$"
    )
    assert table("A & B", "tab:x", ["#"], [["1_2"]]).count(r"\&") == 1


def test_an_entry_has_what_bibtex_asks_for():
    assert bibtex(["holm1979"]).startswith("@article{holm1979,\n  author = {Holm, Sture},\n")
