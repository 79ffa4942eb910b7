"""A wrong word is answered in one plain line with the right exit code, and nothing is started."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from unetseg.cli import HELP, main
from unetseg.commands import VERBS
from unetseg.config import RunConfig
from unetseg.utilities.signals import Stopped


@pytest.fixture(scope="module")
def drawn_once(tmp_path_factory):
    """The folder that embedded datasets are drawn into, shared: drawing takes seconds."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def unetseg(tmp_path, drawn_once, monkeypatch, capsys):
    """Run one command in a folder without runs; return its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    Path("data").symlink_to(drawn_once)

    def run(command: str):
        code = main(command.split())
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("train", "unetseg: no verb 'train'"),
        ("predikt images", "did you mean 'predict'"),
        ("fit --skipz on", "unknown flag --skipz; did you mean '--skips'"),
        ("fit --ski on", "unknown flag --ski; did you mean '--skips'"),
        ("fit --skips 7", "--skips 7: encoder basic has no level 7; its levels are 0, 1, 2, 3"),
        ("fit --skips sometimes", "--skips 'sometimes': give on, off, levels such as 1,3"),
        ("fit --encoder mit_b0 --skips 1", "encoder mit_b0 has no level 1; its levels are 2, 3, 4"),
        ("fit --encoder resnet81", "--encoder 'resnet81': no such encoder; did you mean 'resnet18'"),
        ("fit --control wide", "did you mean 'widen'"),
        ("fit --size 50", "--size 50: must be a multiple of 16 for this encoder; try 48 or 64"),
        ("fit --epochs ten", "--epochs: 'ten' is not a whole number"),
        ("fit --size", "--size: expected one argument"),
        ("fit on", "unexpected 'on'"),
        ("fit --data nowhere", "'nowhere' is neither a dataset nor a folder"),
        ("fit --data .", "has no folder 'images'"),
        ("fit --config missing.yaml", "missing.yaml: cannot be read"),
        ("fit --trainer.max_epoch 3", "no such argument; did you mean 'max_epochs'"),
        ("fit --trainer.max_epochs", "--trainer.max_epochs: needs a value"),
        ("fit --weights imagenet", "the basic encoder has none; try --encoder resnet34"),
        ("fit --device tpu", "--device 'tpu': choose from auto, cpu, cuda, mps"),
        ("predict images", "-o/--output"),
        ("predict images -o masks", "images: no such file or folder"),
        ("evaluate gone", "gone: no run here"),
        ("evaluate", "name a run, or --predictions DIR and --reference DIR"),
        ("export", "no finished run here; train one with 'unetseg fit'"),
        ("ablate lnog", "did you mean 'long'"),
        ("ablate long --seeds 0", "--seeds 0"),
        ("compare gone", "gone"),
        ("probe --run gone", "gone: no run here"),
        ("runs --all", "unknown flag --all"),
        ("data lost", "no action 'lost'; did you mean 'list'"),
        ("data get petz", "did you mean 'pets'"),
        ("data export filaments --split tset -o x", "choose from train, val, test; did you mean 'test'"),
    ],
)
def test_a_wrong_use_is_one_line_and_exit_code_2(unetseg, command, line):
    code, _, err = unetseg(command)
    assert code == 2
    assert line in err
    assert err.count("\n") == 1 and err.startswith("unetseg") and "Traceback" not in err
    assert not list(Path().glob("checkpoints/*")), "no run was begun"


def test_help_names_every_verb_and_each_verb_has_help(unetseg):
    code, out, _ = unetseg("--help")
    assert code == 0 and out == HELP
    for verb in VERBS:
        assert f"unetseg {verb}" in HELP
        code, out, err = unetseg(f"{verb} --help")
        assert code == 0 and f"unetseg {verb}" in out and not err


def test_no_help_imports_torch():
    code = (
        "import sys; from unetseg.cli import main; from unetseg.commands import VERBS\n"
        "assert all(main([verb, '--help']) == 0 for verb in VERBS)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
    )


ANY_ENCODER = {
    "skips": "1,2", "control": "self", "merge": "gate", "encoder": "resnet18", "weights": "imagenet",
    "data": "textures:0.5", "data_dir": "somewhere", "images": "photos", "masks": "labels", "split_seed": "3",
    "size": "64", "scale": "longest:128",
    "augment": "full", "foreground_crops": "0.5", "class_weights": "1,3", "workers": "2", "epochs": "7",
    "batch_size": "3", "lr": "0.5", "weight_decay": "0.25", "warmup": "0.5", "patience": "4", "init": "other",
    "log_gradients": "true",
    "recalibrate": "true", "bottleneck": "transformer", "bottleneck_layers": "2", "norm": "post",
    "bottleneck_residual": "off",
    "stratify": "true", "encoder_lr": "0.0001", "freeze_encoder": "2", "channels": "1,2", "objects": "true",
    "seed": "9", "device": "cpu", "precision": "float32", "channels_last": "off",
}  # fmt: skip
BASIC_ENCODER = {
    "width": "32", "stages": "4", "blocks": "2", "short": "preactivation", "short_decoder": "true",
    "zero_init": "true",
}  # fmt: skip


@pytest.mark.parametrize("values", [ANY_ENCODER, BASIC_ENCODER], ids=["any encoder", "basic encoder"])
def test_every_flag_of_fit_reaches_the_configuration(unetseg, values):
    flags = [
        f"--{name.replace('_', '-')} {'' if value == 'true' else value}" for name, value in values.items()
    ]
    code, out, err = unetseg(f"fit --print-config --trainer.max_steps 5 {' '.join(flags)}")
    assert code == 0, err
    printed = dict(line.split(": ") for line in out.replace("trainer:\n  ", "").splitlines())
    assert printed["max_steps"] == "5"
    assert {name: printed[name].strip("'") for name in values} == values


def test_the_flags_tried_above_are_all_there_are():
    of_studies = {spec.name for spec in fields(RunConfig) if spec.metadata["group"] == "studies"}
    assert {*ANY_ENCODER, *BASIC_ENCODER, "trainer"} == {spec.name for spec in fields(RunConfig)} - of_studies
    assert of_studies == {"folds", "fold"}


def test_flags_win_over_the_file(unetseg):
    Path("own.yaml").write_text("epochs: 3\nskips: off\n")
    _, out, _ = unetseg("fit --config own.yaml --epochs 4 --print-config")
    assert "epochs: 4\n" in out and "skips: 'off'\n" in out


def test_the_version_is_printed(unetseg):
    code, out, _ = unetseg("--version")
    assert code == 0 and out.startswith("unetseg 0.")


def test_an_unforeseen_error_is_one_line_and_a_traceback_only_with_debug(unetseg, monkeypatch):
    def broken(root=None):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("unetseg.commands.runs.list_below", broken)
    code, _, err = unetseg("runs")
    assert code == 1
    assert err == "unetseg: unexpected RuntimeError: first line second line (--debug shows where)\n"
    assert "Traceback" in unetseg("runs --debug")[2]


@pytest.mark.parametrize(("signum", "expected"), [(2, 130), (15, 143)])
def test_a_stop_is_one_line_and_the_shells_exit_code(unetseg, monkeypatch, signum, expected):
    def stopped(root=None):
        raise Stopped(signum)

    monkeypatch.setattr("unetseg.commands.runs.list_below", stopped)
    code, _, err = unetseg("runs")
    assert code == expected and err.startswith("unetseg: stopped by SIG")


def test_a_reader_that_leaves_ends_the_command_without_a_word():
    command = f"{sys.executable} -c 'from unetseg.cli import entry; entry()' --help"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | true"], capture_output=True, text=True, check=False
    )
    assert done.stderr == "" and done.returncode in (0, 141)
