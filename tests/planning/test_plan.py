"""fit --time: the plan is printed, stored as plain settings, and made once."""

import shlex

import pytest

import unetseg
from unetseg.cli import main
from unetseg.config import RunConfig, from_mapping
from unetseg.planning.pace import Pace
from unetseg.planning.planner import plain_command
from unetseg.runs import Run
from unetseg.utilities.yaml_files import load_yaml

TINY = ["--stages", "2", "--size", "16", "--batch-size", "3"]


@pytest.fixture
def measured(monkeypatch):
    """Paces as on some machine: nothing is timed, and what was measured is kept."""
    seen = []

    def pace(config, dataset, steps):
        seen.append(config)
        return Pace(before=0.0, training=10.0, looking=1.0, whole=0.0, testing=0.0)

    monkeypatch.setattr("unetseg.planning.planner.measure_pace", pace)
    monkeypatch.setattr("unetseg.planning.planner.seconds_a_crop", lambda config, dataset: 0.1)
    return seen


@pytest.fixture
def planned(measured, discs, tmp_path, monkeypatch, capsys):
    """Plan through the command line, in an empty folder; return what is printed."""
    monkeypatch.chdir(tmp_path)

    def plan(*flags):
        assert main(["fit", "--data", str(discs), "--plan", *flags]) == 0
        assert [*tmp_path.iterdir()] == []  # nothing is trained
        return capsys.readouterr().out

    return plan


def configuration_of(out):
    """The configuration that the plain command of a plan trains."""
    (line,) = (line for line in out.splitlines() if line.startswith("same as"))
    words = shlex.split(line)[4:]
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    trainer = {key.removeprefix("--trainer."): int(pairs.pop(key)) for key in [*pairs] if "trainer" in key}
    values = {key.removeprefix("--").replace("-", "_"): value for key, value in pairs.items()}
    whole = {"epochs", "batch_size", "size", "stages", "width"}
    values = {key: int(value) if key in whole else value for key, value in values.items()}
    return from_mapping({**values, "trainer": trainer}, "here")


def test_each_choice_is_printed_with_its_reason_and_the_plain_command(planned):
    out = planned("--time", "10m")
    for name in ("scale", "size", "batch-size", "encoder", "augment", "foreground-crops", "epochs"):
        assert f"\nplan      --{name} " in out
    config = configuration_of(out)
    assert (config.scale, config.size, config.augment) == ("native", 64, "full")
    assert 45 < config.epochs < 55 and "of 10 min" in out


def test_what_is_given_by_hand_stays_and_is_said(planned):
    out = planned("--time", "10m", "--size", "32", "--epochs", "7", "--width", "32")
    assert "given     --width 32, --size 32, --epochs 7: by hand, and stays" in out
    assert "plan      --size" not in out and "plan      --epochs" not in out
    assert "--epochs 7: takes " in out and "--encoder basic" in out
    config = configuration_of(out)
    assert (config.size, config.epochs, config.width) == (32, 7, 32)


def test_a_file_counts_as_given(planned, tmp_path_factory):
    file = tmp_path_factory.mktemp("file") / "my.yaml"
    file.write_text("size: 48\naugment: none\n")
    config = configuration_of(planned("--time", "10m", "--config", str(file)))
    assert (config.size, config.augment) == (48, "none")


def test_without_a_time_the_usual_one_is_planned_for_and_said(planned):
    assert "no --time is given: 20m, the usual one on cpu" in planned("--device", "cpu")


def test_rare_validations_are_planned_where_one_takes_long(planned, monkeypatch):
    slow = Pace(before=0.0, training=0.1, looking=0.4, whole=0.0, testing=0.0)
    monkeypatch.setattr("unetseg.planning.planner.measure_pace", lambda *_: slow)
    out = planned("--time", "10m")
    assert "--trainer.check_val_every_n_epoch 40" in out
    config = configuration_of(out)
    assert config.trainer == {"check_val_every_n_epoch": 40} and config.epochs % 40 == 0


def test_the_planned_configuration_can_be_printed_alone(planned):
    out = planned("--time", "1m", "--print-config")
    assert out.startswith("skips:") and 2 <= int(out.split("epochs: ")[1].split()[0]) <= 6


def test_a_planned_run_keeps_plain_settings_and_goes_on_without_planning(measured, discs, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["fit", "--data", str(discs), "--time", "60s", "-o", str(run), *TINY]) == 0
    assert "planned for 60s, took " in capsys.readouterr().out
    stored = load_yaml(run / "config.yaml")
    assert stored["epochs"] == len(Run(run).epochs()) > 1 and "time" not in stored
    (run / "test.json").unlink()
    assert main(["fit", "--resume", str(run)]) == 0
    assert len(measured) == 1 and "plan " not in capsys.readouterr().out


def test_a_real_measurement_ends_in_a_plan(discs, tmp_path):
    lines = []
    run = unetseg.fit(
        time="1s", data=str(discs), output=tmp_path / "run", report=lines.append, stages=2, size=16,
        batch_size=3,
    )  # fmt: skip
    assert run.finished and run.config().epochs == 1  # what takes longer than a second is said
    assert any("less than one epoch would fit" in line for line in lines)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--time", "20"], "--time '20': give minutes or hours"),
        (["--resume", "gone", "--time", "5m"], "without --time"),
        (["--data", "gone", "--time", "5m"], "'gone' is neither a dataset nor a folder"),
    ],
)
def test_what_cannot_be_planned_is_refused_before_anything_is_read(flags, words, capsys):
    assert main(["fit", *flags]) == 2
    assert words in capsys.readouterr().err


def test_the_plain_command_names_all_that_is_not_the_default():
    config = RunConfig(
        data="my set", short_decoder=True, epochs=3, trainer={"max_steps": 5, "limit_val_batches": 0.5}
    )
    assert shlex.split(plain_command(config)) == [
        "unetseg", "fit", "--short-decoder", "--data", "my set", "--epochs", "3", "--trainer.max_steps", "5",
        "--trainer.limit_val_batches", "0.5",
    ]  # fmt: skip
