"""Models that are damaged are refused, and outputs that are no numbers never become a mask."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from unetseg.cli import main
from unetseg.errors import UnetsegError
from unetseg.inference.loading import load_models
from unetseg.runs import Run
from unetseg.training import checkpoints


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


@pytest.fixture
def trained(trained) -> Run:
    return trained.run


def test_no_bit_of_the_weights_in_a_checkpoint_changes_unseen(trained):
    whole = trained.best.read_bytes()
    with zipfile.ZipFile(trained.best) as parts:
        weights = [part for part in parts.infolist() if "/data/" in part.filename and part.file_size > 8]
    for part in weights[:: max(1, len(weights) // 8)]:
        trained.best.write_bytes(
            flipped(whole, part.header_offset + 30 + len(part.filename) + part.file_size // 2)
        )
        with pytest.raises(UnetsegError, match=r"best\.ckpt: is damaged"):
            checkpoints.load(trained.best)
    trained.best.write_bytes(whole)
    assert checkpoints.load(trained.best)


def test_a_checkpoint_that_would_fill_the_memory_is_not_loaded(tmp_path):
    torch.save({"state_dict": {"a": torch.zeros(1_000_000)}}, tmp_path / "a.ckpt")
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(tmp_path / "a.ckpt") as parts,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as to,
    ):
        for part in parts.infolist():
            to.writestr(part.filename, parts.read(part))
    (tmp_path / "a.ckpt").write_bytes(packed.getvalue())
    with pytest.raises(UnetsegError, match="holds packed parts"):
        checkpoints.load(tmp_path / "a.ckpt")


@pytest.mark.parametrize("format", ["safetensors", "onnx"])
def test_no_bit_of_an_exported_model_changes_unseen(trained, format):
    model = Path(f"model.{format}")
    assert main(["export", str(trained.path), "--format", format, "-o", str(model)]) == 0
    load_models([model], "cpu")
    whole = model.read_bytes()
    for share in (0.2, 0.5, 0.8, 0.99):
        model.write_bytes(flipped(whole, int(len(whole) * share)))
        with pytest.raises(UnetsegError, match=rf"model\.{format}: is (damaged|no )"):
            load_models([model], "cpu")


def test_an_onnx_model_of_another_program_may_have_no_checksum_and_reads_no_other_file(tmp_path):
    onnx = pytest.importorskip("onnx")
    weights = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", "secret.bin"), ("offset", "0"), ("length", "16")):
        weights.external_data.add(key=key, value=value)
    inputs = [onnx.helper.make_tensor_value_info("x", 1, [4])]
    outputs = [onnx.helper.make_tensor_value_info("y", 1, [4])]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "w"], ["y"])], "g", inputs, outputs, [weights]
    )
    (tmp_path / "a.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    with pytest.raises(
        UnetsegError, match=r"a\.onnx: takes its weights from another file, which is not read"
    ):
        load_models([tmp_path / "a.onnx"], "cpu")


@pytest.fixture
def spoilt(trained) -> Run:
    """A run whose weights load and give no numbers."""
    content = checkpoints.load(trained.best)
    for value in content["state_dict"].values():
        if value.is_floating_point():
            value.fill_(torch.nan)
    checkpoints.save(trained.best, content)
    return trained


def test_outputs_that_are_not_finite_are_failed_images_and_no_background(spoilt, discs, capsys):
    code = main(["predict", str(discs / "images"), "-o", "masks", "--run", str(spoilt.path)])
    lines = capsys.readouterr().err.strip().splitlines()
    assert code in (1, 3) and os.listdir("masks") == ["predictions.csv"]
    assert any("not finite" in line and ".png" in line for line in lines)
    assert main(["evaluate", str(spoilt.path)]) == 1
    assert "not finite" in capsys.readouterr().err


def test_predict_follows_no_link_out_of_its_output_folder(trained, discs, tmp_path, capsys):
    (tmp_path / "in/sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png"):
        (tmp_path / "in" / name).write_bytes((discs / "images/test0.png").read_bytes())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/sub").symlink_to(tmp_path / "elsewhere")
    assert main(["predict", "in", "-o", "masks", "--run", str(trained.path)]) == 2
    assert "a link leads from it to" in capsys.readouterr().err
    assert os.listdir(tmp_path / "elsewhere") == [] and os.listdir(tmp_path / "masks") == ["sub"]


def test_an_output_folder_may_be_a_link_itself(trained, discs, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "masks").symlink_to(tmp_path / "real")
    assert main(["predict", str(discs / "images/test0.png"), "-o", "masks", "--run", str(trained.path)]) == 0
    assert "test0.png" in os.listdir(tmp_path / "real")


def test_numbers_that_are_finite_pass(trained, discs):
    (logits,) = load_models([trained], "cpu").logits([np.zeros((40, 40, 3), np.uint8)])
    assert logits.shape == (1, 40, 40) and np.isfinite(logits).all()


@pytest.mark.parametrize("name", ["a.onnx", "a.safetensors"])
def test_an_empty_file_is_called_so(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(UnetsegError, match=r"a\.\w+: is empty; export it again$"):
        load_models([tmp_path / name])
