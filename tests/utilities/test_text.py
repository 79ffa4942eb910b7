"""Names that are written into tables and onto terminals: shown, never obeyed."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetseg.errors import UnetsegError, UsageError, describe
from unetseg.utilities.files import write_rows
from unetseg.utilities.text import from_cell, to_cell


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+a", "-b.png", "@SUM(1)", "\tx", "'=a", "''"])
def test_a_cell_never_begins_a_formula_and_can_be_read_back(name):
    cell = to_cell(name)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    if name.isprintable():
        assert from_cell(cell) == name


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_any_printable_name_survives_a_table(name):
    assert from_cell(to_cell(name)) == name


@pytest.mark.parametrize("number", ["-0.5", "+3", "-inf", "nan", "1e-9", "0"])
def test_numbers_stay_numbers(number):
    assert to_cell(number) == number


def test_a_table_of_odd_names_holds_one_line_a_row(tmp_path):
    write_rows(tmp_path / "a.csv", [{"image": "=1+1\n\x1b[31m.png", "iou": -0.5}, {"image": "b", "iou": 1}])
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines == ["image,iou", "'=1+1\\n\\x1b[31m.png,-0.5", "b,1"]
    with (tmp_path / "a.csv").open(newline="") as file:
        assert [row["iou"] for row in csv.DictReader(file)] == ["-0.5", "1"]


@pytest.mark.parametrize("kind", [UnetsegError, UsageError, ValueError])
def test_an_error_is_one_line_whatever_it_quotes(kind):
    line = describe(kind("images/a\x1b[2J\nb\x07.png: is wrong"))
    assert ("\n" not in line and "\x1b" not in line) or kind is ValueError


def test_an_error_of_the_system_names_the_file_and_what_to_do():
    for error in (
        OSError(30, "Read-only file system", "checkpoints"),
        OSError(28, "No space left on device", "a"),
    ):
        line = describe(error)
        assert line.startswith(f"{error.filename}: {error.strerror}; check") and "unexpected" not in line


def test_a_lack_of_memory_is_told_as_one_whatever_library_says_it():
    for error in (
        MemoryError(),
        RuntimeError("CUDA out of memory"),
        Exception("OpenCV: Insufficient memory"),
    ):
        assert describe(error).startswith("out of memory; try")
