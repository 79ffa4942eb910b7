"""A metric is one entry: with it alone, it is in every table and file."""

import csv
import json
from collections.abc import Iterator
from inspect import signature
from math import inf
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main
from unetseg.errors import UsageError
from unetseg.evaluation.folders import evaluate_masks
from unetseg.metrics import binary_scores, pair_scores, registry
from unetseg.metrics.pair import MaskPair
from unetseg.metrics.registry import EmptyMasks, Metric, registered

SQUARE = np.zeros((12, 16), bool)
SQUARE[3:9, 4:12] = True
NOTHING = np.zeros_like(SQUARE)


@pytest.fixture
def own_metrics() -> Iterator[None]:
    """Forget what a test has registered."""
    before = dict(registry.METRICS)
    yield
    for key in registry.METRICS.keys() - before.keys():
        del registry.METRICS[key]


@pytest.fixture
def planted(own_metrics: None) -> str:
    """Register a metric that only this test knows: how nearly the two areas are of one size."""

    @registered(Metric("area_match", "match of areas", "overlap", empty=EmptyMasks.OVERLAP))
    def area_match(pair: MaskPair) -> float:
        areas = pair.count(pair.prediction), pair.count(pair.ground_truth)
        return min(areas) / max(areas)

    return "area_match"


@pytest.fixture
def masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a square in ``truth``, half of it in ``half``, all of it in ``whole``, each in three images."""
    monkeypatch.chdir(tmp_path)
    half = SQUARE.copy()
    half[:, 8:] = False
    for folder, mask in {"truth": SQUARE, "whole": SQUARE, "half": half}.items():
        Path(folder).mkdir()
        for name in ("a", "b", "c"):
            Image.fromarray(mask.astype(np.uint8) * 255).save(f"{folder}/{name}.png")


@pytest.mark.usefixtures("masks")
def test_a_metric_that_only_the_test_knows_is_in_the_table_of_evaluate(planted, capsys):
    assert main(["evaluate", "--predictions", "half", "--reference", "truth", "--json", "scores.json"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "match of areas" in line]
    assert "0.500" in line
    scores = json.loads(Path("scores.json").read_text())
    assert scores["classes"]["foreground"]["image"][planted]["mean"] == 0.5
    assert {row[planted] for row in scores["rows"]} == {0.5}


def test_a_metric_that_only_the_test_knows_is_in_the_help(planted, capsys):
    assert main(["compare", "--help"]) == 0
    assert f", {planted}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("masks")
def test_a_metric_that_only_the_test_knows_is_in_what_compare_writes(planted):
    command = ["compare", "whole", "half", "--reference", "truth", "-o", "out", "--primary", planted]
    assert main(command) == 0
    with open("out/results.csv", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [(row["arm"], row["image"], float(row[planted])) for row in rows] == [
        *(("whole", name, 1.0) for name in "abc"),
        *(("half", name, 0.5) for name in "abc"),
    ]
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "Match of areas" in page  # heads a row and a figure
    assert "match of areas changes by −0.500" in page


@pytest.mark.usefixtures("masks", "own_metrics")
def test_a_metric_of_another_module_is_computed_in_other_processes_too(tmp_path, monkeypatch):
    (tmp_path / "own_metric.py").write_text(
        "from unetseg.metrics.registry import Metric, registered\n\n"
        "@registered(Metric('rows', 'rows of the prediction', 'structure', highest=100))\n"
        "def rows(pair):\n    return pair.prediction.any(axis=1).sum()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    __import__("own_metric")
    evaluation, _ = evaluate_masks("half", "truth", workers=2)
    assert [row["rows"] for row in evaluation.rows] == [6, 6, 6]


def test_a_key_is_registered_once():
    with pytest.raises(ValueError, match="there is a metric 'iou' already"):
        registry.register(Metric("iou", "another", "overlap"))


@pytest.mark.parametrize(
    ("empty", "both", "one"),
    [(EmptyMasks.OVERLAP, 1, 0), (EmptyMasks.DISTANCE, 0, inf)],
)
@pytest.mark.usefixtures("own_metrics")
def test_the_rule_for_empty_masks_comes_before_the_function(empty, both, one):
    @registered(Metric("fragile", "fragile", "overlap", empty=empty))
    def fragile(pair: MaskPair) -> float:
        return 1 / pair.count(pair.prediction & pair.ground_truth)

    cases = {both: (NOTHING, NOTHING), one: (NOTHING, SQUARE), 1 / 48: (SQUARE, SQUARE)}
    for score, pair in cases.items():
        assert binary_scores(*pair, metrics=["fragile"]) == {"fragile": score}


def test_every_record_names_what_there_is():
    columns = {each.key for each in registry.scored()}
    options = signature(pair_scores).parameters
    for each in registry.METRICS.values():
        assert each.group in registry.GROUPS
        assert not each.option or each.option in options
        assert {each.dataset_of, each.contrast_with} <= {*columns, ""}
        assert bool(each.numerator) == bool(each.denominator)
        assert each.group != "overlap" or {*each.numerator, *each.denominator} <= columns
        assert (
            each.can_be_infinite == (each.unit == "px") == (each.group == "boundary" and each.highest == inf)
        )


def test_the_columns_of_an_image_keep_their_order():
    assert [each.key for each in registry.scored()] == [
        *("iou", "dice", "boundary_iou", "boundary_f", "trimap_iou", "hd", "hd95", "assd", "nsd"),
        *("nsd_length", "cldice", "skeleton_recall", "object_recall", "pq"),
        *("split_recall", "centre_recall", "centre_precision", "tp", "fp", "fn"),
    ]


def test_a_wrong_metric_is_answered_by_the_nearest_or_by_all():
    with pytest.raises(UsageError, match=r"no such metric; did you mean 'hd95'\?"):
        registry.find_metric("hd9", "no such metric")
    with pytest.raises(UsageError, match=r"no such metric; choose from dataset_iou, .*, train_loss$"):
        registry.find_metric("zzz", "no such metric")
    with pytest.raises(UsageError):
        registry.find_metric("tp", "a count is no metric")


def test_the_help_of_compare_names_the_metric_that_decides_if_nobody_says(capsys):
    main(["compare", "--help"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "--primary" in line]
    assert f"[{registry.PRIMARY}, or" in line
