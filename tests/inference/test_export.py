"""Exported files against the run that they came from, and what is refused."""

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import load_file

from unetseg.cli import main
from unetseg.config import RunConfig
from unetseg.data.images.read import read_labels
from unetseg.data.images.write import write_image
from unetseg.inference import onnx_file
from unetseg.inference.loading import load_models, load_predictor
from unetseg.inference.weights import SETTINGS
from unetseg.models.unet import build_model
from unetseg.runs import Run
from unetseg.training import checkpoints

CLASSES = ["background", "cell", "nerve ü"]
COLOURS = [[0, 0, 0], [250, 20, 30], [40, 150, 60]]
PREPROCESSING = {"scale": "longest:48", "mean": [0.4, 0.5, 0.6], "deviation": [0.2, 0.3, 0.1]}


def make_run(folder: Path, classes: int = 3, **settings) -> Run:
    """Write a run as ``fit`` leaves it, without training: of random weights and lived-in batch norms."""
    config = RunConfig(precision="float32", data="/home/somebody/pictures", **settings)
    model = build_model(config, 1 if classes == 2 else classes)
    generator = torch.Generator().manual_seed(config.seed)
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(4, 3, 64, 64, generator=generator))
    inference = {
        "config": asdict(config),
        "classes": CLASSES[:classes],
        "colours": COLOURS[:classes],
        "preprocessing": PREPROCESSING,
    }
    run = Run(folder)
    folder.mkdir(parents=True)
    run.config_file.write_text(config.to_yaml())
    checkpoints.save(run.best, {"state_dict": model.state_dict(), "inference": inference})
    return run


def export_command(*words: object) -> int:
    return main(["export", *map(str, words)])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A small run of three classes, with ``model.onnx`` and ``model.safetensors``; not to be changed."""
    run = make_run(tmp_path_factory.mktemp("runs") / "small", stages=2, blocks=1)
    assert export_command(run.path) == 0
    assert export_command(run.path, "--format", "safetensors") == 0
    return run


@pytest.fixture
def copied(run, tmp_path) -> Run:
    """The same run, without exports, as a finished one."""
    shutil.copytree(run.path, tmp_path / "run", ignore=shutil.ignore_patterns("model.*"))
    (tmp_path / "run" / "test.json").write_text("{}")
    return Run(tmp_path / "run")


@pytest.fixture
def line(capsys):
    """Return the one plain line on standard error."""

    def read() -> str:
        (only,) = capsys.readouterr().err.strip().splitlines()
        return only

    return read


def logits_of(run: Run, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return load_predictor(run, "cpu").model(torch.from_numpy(images)).numpy()


def assert_same_logits(run: Run, model: Path) -> None:
    session = onnxruntime.InferenceSession(model)
    stride = load_predictor(run, "cpu").model.stride
    for batch, high, wide in ((1, 1, 1), (2, 3, 5), (5, 4, 1)):
        shape = (batch, 3, high * stride, wide * stride)
        images = np.random.default_rng(batch).standard_normal(shape, dtype=np.float32)
        expected = logits_of(run, images)
        (found,) = session.run(None, {"images": images})
        assert expected.std() > 1e-3
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


# --- ONNX ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"encoder": "resnet18", "classes": 2},
        {"encoder": "mit_b0", "classes": 2},
        {"stages": 3, "skips": "0", "control": "self"},
    ],
    ids=["convolutions", "transformer", "stand-ins for skips"],
)
def test_an_onnx_model_takes_any_batch_and_size_and_equals_the_run(tmp_path, monkeypatch, settings):
    # Of each kind of block one, attention over a reduced map and over a whole one: a third of the time.
    monkeypatch.setitem(smp.encoders.encoders["mit_b0"]["params"], "depths", [0, 0, 1, 1])
    monkeypatch.setitem(smp.encoders.encoders["resnet18"]["params"], "layers", [1, 1, 1, 1])
    run = make_run(tmp_path / "run", **settings)
    assert export_command(run.path, "-o", tmp_path / "a.onnx") == 0
    assert_same_logits(run, tmp_path / "a.onnx")


def test_an_onnx_model_of_several_classes_equals_the_run(run):
    assert_same_logits(run, run.exported("onnx"))


def test_an_onnx_model_is_valid_and_says_how_to_use_it(run):
    model = onnx.load(run.exported("onnx"))
    onnx.checker.check_model(model, full_check=True)
    (images,), (logits,) = model.graph.input, model.graph.output
    sides = [side.dim_param or side.dim_value for side in images.type.tensor_type.shape.dim]
    assert (images.name, logits.name, sides) == ("images", "logits", ["batch", 3, "height", "width"])
    assert "mean" in model.doc_string and SETTINGS in model.doc_string
    (settings,) = [json.loads(entry.value) for entry in model.metadata_props if entry.key == SETTINGS]
    assert settings["preprocessing"] == PREPROCESSING
    assert (settings["classes"], settings["colours"], settings["stride"]) == (CLASSES, COLOURS, 2)


@pytest.mark.parametrize("format", ["onnx", "safetensors"])
def test_a_shipped_file_names_no_path_of_this_machine(run, format):
    content = run.exported(format).read_bytes()
    for path in ("somebody", "site-packages", ".py", str(Path(onnx_file.__file__).parent)):
        assert path.encode() not in content


@pytest.mark.parametrize("format", ["onnx", "safetensors"])
@pytest.mark.parametrize("shape", [(48, 48), (37, 61), (1, 7), (90, 31)])
def test_an_exported_model_gives_the_runs_masks(run, format, shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    original, loaded = load_predictor(run, "cpu"), load_models([run.exported(format)], "cpu")
    assert (loaded.classes, loaded.colours) == (original.classes, original.colours)
    assert loaded(image).shape == shape
    np.testing.assert_allclose(loaded.probabilities(image), original.probabilities(image), atol=1e-5)


@pytest.mark.parametrize("format", ["onnx", "safetensors"])
def test_predict_takes_an_exported_model_for_a_run(run, tmp_path, format):
    image = np.random.default_rng(3).integers(0, 256, (37, 61, 3), np.uint8)
    write_image(tmp_path / "a.png", image)
    words = ["predict", tmp_path / "a.png", "-o", tmp_path / "masks", "--run", run.exported(format)]
    assert main([*map(str, words), "--device", "cpu"]) == 0
    same = read_labels(tmp_path / "masks" / "a.png") == load_predictor(run, "cpu")(image)
    assert same.mean() > 0.999  # float32 sums in another order


def test_runs_and_exported_models_average_as_an_ensemble(run):
    image = np.random.default_rng(2).integers(0, 256, (40, 40, 3), np.uint8)
    all_three = load_models([run, run.exported("onnx"), run.exported("safetensors")], "cpu")
    expected = load_predictor(run, "cpu").probabilities(image)
    np.testing.assert_allclose(all_three.probabilities(image), expected, atol=1e-5)


def test_exporting_prints_the_run_and_the_file_and_nothing_else(copied, capfd):
    assert export_command(copied.path) == 0
    captured = capfd.readouterr()
    first, second = captured.out.splitlines()
    assert first == f"run {copied.path}" and second.startswith(f"wrote {copied.path / 'model.onnx'} (")
    assert captured.err == ""


def test_a_model_that_differs_from_pytorch_is_not_written(copied, tmp_path, monkeypatch, line):
    other = make_run(tmp_path / "other", stages=2, seed=1)
    assert export_command(other.path) == 0
    monkeypatch.setattr(onnx_file, "write_graph", lambda path, *_: shutil.copy(other.exported("onnx"), path))
    before = sorted(copied.path.iterdir())
    assert export_command(copied.path) == 1
    assert "model.onnx: was not written: ONNX Runtime differs from PyTorch by" in line()
    assert sorted(copied.path.iterdir()) == before


def test_a_model_of_one_size_is_not_written(run, copied, monkeypatch, line):
    def write_fixed(path: Path, *_) -> None:
        model = onnx.load(run.exported("onnx"))
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 4
        onnx.save(model, path)

    monkeypatch.setattr(onnx_file, "write_graph", write_fixed)
    copied.exported("onnx").write_bytes(b"of before")
    assert export_command(copied.path, "--overwrite") == 1
    assert "was not written: ONNX Runtime fails (" in line()
    assert copied.exported("onnx").read_bytes() == b"of before"


def test_a_network_that_onnx_cannot_express_is_one_plain_line(copied, monkeypatch, line):
    def refuse(*_, **__):
        raise RuntimeError("Failed.\nNext steps: ...") from NotImplementedError("no such\noperator")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    assert export_command(copied.path) == 1
    found = line()
    assert "(NotImplementedError: no such operator); --format safetensors" in found
    assert not copied.exported("onnx").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named_with_what_installs_it(copied, monkeypatch, line, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert export_command(copied.path) == 2
    assert line().endswith("install it with: pip install 'unetseg[onnx]'")
    assert not copied.exported("onnx").exists()


# --- safetensors -----------------------------------------------------------------------------------


def test_safetensors_hold_the_runs_weights_bit_for_bit(run):
    state = checkpoints.load(run.best)["state_dict"]
    shipped = load_file(run.exported("safetensors"))
    loaded = load_models([run.exported("safetensors")], "cpu").model.state_dict()
    assert state.keys() == shipped.keys() == loaded.keys()
    for name, tensor in state.items():
        assert torch.equal(shipped[name], tensor) and torch.equal(loaded[name], tensor), name


def test_safetensors_take_weights_that_lie_channels_last(copied):
    content = checkpoints.load(copied.best)
    state = {
        name: value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value
        for name, value in content["state_dict"].items()
    }
    checkpoints.save(copied.best, {**content, "state_dict": state})
    assert export_command(copied.path, "--format", "safetensors") == 0
    shipped = load_file(copied.exported("safetensors"))
    assert all(torch.equal(shipped[name], tensor) for name, tensor in state.items())


def test_a_run_older_than_an_option_is_exported_with_its_default(copied):
    content = checkpoints.load(copied.best)
    del content["inference"]["config"]["control"]
    checkpoints.save(copied.best, content)
    assert export_command(copied.path, "--format", "safetensors") == 0
    image = np.full((8, 8, 3), 90, np.uint8)
    loaded = load_models([copied.exported("safetensors")], "cpu")
    assert np.array_equal(loaded.probabilities(image), load_predictor(copied, "cpu").probabilities(image))


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["onnx", "safetensors"])
def test_a_file_that_is_there_stays_unless_it_is_to_be_overwritten(copied, line, format):
    path = copied.exported(format)
    path.write_bytes(b"mine")
    assert export_command(copied.path, "--format", format) == 2
    assert "is already there; --overwrite replaces it" in line()
    assert path.read_bytes() == b"mine"


def test_overwrite_replaces_the_file(copied):
    copied.exported("safetensors").write_bytes(b"mine")
    assert export_command(copied.path, "--format", "safetensors", "--overwrite") == 0
    assert load_file(copied.exported("safetensors"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--format", "safetensor"], "did you mean 'safetensors'?"),
        (["-o", "a.pt"], "a.pt: must end in .onnx"),
        (["--format", "safetensors", "-o", "a.onnx"], "a.onnx: must end in .safetensors"),
        (["--fromat", "onnx"], "did you mean '--format'?"),
    ],
)
def test_a_wrong_word_is_one_plain_line_and_writes_nothing(
    copied, tmp_path, monkeypatch, line, words, expected
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert export_command(copied.path, *words) == 2
    assert expected in line()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_a_run_is_one_plain_line(tmp_path, line):
    assert export_command(tmp_path) == 2
    assert "no run here" in line()


@pytest.mark.parametrize("content", [{"state_dict": {}}, {"state_dict": {}, "inference": {"config": {}}}])
def test_a_checkpoint_of_another_tool_is_one_plain_line(copied, line, content):
    checkpoints.save(copied.best, content)
    assert export_command(copied.path) == 1
    assert "is not a checkpoint of unetseg's" in line()


def test_a_damaged_checkpoint_is_one_plain_line(copied, line):
    copied.best.write_bytes(copied.best.read_bytes()[:1000])
    assert export_command(copied.path, "--format", "safetensors") == 1
    assert "best.ckpt: is damaged" in line()


def test_a_place_that_cannot_be_written_is_one_plain_line(copied, line):
    target = copied.config_file / "model.safetensors"
    assert export_command(copied.path, "--format", "safetensors", "-o", target) == 1
    assert "cannot be written" in line()
