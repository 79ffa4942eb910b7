"""An interrupted training goes on and ends in the same bits."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch

from unetseg import experiment
from unetseg.config import RunConfig
from unetseg.training.recorder import Recorder


@pytest.fixture
def threads(monkeypatch):
    """Let PyTorch compute with so many threads; as many as before when the test ends."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("unetseg.training.thread_count.usable_cores", lambda: 2)
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "flags",
    [("--epochs", "3"), ("--encoder", "mit_b0", "--size", "32"), ("--workers", "1", "--epochs", "3")],
    ids=["basic", "stochastic depth", "loader process"],
)
def test_a_resumed_training_ends_in_the_bits_of_the_unbroken_one(fit, interrupt, assert_same_bits, flags):
    unbroken = fit(*flags, out="unbroken")
    interrupt(signal.SIGTERM, epoch=1)
    assert fit(*flags, out="broken").code == 143
    resumed = fit(resume="broken")
    assert resumed.code == 0 and "after epoch 1" in resumed.out
    assert_same_bits(unbroken.run, resumed.run)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_training_with_the_line_that_resumes_it(fit, interrupt, signum, code):
    interrupt(signum, epoch=1)
    stopped = fit()
    assert stopped.code == code
    assert "unetseg fit --resume run" in stopped.line
    assert len(stopped.run.epochs()) == 1 and stopped.run.last.is_file()


def test_a_signal_in_the_first_epoch_is_resumed_from_the_start(fit, interrupt, assert_same_bits):
    unbroken = fit(out="unbroken")
    interrupt(signal.SIGTERM, epoch=0)
    assert not fit(out="broken").run.last.exists()
    assert_same_bits(unbroken.run, fit(resume="broken").run)


def test_a_signal_while_testing_leaves_only_the_test_to_do(fit, monkeypatch, assert_same_bits):
    unbroken = fit(out="unbroken")
    with monkeypatch.context() as patch:
        patch.setattr(experiment, "evaluate_run", lambda *a, **k: os.kill(os.getpid(), signal.SIGTERM))
        stopped = fit(out="broken")
    assert stopped.code == 143 and "--resume broken" in stopped.line and not stopped.run.test.exists()
    resumed = fit(resume="broken")
    assert "epoch 1/2" not in resumed.out
    assert_same_bits(unbroken.run, resumed.run)


def test_a_signal_before_anything_is_written_leaves_no_folder(fit, monkeypatch):
    monkeypatch.setattr(experiment, "train", lambda *a: os.kill(os.getpid(), signal.SIGINT))
    stopped = fit()
    assert stopped.code == 130 and "--resume" not in stopped.line and not stopped.run.path.exists()


def test_a_kill_between_best_and_last_checkpoint_costs_that_epoch_only(fit, monkeypatch, assert_same_bits):
    unbroken = fit(out="unbroken")

    def killed(trainer, path):
        raise KeyboardInterrupt  # stands for the end of the process: nothing is saved after it

    with monkeypatch.context() as patch:
        patch.setattr("lightning.pytorch.Trainer.save_checkpoint", killed)
        with pytest.raises(BaseException):  # noqa: B017
            assert fit(out="broken").code == 0
    broken = Path("broken")
    assert (broken / "best.ckpt").exists() and not (broken / "last.ckpt").exists()
    assert_same_bits(unbroken.run, fit(resume="broken").run)


def test_patience_stops_and_a_resumed_test_does_not_train_further(fit, assert_same_bits):
    flags = ("--patience", "1", "--epochs", "30", "--lr", "1e-12", "--precision", "float32")
    stopped = fit(*flags)
    rows = stopped.run.epochs()
    assert stopped.code == 0 and 2 <= len(rows) < 30 and "stopping" in stopped.out
    assert rows[-1]["val_iou"] <= max(row["val_iou"] for row in rows[:-1])
    shutil.copytree("run", "copy")
    Path("copy/test.json").unlink()
    assert_same_bits(stopped.run, fit(resume="copy").run)


def test_patience_counts_from_the_best_epoch():
    recorder = Recorder(None, RunConfig(patience=2), split={}, inference={}, report=print)
    recorder.load_state_dict({"rows": [{"epoch": 3}], "best_iou": 0.5, "best_epoch": 2})
    assert not recorder._patience_is_spent()
    recorder.rows.append({"epoch": 4})
    assert recorder._patience_is_spent()


def test_a_finished_run_is_left_as_it_is(fit):
    fit()
    before = {path: path.stat().st_mtime_ns for path in Path("run").iterdir()}
    again = fit(resume="run")
    assert again.code == 0 and "run is finished" in again.out
    assert before == {path: path.stat().st_mtime_ns for path in Path("run").iterdir()}


def test_leftovers_of_a_killed_process_are_removed(fit):
    fit()
    Path("run/test.json").unlink()
    Path("run/.part-x.ckpt").write_bytes(b"half")
    assert fit(resume="run").code == 0
    assert not list(Path("run").glob(".part-*"))


def test_a_run_without_its_last_state_is_not_trained_over_its_best_weights(fit):
    run = Path("run")
    run.mkdir()
    (run / "config.yaml").write_text(RunConfig().to_yaml())
    (run / "best.ckpt").write_bytes(b"the only weights")
    (run / "metrics.csv").write_text("epoch,val_iou\n1,0.5\n2,0.6\n")
    refused = fit(resume="run")
    assert refused.code == 1 and "has no last.ckpt" in refused.line and "-o" in refused.line
    assert (run / "best.ckpt").read_bytes() == b"the only weights"


def test_other_settings_are_refused_with_the_way_to_change_them(fit):
    fit()
    refused = fit("--lr", "0.1", "--config", "x.yaml", resume="run")
    assert refused.code == 2
    assert "--lr" in refused.line and "--config" in refused.line and "--init run" in refused.line


def test_where_it_is_computed_may_change(fit, interrupt):
    interrupt(signal.SIGTERM, epoch=1)
    fit()
    again = fit("--device", "cpu", "--workers", "0", "--trainer.limit_val_batches", "1", resume="run")
    assert again.code == 0
    assert again.run.config().trainer == {"limit_val_batches": 1}


@pytest.mark.parametrize("flags", [("max_epochs", "3"), ("limit_train_batches", "1"), ("max_epochs", "x")])
def test_how_long_it_trains_may_not_change(fit, interrupt, flags):
    interrupt(signal.SIGTERM, epoch=1)
    before = fit().run.config_file.read_bytes()
    refused = fit(f"--trainer.{flags[0]}", flags[1], resume="run")
    assert refused.code == 2
    assert "planned for 4 steps" in refused.line or "--trainer.max_epochs x" in refused.line
    assert refused.run.config_file.read_bytes() == before


def test_a_dataset_that_changed_meanwhile_is_named(fit, drawn):
    data = drawn()
    fit(data=data)
    Path("run/test.json").unlink()
    (data / "test.txt").write_text("test0\n")
    refused = fit(resume="run")
    assert refused.code == 2 and "no longer those that this run began with" in refused.err.splitlines()[-1]


def test_resuming_what_is_no_run_is_wrong_usage(fit):
    refused = fit(resume="nowhere")
    assert refused.code == 2 and "nowhere" in refused.line


def test_kill_9_in_a_process_of_its_own_and_resume(fit, started, discs, assert_same_bits):
    flags = ["--stages", "2", "--size", "16", "--epochs", "20", "--batch-size", "3"]
    unbroken = fit("--epochs", "20", out="unbroken")
    process = started("fit", *flags, "-o", "broken", "--data", str(discs))
    while not Path("broken/last.ckpt").exists():
        assert process.is_alive()
        time.sleep(0.005)
    process.kill()
    process.join()
    assert len(list(Path("broken").glob("test.json"))) == 0
    assert_same_bits(unbroken.run, fit(resume="broken").run)


def test_a_run_goes_on_with_the_threads_that_it_began_with(fit, interrupt, assert_same_bits, threads):
    threads(2)
    unbroken = fit(out="unbroken")
    interrupt(signal.SIGTERM, epoch=1)
    told = json.loads(fit(out="broken").run.environment.read_text())
    assert (told["threads"], told["training_seconds"]) == (2, None)
    threads(1)
    resumed = fit(resume="broken")
    assert "threads   2 as when this run began, not 1" in resumed.out and torch.get_num_threads() == 1
    assert_same_bits(unbroken.run, resumed.run)
    assert json.loads(resumed.run.environment.read_text())["threads"] == 2


@pytest.mark.parametrize("why", ["asked for", "fewer cores"])
def test_a_run_that_goes_on_with_other_threads_says_that_bits_will_differ(
    fit, interrupt, monkeypatch, threads, why
):
    threads(2)
    interrupt(signal.SIGTERM, epoch=1)
    fit(out="broken")
    threads(1)
    if why == "asked for":
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
    else:
        monkeypatch.setattr("unetseg.training.thread_count.usable_cores", lambda: 1)
    resumed = fit(resume="broken")
    assert (
        resumed.code == 0 and "threads   1, and 2 when this run began: its numbers will differ" in resumed.out
    )
    assert json.loads(resumed.run.environment.read_text())["threads"] == 1
