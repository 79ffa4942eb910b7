"""--trainer.NAME reaches Lightning's Trainer, or is refused before anything is written."""

import csv
import re
from pathlib import Path

import lightning.pytorch as pl
import pytest
import yaml

from unetseg.errors import UnetsegError, UsageError
from unetseg.training.epoch_bar import EpochBar
from unetseg.training.extensions import build_callbacks, build_logger


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("max_epoch", "3", "did you mean 'max_epochs'?"),
        ("plugins", "x", "is not offered"),
        ("num_nodes", "2", "is not offered"),
        ("devices", "none of these", "refused by Lightning"),
        ("max_epochs", "many", "refused by Lightning"),
        ("max_epochs", "-1", "take --epochs"),
        ("limit_train_batches", "0", "nothing would be trained"),
        ("val_check_interval", "100", "refused by Lightning"),
        ("logger", "csvv", "did you mean 'csv'?"),
        ("logger", "{a", "not valid YAML"),
        ("callbacks", "os.path.join", "is no callback"),
    ],
)
def test_a_wrong_argument_is_named_and_leaves_nothing(fit, name, value, part):
    refused = fit(f"--trainer.{name}", value)
    assert refused.code == 2 and f"--trainer.{name}" in refused.line and part in refused.line
    assert not refused.run.path.exists()


def test_arguments_overrule_ours_and_are_kept_in_the_configuration(fit):
    given = (
        "--trainer.max_epochs",
        "3",
        "--trainer.limit_val_batches=1",
        "--trainer.gradient_clip_val",
        "1e-1",
    )
    done = fit(*given)
    assert done.code == 0 and len(done.run.epochs()) == 3
    assert done.run.config().trainer == {"max_epochs": 3, "limit_val_batches": 1, "gradient_clip_val": 0.1}


def test_without_validation_the_last_weights_are_kept(fit):
    done = fit("--trainer.limit_val_batches", "0")
    assert done.code == 0 and done.run.best.is_file()
    assert all(row["val_iou"] != row["val_iou"] for row in done.run.epochs())


def test_a_logger_is_given_the_scores_and_the_configuration(fit):
    done = fit("--trainer.logger", "csv")
    (folder,) = Path("run/lightning_logs").iterdir()
    with (folder / "metrics.csv").open(newline="") as file:
        logged = {name for row in csv.DictReader(file) for name, value in row.items() if value}
    assert {"train_loss", "val_iou", "val_iou_foreground", "lr"} <= logged
    assert yaml.safe_load((folder / "hparams.yaml").read_text())["size"] == 16
    assert len(done.run.epochs()) == 2


def test_a_callback_by_import_path_is_called(fit):
    kind = "lightning.pytorch.callbacks.EarlyStopping"
    stop = f"{{class_path: {kind}, init_args: {{monitor: val_iou, mode: max, patience: 1}}}}"
    done = fit("--trainer.callbacks", stop, "--epochs", "9", "--lr", "1e-12", "--precision", "float32")
    assert done.code == 0 and len(done.run.epochs()) < 9


def test_loggers_are_built_from_every_way_to_name_them(tmp_path):
    assert build_logger(False, tmp_path) is False
    named, pathed = build_logger(["csv", "lightning.pytorch.loggers.CSVLogger"], tmp_path)
    assert type(named) is type(pathed) is pl.loggers.CSVLogger and Path(named.save_dir) == tmp_path
    given = {"class_path": "csv", "init_args": {"save_dir": str(tmp_path / "elsewhere")}}
    assert Path(build_logger(given, tmp_path).save_dir) == tmp_path / "elsewhere"


@pytest.mark.parametrize("value", [5, {"init_args": {}}, "nonsense", "os", "pathlib.Path", "a.b.C"])
def test_what_is_no_logger_or_callback_is_refused(value, tmp_path):
    with pytest.raises(UsageError, match=r"--trainer\.logger"):
        build_logger(value, tmp_path)
    with pytest.raises(UsageError, match=r"--trainer\.callbacks"):
        build_callbacks(value)


def test_the_bar_and_the_log_count_epochs_alike(fit, monkeypatch):
    shown = []
    describe = EpochBar._get_train_description

    def recorded(bar, epoch):
        shown.append(describe(bar, epoch).strip())
        return describe(bar, epoch)

    monkeypatch.setattr(EpochBar, "_get_train_description", recorded)
    done = fit("--epochs", "3", "--trainer.enable_progress_bar", "true")
    assert done.code == 0, done.err
    logged = re.findall(r"^(epoch \S+)  loss", done.out, re.MULTILINE)
    assert list(dict.fromkeys(shown)) == logged == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_a_bar_of_the_users_own_takes_the_place_of_ours(fit):
    own = "lightning.pytorch.callbacks.TQDMProgressBar"
    done = fit("--epochs", "1", "--trainer.enable_progress_bar", "true", "--trainer.callbacks", own)
    assert done.code == 0, done.err


@pytest.mark.parametrize(("patience", "words"), [([], ""), (["--patience", "9"], "at most ")])
def test_every_epoch_but_the_last_says_how_much_time_is_left(fit, patience, words):
    lines = [line for line in fit("--epochs", "3", *patience).out.splitlines() if line.startswith("epoch ")]
    assert all(re.search(rf"[0-9.]+ s, {words}[0-9.]+ (s|min|h) left$", line) for line in lines[:-1])
    assert len(lines) == 3 and "left" not in lines[-1]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--encoder", "resnet18", "--weights", "imagenet", "--size", "32"], "weights: no hub in reach"),
        (["--size", "17"], "--size 17: must be a multiple of 2"),
        (["--device", "cuda"], "--device cuda: this machine has none"),
        (["--trainer.max_step", "5"], "--trainer.max_step: Lightning's Trainer has no such argument"),
        (["--trainer.precision", "7"], "--trainer.precision 7: refused by Lightning"),
        (["--trainer.logger", "paper"], "--trainer.logger paper: is no logger"),
    ],
    ids=["weights", "size", "device", "argument", "value", "logger"],
)
def test_what_is_wrong_whatever_the_files_hold_is_said_before_they_are_read(
    fit, drawn, monkeypatch, flags, line
):
    def out_of_reach(name, build):
        raise UnetsegError("weights: no hub in reach")

    def read(*paths, **options):
        raise AssertionError("a file of the dataset was opened")

    monkeypatch.setattr("unetseg.models.encoder.load_pretrained", out_of_reach)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("unetseg.data.datasets.samples.read_picture", read)
    refused = fit(*flags, data=drawn())
    assert refused.code and line in refused.line
    assert not refused.run.path.exists()


def test_a_file_that_builds_code_of_others_is_a_program_and_asks_to_be_trusted(fit, tmp_path):
    (tmp_path / "own_callback.py").write_text(
        "import lightning.pytorch as pl\n\n\nclass Mark(pl.Callback):\n"
        "    def on_train_start(self, *_):\n        open('ran', 'w').close()\n"
    )
    for kind, value in (("string", "own_callback.Mark"), ("mapping", {"class_path": "own_callback.Mark"})):
        (tmp_path / f"{kind}.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [value]}}))
        refused = fit("--config", f"{kind}.yaml")
        assert refused.code == 2 and "builds own_callback.Mark, which is code that runs here" in refused.line
        assert "--allow-code" in refused.line and not (tmp_path / "ran").exists()


def test_a_trusted_file_builds_its_callback_and_lightnings_own_need_no_trust(fit, tmp_path, monkeypatch):
    (tmp_path / "own_callback.py").write_text(
        "import lightning.pytorch as pl\n\n\nclass Mark(pl.Callback):\n"
        "    def on_train_start(self, *_):\n        open('ran', 'w').close()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own.yaml").write_text("trainer: {callbacks: own_callback.Mark}\n")
    assert fit("--config", "own.yaml", "--allow-code", "--epochs", "1", out="trusted").code == 0
    assert (tmp_path / "ran").exists()
    (tmp_path / "lightning.yaml").write_text(
        "trainer: {callbacks: lightning.pytorch.callbacks.LearningRateMonitor, logger: csv}\n"
    )
    assert fit("--config", "lightning.yaml", "--epochs", "1", out="lightnings").code == 0
