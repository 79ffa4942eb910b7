"""``unetseg probe``: tables, files, and what is refused."""

import csv
from pathlib import Path

import pytest

from unetseg.cli import main
from unetseg.config import SHORTS

TINY = ("--stages", "2", "--size", "16", "--batch-size", "2")


@pytest.fixture
def probe(discs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["probe", *words, "--data", str(discs)] if "--run" not in words else ["probe", *words])
        return code, *capsys.readouterr()

    return run


def rows(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def table(text, first):
    """Return the cells of the line that begins with ``first``."""
    (line,) = [line for line in text.splitlines() if line.split()[:1] == [first]]
    return line.split()


def test_one_network_is_measured_without_a_study(probe):
    code, out, _ = probe(*TINY, "--short", "plain", "--seeds", "2")
    assert code == 0 and "2 crops of discs" in out and "medians of 2 seeds" in out
    assert table(out, "basic")[1:3] == ["8", "0"]  # a stem, 2 stages and 1 decoder block of 2, a head
    assert list(Path().iterdir()) == []


def test_the_arms_of_a_study_are_overlaid_under_the_flags(probe):
    code, out, _ = probe("short", *TINY, "--blocks", "1", "--seeds", "2", "-o", "out")
    assert code == 0
    written = rows("out/probe.csv")
    assert {row["arm"] for row in written} == set(SHORTS)
    assert {row["seed"] for row in written} == {"0", "1"}
    assert Path("out/probe.png").read_bytes().startswith(b"\x89PNG")
    for name in SHORTS:
        layers = {row["name"] for row in written if row["arm"] == name and row["kind"] == "layer"}
        assert table(out, name)[1] == str(len(layers))
    assert not Path("out/probe_cost.csv").exists()


def test_arms_of_one_seed_differ_in_nothing_but_what_they_set(probe):
    Path("study.yaml").write_text(
        "arms: {a: {lr: 1e-3}, b: {lr: [1e-2, 1e-4]}, c: {short: plain}}\nreference: a\nseeds: 2\n"
    )
    assert probe("study.yaml", *TINY, "-o", "out")[0] == 0
    norms = {
        arm: [(row["seed"], row["name"], row["norm"]) for row in rows("out/probe.csv") if row["arm"] == arm]
        for arm in "abc"
    }
    assert norms["a"] == norms["b"] != norms["c"]


def test_cost_is_told_against_the_reference(probe):
    code, out, _ = probe("short", *TINY, "--arms", "plain", "--seeds", "1", "--cost", "-o", "out")
    assert code == 0
    costs = {row["arm"]: row for row in rows("out/probe_cost.csv")}
    assert set(costs) == {"plain", "residual"}
    more = 100 * (int(costs["plain"]["parameters"]) / int(costs["residual"]["parameters"]) - 1)
    assert more < 0 and f"{more:+.1f} %" in out
    assert all(int(row["activation_bytes"]) > 0 for row in costs.values())


def test_a_trained_run_is_shown_beside_its_first_weights(probe, fit):
    fit("--seed", "3")
    code, out, _ = probe("--run", "run", "-o", "out")
    assert code == 0 and "seed 3" in out
    first, trained = ([row["norm"] for row in rows("out/probe.csv") if row["arm"] == arm]
                      for arm in ("before training", "trained"))  # fmt: skip
    assert len(first) == len(trained) and first != trained


def test_the_record_of_a_run_begins_with_what_probe_finds(probe, fit):
    fit("--log-gradients")
    probe("--run", "run", "-o", "out")
    recorded = {row["name"]: row["norm"] for row in rows("run/gradients.csv") if row["epoch"] == "0"}
    probed = {row["name"]: row["norm"] for row in rows("out/probe.csv") if row["arm"] == "before training"}
    assert {k: float(v) for k, v in probed.items()} == pytest.approx(
        {k: float(v) for k, v in recorded.items()}, rel=0.05
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["sort"], "no such study; did you mean 'short'"),
        (["short", "--arms", "plane"], "did you mean 'plain'"),
        (["short", "--short", "plain"], "--short: every arm of short sets it itself"),
        (["--arms", "plain"], "--arms goes with a study"),
        (["--seeds", "0"], "--seeds 0: must be at least 1"),
        (["--size", "24"], "--size 24: must be a multiple of 16"),
        (["--run", "nowhere"], "nowhere: no run here"),
        (["--lr", "1"], "unknown flag --lr"),
        (["--encoder", "resnet18", "--short", "plain"], "--short: is for --encoder basic"),
    ],
)
def test_wrong_usage_is_one_line(probe, words, line):
    code, out, err = probe(*words)
    assert code == 2 and out == "" and line in err and err.count("\n") == 1


def test_nothing_is_overwritten(probe):
    Path("out").mkdir()
    Path("out/probe.csv").write_text("mine")
    code, out, err = probe(*TINY, "-o", "out")
    assert code == 2 and out == "" and "out/probe.csv: exists already" in err
    assert Path("out/probe.csv").read_text() == "mine"
    assert probe(*TINY, "-o", "out/probe.csv")[0] == 2


def test_what_a_run_has_decided_is_not_changed(probe, fit):
    fit()
    code, _, err = probe("--run", "run", "short", "--skips", "off", "--seeds", "2")
    assert code == 2 and "without short, --skips, --seeds" in err
