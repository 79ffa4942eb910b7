"""``unetseg lesion``: what it prints and leaves, and what is refused."""

import csv
import json
from pathlib import Path

import pytest

from unetseg.cli import main
from unetseg.probes.lesion.modes import MODES, LesionMode


@pytest.fixture
def lesion(capsys):
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["lesion", *words])
        return code, *capsys.readouterr()

    return run


def rows(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def summary(folder):
    return json.loads((Path(folder) / "lesions.json").read_text())


def test_each_level_is_switched_off_and_then_all(lesion, fit, capsys):
    fit("--stages", "3")
    code, out, _ = lesion("run")
    assert code == 0 and "chance in images only" in out
    found = summary("run/lesion-zero")
    assert list(found["lesions"]) == ["intact", "without 0", "without 1", "without 0,1"]
    table = rows("run/lesion-zero/lesions.csv")
    assert len(table) == 4 * 3  # test images
    assert Path("run/lesion-zero/lesions.png").read_bytes().startswith(b"\x89PNG")
    assert main(["evaluate", "run", "--json", "scores.json"]) == 0
    scores = json.loads(Path("scores.json").read_text())
    intact = found["lesions"]["intact"]
    assert intact["iou"]["mean"] == pytest.approx(scores["mean"]["image"]["iou"]["mean"])
    assert intact["dataset_iou"]["mean"] == pytest.approx(scores["mean"]["dataset"]["iou"])
    change = found["lesions"]["without 0"]["iou"]["difference"]["mean"]
    own = [float(row["iou"]) for row in table if row["lesion"] == "without 0"]
    whole = [float(row["iou"]) for row in table if row["lesion"] == "intact"]
    assert change == pytest.approx(sum(own) / 3 - sum(whole) / 3)
    assert f"{change:+.3f}" in out


@pytest.mark.parametrize("mode", ["mean", "shuffle"])
def test_another_stand_in_is_another_lesion(lesion, fit, mode):
    fit("--stages", "3")
    code, out, _ = lesion("run", "--mode", mode, "--all", "-o", "out")
    assert code == 0
    assert len(summary("out")["lesions"]) == 4 and summary("out")["mode"] == mode
    assert {"mean": "means", "shuffle": "shuffled"}[mode] in out


def test_one_entry_adds_a_stand_in(lesion, fit, monkeypatch):
    planted = LesionMode("halve", "each long skip at half its strength", lambda *_: lambda level, x: x / 2)
    monkeypatch.setitem(MODES, planted.name, planted)
    fit("--stages", "2")
    code, out, _ = lesion("run", "--mode", "halve")
    assert code == 0 and out.startswith("each long skip at half its strength; ")
    assert list(summary("run/lesion-halve")["lesions"]) == ["intact", "without 0"]
    assert "--mode zero|mean|shuffle|halve" in lesion("--help")[1]


def test_each_question_has_a_folder_of_its_own_in_the_run(lesion, fit):
    fit("--stages", "3")
    assert lesion("run")[0] == lesion("run", "--all")[0] == lesion("run", "--split", "val")[0] == 0
    code, _, err = lesion("run", "--all")
    assert code == 2 and "lesion-zero-all/lesions.csv: exists already" in err
    assert sorted(path.name for path in Path("run").glob("lesion-*")) == [
        "lesion-zero",
        "lesion-zero-all",
        "lesion-zero-val",
    ]


def test_seeds_of_one_configuration_are_analysed_together(lesion, fit):
    for seed in ("0", "1"):
        fit("--stages", "2", "--seed", seed, out=f"run{seed}")
    Path("run1/test.json").unlink()
    code, out, _ = lesion("run0", "run1", "-o", "out")
    assert code == 0 and "intervals over 2 seeds" in out
    assert "note: run1 is not finished (epoch " in out and "run0 is not finished" not in out
    assert {row["run"] for row in rows("out/lesions.csv")} == {"run0", "run1"}


def test_blocks_are_deleted_one_at_a_time(lesion, fit):
    fit("--stages", "2", "--blocks", "2")
    code, out, _ = lesion("run", "--delete-blocks")
    assert code == 0 and "not deleted, as they change the shape: stages.1.0" in out
    found = summary("run/lesion-blocks")
    assert list(found["lesions"]) == ["intact", "stages.0.0", "stages.0.1", "stages.1.1"]
    assert found["not_deleted"] == ["stages.1.0"]


def test_what_retraining_found_stands_in_a_table_of_its_own(lesion, discs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("levels.yaml").write_text(
        f"base: {{data: '{discs}', stages: 3, size: 16, epochs: 1, batch_size: 4, precision: float32}}\n"
        "seeds: 1\narms:\n  all: {skips: on}\n  without-{level}: {skips: '^{level}'}\n"
    )
    assert main(["ablate", "levels.yaml", "-o", "study"]) == 0
    capsys.readouterr()
    code, out, err = lesion("study/all-seed0", "--against", "study", "-o", "out")
    assert code == 0, err
    first, second = out.split("trained without them, from study")
    difference = json.loads(Path("study/summary.json").read_text())
    (metric,) = [each for each in difference["metrics"] if each["key"] == "iou"]
    mean = metric["arms"]["without-1"]["difference"]["mean"]
    (line,) = [line for line in second.splitlines() if line.startswith("without 1")]
    assert f"{mean:+.3f}" in line and line.endswith("without-1")
    assert "without-1" not in first and "without-1" not in Path("out/lesions.csv").read_text()
    for words, line in {
        "study/without-1-seed0 --against study": "its reference differs from the run in skips; name a run of",
        "study/all-seed0 --against study --split val": "was tested on other images than the lesions",
        "study/all-seed0 --against damaged": "summary.json: cannot be read as what a study found",
    }.items():
        Path("damaged").mkdir(exist_ok=True)
        Path("damaged/summary.json").write_text('{"arms": []}')
        code, out, err = lesion(*words.split(), "-o", "refused")
        assert code in (1, 2) and line in err and not out  # said before anything is computed
        assert not Path("refused").exists()


def test_nothing_is_overwritten(lesion, fit):
    fit("--stages", "2")
    assert lesion("run")[0] == 0
    code, _, err = lesion("run")
    assert code == 2 and "lesions.csv: exists already; give another -o" in err


def refused(lesion, words, line):
    code, _, err = lesion(*words.split())
    assert code == 2 and line in err
    assert len(err.strip().splitlines()) == 1
    assert not list(Path().glob("*/lesion*"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("run --mode zeros", "--mode 'zeros': choose from zero, mean, shuffle; did you mean 'zero'?"),
        ("run --delete-blocks --all", "--delete-blocks: deletes blocks, not skips; leave out --all"),
        ("gone", "gone: no run here"),
    ],
)
def test_wrong_words_are_refused_before_any_run_is_read(lesion, tmp_path, monkeypatch, words, line):
    monkeypatch.chdir(tmp_path)
    refused(lesion, words, line)


def test_runs_that_cannot_be_asked_are_refused(lesion, fit):
    fit("--stages", "2")
    fit("--stages", "2", "--skips", "off", out="off")
    refused(lesion, "off", "off: has no long skip to switch off")
    refused(lesion, "run off", "off and run: differ in skips")
    refused(lesion, "run run", "two of the runs have the same seed")
    refused(lesion, "run --split trian", "--split 'trian': choose from train, val, test; did you mean")
    refused(lesion, "run --against run", "--against run: holds no summary.json")
