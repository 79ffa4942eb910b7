"""A study whose masks are drawn by hand and scored for real, its page, and a headless Chromium to open it."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from unetseg.evaluation.scoring import ImageMasks, score_masks
from unetseg.evaluation.summary import summarise
from unetseg.metrics import registry
from unetseg.report.gallery.pictures import Case, Gallery, make_gallery
from unetseg.report.html.page import write_page
from unetseg.report.study_figures import image_metrics
from unetseg.report.study_page import study_page
from unetseg.studies.analysis.assemble import Setup, assemble
from unetseg.studies.analysis.question import Question
from unetseg.studies.analysis.results import ArmResult, Candidate, MissingRun, RunResult, StudyResults
from unetseg.studies.analysis.score_matrix import scores_of

SIDE = 48
# How many pixels too wide each arm draws.
ARMS = {"on": 0, "drop": 2, "zero": 1}
NAMES = ("a", "b", "c", "d", "e", "f")


@dataclass
class Drawn:
    """A study and its pictures."""

    results: StudyResults
    gallery: Gallery


def draw_reference(index: int, classes: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for value in range(1, classes):
        middle = 10 * value + 2 * index
        cv2.line(mask, (4, middle % SIDE), (SIDE - 5, (middle + 12) % SIDE), value, 1 + index % 3)
    return mask


def widened(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(mask, np.ones((pixels + 1, pixels + 1), np.uint8))


def _draw_study(
    names: tuple[str, ...] = NAMES,
    arms: dict[str, int] = ARMS,
    classes: tuple[str, ...] = ("background", "thread"),
    seeds: tuple[int, ...] = (0, 1),
    pairs: tuple[tuple[str, str], ...] = (),
    groups: tuple[str | None, ...] | None = None,
    **setup: Any,
) -> Drawn:
    """Draw references, let each arm draw them too wide, and score that as a study."""
    generator = np.random.default_rng(0)
    references = [draw_reference(index, len(classes)) for index in range(len(names))]
    masks: dict[str, list[list[np.ndarray]]] = {}
    for arm, pixels in arms.items():
        masks[arm] = []
        for _ in seeds:
            noise = [(generator.random((SIDE, SIDE)) < 0.02).astype(np.uint8) for _ in names]
            masks[arm].append(
                [np.maximum(widened(mask, pixels), n) for mask, n in zip(references, noise, strict=True)]
            )
    scores = []
    for of_seeds in masks.values():
        runs = []
        for predictions in of_seeds:
            scored = [
                ImageMasks(*each, group=group)
                for *each, group in zip(
                    names, predictions, references, groups or [None] * len(names), strict=True
                )
            ]
            images = [score_masks(pair, classes, registry.scored()) for pair in scored]
            runs.append(scores_of(summarise(images, classes, "test", "f00d"), "run"))
        scores.append(tuple(runs))
    first = next(iter(arms))
    results = assemble(
        [draw_arm(name, seeds) for name in arms],
        scores,
        seeds,
        Question(first, "iou", 0.01, pairs),
        Setup(**{"name": "drawn", "data": "threads", "command": "unetseg ablate drawn", **setup}),
    )
    metrics = image_metrics(results)
    cases = [
        Case(
            name,
            generator.integers(0, 255, (SIDE, SIDE, 3), np.uint8),
            references[index],
            [masks[arm][0][index] for arm in arms],
            [[f"{metric.values[arm][0, index]:.3f}" for metric in metrics] for arm in arms],
        )
        for index, name in enumerate(names)
    ]
    labels = [metric.label for metric in metrics]
    return Drawn(results, make_gallery(cases, list(arms), labels, "in the order of their names"))


def draw_arm(name: str, seeds: tuple[int, ...]) -> ArmResult:
    epochs = tuple({"epoch": n, "train_loss": 1 / n, "val_iou": 1 - 1 / n} for n in (1.0, 2.0, 3.0))
    return ArmResult(
        name=name,
        label=f"With {name}",
        overrides={"skips": name},
        config={"lr": 0.003, "epochs": 3},
        runs=tuple(
            RunResult(seed=seed, path=f"runs/{name}-{seed}", epochs=epochs, seconds=12.0, device="cpu")
            for seed in seeds
        ),
        parameters=12345,
        gmacs=0.52,
        gmacs_size=96,
        chosen={"lr": 0.001},
        candidates=(
            Candidate(values={"lr": 0.001}, validation_iou=0.7),
            Candidate(values={"lr": 0.1}, validation_iou=None),
        ),
    )


@pytest.fixture(scope="session")
def draw_study() -> Callable[..., Drawn]:
    return _draw_study


@pytest.fixture(scope="session")
def study() -> Drawn:
    failures = (MissingRun(arm="self", seed=1, reason="out of memory"),)
    return _draw_study(failures=failures, versions={"torch": "2.10"}, claim="Skips matter.")


@pytest.fixture(scope="session")
def study_file(study: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(study_page(study.results, study.gallery), path)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        reason = "no Chromium here; on Debian: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright: pip install 'unetseg[test]'")
    quiet = ("background-networking", "component-update", "sync", "gpu")
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{what}" for what in quiet)]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=flags)
        yield opened
        opened.close()


@dataclass
class Opened:
    """A page in the browser, and what it did since it was opened."""

    page: Any
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def style(self, selector: str, name: str) -> str:
        """Return a computed style of the first match."""
        script = "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]"
        return self.page.evaluate(script, [selector, name])


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Open a file: ``open_page(path, color_scheme="dark", viewport={"width": 375, "height": 800})``."""
    contexts = []

    def open_(path: Path, **options: Any) -> Opened:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.messages.append(message.text))
        opened.page.on("pageerror", lambda error: opened.messages.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("dialog", lambda dialog: (opened.dialogs.append(dialog.message), dialog.dismiss()))
        opened.page.goto(path.as_uri())
        return opened

    yield open_
    for context in contexts:
        context.close()
