"""Checkpoints are written whole or not at all, and never read as code."""

import os
import pickle
import signal
from pathlib import Path

import pytest
import torch

from unetseg.cli import main
from unetseg.errors import UnetsegError
from unetseg.training import checkpoints
from unetseg.utilities.signals import Stopped


class Payload:
    """What an attacker's checkpoint holds: loading it as a pickle makes a file."""

    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


@pytest.fixture(params=["0", "1"], ids=["by default", "under TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"])
def force(request, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", request.param)


@pytest.fixture
def hostile(fit):
    """A finished run whose last state and best weights are replaced by ones that run code on loading."""
    run = fit().run
    for path in (run.best, run.last):
        content = torch.load(path, weights_only=True)
        torch.save({**content, "extra": Payload()}, path)
    return run


def test_the_payload_does_run_where_nothing_prevents_it(hostile):
    torch.load(hostile.best, weights_only=False)
    assert Path("executed").exists()


@pytest.mark.usefixtures("force")
@pytest.mark.parametrize("verb", ["resume", "init", "predict"])
def test_a_checkpoint_that_would_run_code_is_refused_everywhere(hostile, fit, discs, capsys, verb):
    if verb == "predict":
        code = main(["predict", str(discs / "images"), "-o", "masks", "--run", "run"])
        line = capsys.readouterr().err
    else:
        hostile.test.unlink()
        refused = fit(resume="run") if verb == "resume" else fit("--init", "run", out="second")
        code, line = refused.code, refused.line
    assert code == 1 and ".ckpt" in line and "not loaded" in line
    assert not Path("executed").exists()


@pytest.mark.usefixtures("force")
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_plain_pickle_is_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    path.write_bytes(pickle.dumps({"state_dict": Payload()}))
    with pytest.raises(UnetsegError, match=r"a\.ckpt.*not loaded"):
        checkpoints.load(path)
    assert not Path("executed").exists()


def test_remote_paths_are_no_checkpoints(fit):
    for path in ("http://example.org/best.ckpt", "https://example.org/best.ckpt"):
        with pytest.raises(UnetsegError, match="no such checkpoint"):
            checkpoints.load(path)
    refused = fit(resume="http://example.org/run")
    assert refused.code == 2 and "local folders only" in refused.line


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_is_named(fit, keep):
    run = fit().run
    run.test.unlink()
    content = run.last.read_bytes()
    run.last.write_bytes(content[: int(keep * len(content))])
    refused = fit(resume="run")
    assert refused.code == 1 and "last.ckpt" in refused.line and "damaged" in refused.line


def test_what_fails_while_saving_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    path = tmp_path / "a.ckpt"
    checkpoints.save(path, {"epoch": 1})

    def fail(source, target):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UnetsegError, match=r"a\.ckpt: cannot be saved \(No space left on device\)"):
        checkpoints.save(path, {"epoch": 2})
    assert checkpoints.load(path) == {"epoch": 1} and os.listdir(tmp_path) == ["a.ckpt"]


def test_a_request_to_stop_in_the_middle_of_a_write_stays_one(tmp_path, monkeypatch):
    def write(content, file):
        try:
            raise Stopped(signal.SIGINT)
        finally:  # as torch's writer does, which ends its file on the way out
            raise RuntimeError("unexpected pos 2446720 vs 2446616")

    monkeypatch.setattr(torch, "save", write)
    with pytest.raises(Stopped, match="SIGINT"):
        checkpoints.save(tmp_path / "last.ckpt", {})
    assert not list(tmp_path.iterdir())


def test_every_file_of_a_run_is_renamed_within_its_own_folder(fit, monkeypatch, tmp_path):
    places = []
    rename = os.replace

    def watched(source, target):
        places.append((Path(source).resolve().parent, Path(target).resolve()))
        rename(source, target)

    monkeypatch.setattr(os, "replace", watched)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))
    run = fit().run
    assert {path.resolve() for path in run.path.iterdir()} == {target for _, target in places}
    assert all(source == target.parent for source, target in places)


def test_the_first_save_that_fails_promises_no_checkpoint_before_it(tmp_path, monkeypatch):
    def fail(source, target):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UnetsegError, match=r"No space left on device\); there was none before it: free"):
        checkpoints.save(tmp_path / "a.ckpt", {"epoch": 1})


@pytest.mark.parametrize(("kept", "how"), [(0, "it is empty"), (300, "it is cut off")])
def test_half_a_checkpoint_is_told_in_plain_words(tmp_path, kept, how):
    path = tmp_path / "a.ckpt"
    checkpoints.save(path, {"epoch": 1})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UnetsegError) as caught:
        checkpoints.load(path)
    assert str(caught.value) == (
        f"{path}: is damaged ({how}), so it is not loaded; copy it again, or train again"
    )
