"""``predictions.csv``: rows that survive a kill, other commands and odd names."""

import os

import pytest

from unetseg.errors import UsageError
from unetseg.inference.folder.prediction_table import PredictionTable, Row

CLASSES = ("background", "cell")
DEAD = 2**22 + 1  # above the largest number that Linux gives to a process


def row(file: str, share: float = 0.25) -> Row:
    return Row(file, (3, 4), 0.5, (1 - share, share), 0.9)


def read(folder) -> list[str]:
    return (folder / "predictions.csv").read_text().splitlines()


def test_rows_are_sorted_by_file_and_a_later_one_replaces_an_earlier(tmp_path):
    table = PredictionTable(tmp_path, CLASSES)
    for each in (row("b.png"), row("a.png"), row("b.png", 0.5), Row("c.png", None, 0.1, error='is, "bad"')):
        table.add(each)
    table.write()
    assert read(tmp_path) == [
        "file,width,height,seconds,share_background,share_cell,mean_confidence,error",
        "a.png,4,3,0.500,0.750000,0.250000,0.9000,",
        "b.png,4,3,0.500,0.500000,0.500000,0.9000,",
        'c.png,,,0.100,,,,"is, ""bad"""',
    ]
    assert os.listdir(tmp_path) == ["predictions.csv"]


def test_rows_of_another_command_are_kept_even_if_it_ran_at_the_same_time(tmp_path):
    one, other = PredictionTable(tmp_path, CLASSES), PredictionTable(tmp_path, CLASSES)
    one.add(row("a.png"))
    other.add(row("b.png"))
    one.write()
    other.write()
    assert [line.split(",")[0] for line in read(tmp_path)] == ["file", "a.png", "b.png"]


def test_the_journal_of_a_killed_process_is_taken_over_but_for_a_torn_line(tmp_path):
    journal = tmp_path / f".part-{DEAD}-predictions.csv"
    journal.write_text("a.png,4,3,0.500,0.750000,0.250000,0.9000,\nb.png,4,3,0.5")
    table = PredictionTable(tmp_path, CLASSES)
    table.write()
    assert [line.split(",")[0] for line in read(tmp_path)] == ["file", "a.png"]
    assert not journal.exists()


def test_the_journal_of_a_running_process_is_left_alone(tmp_path):
    journal = tmp_path / f".part-{os.getppid()}-predictions.csv"
    journal.write_text("a.png,4,3,0.500,0.750000,0.250000,0.9000,\n")
    PredictionTable(tmp_path, CLASSES).write()
    assert journal.exists()


@pytest.mark.parametrize("name", ["b\udcffd.png", "two\nlines.png", 'comma,quote".png', "mère.png"])
def test_any_name_is_read_back_as_it_was(tmp_path, name):
    for _ in range(2):
        table = PredictionTable(tmp_path, CLASSES)
        table.add(row(name))
        table.write()
    content = (tmp_path / "predictions.csv").read_text(encoding="utf-8")
    assert content.count("0.500,0.750000") == 1


def test_a_table_of_other_classes_is_refused(tmp_path):
    PredictionTable(tmp_path, CLASSES).write()
    with pytest.raises(UsageError, match="another folder"):
        PredictionTable(tmp_path, ("background", "nerve"))


def test_the_journal_of_a_killed_process_names_its_columns_of_skip_maps(tmp_path):
    killed = PredictionTable(tmp_path, CLASSES, "run", ("none", "0", "several"))
    killed.add(Row("a.png", (3, 4), 0.5, (0.75, 0.25), 0.9, skips=(0.5, 0.5, 0.0)))
    (journal,) = tmp_path.iterdir()
    journal.rename(tmp_path / f".part-{DEAD}-predictions.csv")
    table = PredictionTable(tmp_path, CLASSES, "run")
    table.add(row("b.png"))
    table.write()
    header, first, second = read(tmp_path)
    assert header.endswith("mean_confidence,error,skips_none,skips_0,skips_several,made_by")
    assert first.endswith("0.9000,,0.500000,0.500000,0.000000,run")
    assert second.endswith("0.9000,,,,,run")
