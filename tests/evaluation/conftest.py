"""Masks drawn by hand, written as files, and scored through the command line."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main


@dataclass
class Outcome:
    code: int
    out: str
    err: str
    json: dict[str, Any]

    @property
    def scores(self) -> dict[str, Any]:
        """Of the only class."""
        (scores,) = self.json["classes"].values()
        return scores


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write masks: ``folder("guess", {"a.png": mask})``; booleans are written as 0 and 255."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, masks: Mapping[str, np.ndarray]) -> str:
        for file, mask in masks.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = mask.astype(np.uint8) * 255 if mask.dtype == np.bool_ else mask
            Image.fromarray(pixels).save(path)
        return name

    return write


@pytest.fixture
def evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run ``unetseg evaluate`` on ``guess`` and ``truth``, or with other words alone."""

    def run(*flags: str, of: tuple[str, ...] = ("--predictions", "guess", "--reference", "truth")) -> Outcome:
        file = tmp_path / "scores.json"
        code = main(["evaluate", *of, "--json", str(file), *flags])
        captured = capsys.readouterr()
        return Outcome(
            code, captured.out, captured.err, json.loads(file.read_text()) if file.is_file() else {}
        )

    return run
