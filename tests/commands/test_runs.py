"""``unetseg runs``: whatever was trained here or below, wherever ``-o`` put it."""

import os
from pathlib import Path

import pytest

from unetseg.cli import main
from unetseg.config import RunConfig
from unetseg.runs import Run

AGES = iter(range(1_000_000_000, 2_000_000_000, 60))


def train(path: str, **settings) -> Run:
    """Leave behind what an interrupted training does; each is newer than the one before."""
    run = Run(Path(path))
    run.path.mkdir(parents=True)
    run.config_file.write_text(RunConfig(**settings).to_yaml())
    run.split.write_text("{}")
    age = next(AGES)
    os.utime(run.config_file, (age, age))
    return run


def finish(run: Run) -> Run:
    run.best.write_bytes(b"weights")
    run.test.write_text('{"mean": {"dataset": {"iou": 0.75}}}')
    return run


@pytest.fixture
def listed(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; return exit code, the lines of its tables, and standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*words):
        code = main(["runs", *words])
        captured = capsys.readouterr()
        tables = [table.splitlines() for table in captured.out.split("\n\n")]
        return code, tables, captured.err

    return command


def names(lines):
    return [line.split()[0] for line in lines[1:]]


def test_runs_that_were_given_a_place_are_listed_among_the_others_the_newest_last(listed):
    train("checkpoints/first")
    finish(train("mine", seed=7))
    train("results/here/deep")
    train("checkpoints/last")
    code, (table,), _ = listed()
    assert code == 0
    assert names(table) == ["checkpoints/first", "mine", "results/here/deep", "checkpoints/last"]
    assert table[2].split()[1:6] == ["filaments", "on", "basic", "7", "0.750"]
    assert "unfinished" in table[1]


def test_a_study_is_one_line_with_its_runs_counted_wherever_it_lies(listed):
    for folder in ("checkpoints/long-filaments", "elsewhere/mine"):
        finish(train(f"{folder}/on-seed0"))
        train(f"{folder}/off-seed0")
        Path(folder, "study.yaml").write_text("base: {data: pets}\narms: {on: {}, off: {}}\n")
    train("checkpoints/alone")
    _, (runs, studies), _ = listed()
    assert names(runs) == ["checkpoints/alone"]
    assert sorted(names(studies)) == ["checkpoints/long-filaments", "elsewhere/mine"]
    assert all(line.split()[1:4] == ["pets", "2", "1"] for line in studies[1:])


def test_a_study_file_in_the_folder_of_all_runs_hides_none_of_them(listed):
    train("checkpoints/one")
    Path("checkpoints/study.yaml").write_text("base: {}\n")
    assert names(listed()[1][0]) == ["checkpoints/one"]


def test_files_of_other_programs_and_hidden_folders_are_no_runs(listed):
    Path("hydra").mkdir()
    Path("hydra/config.yaml").write_text("model: {depth: 3}\n")
    Path("plans").mkdir()
    Path("plans/study.yaml").write_text("arms: {on: {}, off: {}}\n")
    train(".trash/old")
    train("a/b/c/too/deep")
    assert listed() == (0, [["no runs here; 'unetseg fit' trains one"]], "")


def test_a_folder_of_runs_that_is_a_link_is_looked_into_and_one_that_leads_round_does_not_matter(listed):
    train("disk/run")
    os.symlink("disk", "checkpoints")
    os.symlink("..", "disk/round")
    _, (table,), _ = listed()
    assert [Path(name).name for name in names(table)] == ["run"]


def test_another_folder_is_looked_into_where_it_is_named(listed, tmp_path):
    train(f"{tmp_path}/far/away/run")
    Path("here").mkdir()
    assert names(listed("far")[1][0]) == ["far/away/run"]
    assert listed("here")[1] == [["no runs here; 'unetseg fit' trains one"]]
    code, _, err = listed("nowhere")
    assert code == 2 and "nowhere: no such folder" in err


def test_a_run_that_cannot_be_read_hides_no_other(listed):
    train("good")
    train("bad").config_file.write_text("epochs: [\n")
    code, (table,), err = listed()
    assert (code, names(table)) == (3, ["good"])
    assert err.startswith("left out: bad/config.yaml") and len(err.splitlines()) == 1


def test_each_run_that_is_left_out_is_named(listed):
    train("checkpoints/good")
    for name, config in {"value": "epochs: 0\n", "key": "? [a]\n: 1\n"}.items():
        train(f"checkpoints/{name}").config_file.write_text(config)
    finish(train("checkpoints/scores")).test.write_text("{}")
    code, (table,), err = listed()
    assert code == 3 and names(table) == ["checkpoints/good"]
    assert "left out: checkpoints/value: --epochs 0: must be at least 1" in err
    assert "left out: checkpoints/key/config.yaml, line 1: not valid YAML: a key must be one word" in err
    assert "left out: checkpoints/scores/test.json: holds no scores; run 'unetseg evaluate" in err
