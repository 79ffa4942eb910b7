"""Runs of random weights, written in no time, and ``unetseg predict`` in a fresh folder."""

import csv
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from unetseg.cli import main
from unetseg.config import RunConfig
from unetseg.inference.loading import load_predictor
from unetseg.inference.predictor import Predictor
from unetseg.models.unet import build_model
from unetseg.runs import Run
from unetseg.training import checkpoints

CLASSES = ["background", "cell", "nerve"]
COLOURS = [[0, 0, 0], [250, 20, 30], [40, 150, 60]]


def balance(model: torch.nn.Module) -> None:
    """Let batch norms see images, and bring the logits where every class wins somewhere, mostly for sure."""
    coarse = torch.randn(4, 3, 7, 9, generator=torch.Generator().manual_seed(1))
    images = torch.nn.functional.interpolate(coarse, (96, 96), mode="bicubic")
    with torch.no_grad():
        for _ in range(3):
            model.train()(images)
        head = model.segmentation_head[0]
        logits = model.eval()(images).transpose(0, 1).flatten(1)
        factor = 3 / logits.std(dim=1)
        head.weight *= factor[:, None, None, None]
        head.bias -= logits.median(dim=1).values
        head.bias *= factor


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Write a run as ``fit`` leaves it, without training: ``make_run(classes=3, scale="longest:32")``."""

    def make(classes: int = 2, scale: str = "native", **settings: Any) -> Run:
        config = RunConfig(**{"stages": 2, "precision": "float32", **settings})
        model = build_model(config, 1 if classes == 2 else classes)
        balance(model)
        inference = {
            "config": asdict(config),
            "classes": CLASSES[:classes],
            "colours": COLOURS[:classes],
            "preprocessing": {"scale": scale, "mean": [0.5] * 3, "deviation": [0.25] * 3},
        }
        run = Run(tmp_path_factory.mktemp("run"))
        run.config_file.write_text(config.to_yaml())
        checkpoints.save(run.best, {"state_dict": model.state_dict(), "inference": inference})
        return run

    return make


@pytest.fixture(scope="session")
def run(make_run: Callable[..., Run]) -> Run:
    """Two classes at native scale, float32."""
    return make_run()


@pytest.fixture(scope="session")
def predictor(run: Run) -> Predictor:
    return load_predictor(run, "cpu")


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one plain line on standard error."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        return lines[0]

    @property
    def failed(self) -> list[str]:
        """The lines that name an image without a mask."""
        return [line for line in self.err.splitlines() if line.startswith("failed: ")]


@pytest.fixture
def predict(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run ``unetseg predict images -o masks`` in a fresh folder, with other words where they are given."""
    monkeypatch.chdir(tmp_path)

    def command(
        *flags: str, images: tuple[str, ...] = ("images",), out: str = "masks", runs: tuple[Run, ...] = (run,)
    ) -> Outcome:
        named = [word for each in runs for word in ("--run", str(getattr(each, "path", each)))]
        code = main(["predict", *images, "-o", out, *named, *flags])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Outcome(code, captured.out, captured.err)

    return command


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The folder that ``predict`` reads."""
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


@pytest.fixture(scope="session")
def picture() -> Callable[..., np.ndarray]:
    """Draw a coarse random picture, height×width×3 uint8, that differs with its seed."""

    def draw(height: int, width: int, seed: int = 0) -> np.ndarray:
        coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
        return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))

    return draw


@pytest.fixture(scope="session")
def read() -> Callable[[Path | str], np.ndarray]:
    """Read the values of a mask."""

    def values(path: Path | str) -> np.ndarray:
        with Image.open(path) as image:
            return np.array(image)

    return values


@pytest.fixture(scope="session")
def table() -> Callable[..., dict[str, dict[str, str]]]:
    """Read ``predictions.csv``: rows by file."""

    def rows(folder: str = "masks") -> dict[str, dict[str, str]]:
        path = Path(folder, "predictions.csv")
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return {row["file"]: row for row in csv.DictReader(file)}

    return rows


@pytest.fixture(scope="session")
def files() -> Callable[[Path | str], dict[str, str]]:
    """Return every file below a folder, hidden ones too, with a hash of its content."""

    def hashes(folder: Path | str) -> dict[str, str]:
        found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}

    return hashes


@pytest.fixture
def untouched(
    images: Path, files: Callable[[Path], dict[str, str]]
) -> Callable[[], AbstractContextManager[None]]:
    """Hold that a block changes nothing in ``images``."""

    @contextmanager
    def block() -> Iterator[None]:
        before = files(images)
        yield
        assert files(images) == before

    return block
