"""The numbers of a real study, once more from its results.csv, by other means than the package's."""

import numpy as np
import pytest
from scipy import stats

ARMS = ("off", "rates")  # the twin shares the reference's runs and is no comparison


def anova(values):
    """Mean squares of a two-way layout without replication, written out cell by cell."""
    seeds, images = len(values), len(values[0])
    cells = [(s, i) for s in range(seeds) for i in range(images)]
    grand = sum(values[s][i] for s, i in cells) / len(cells)
    by_seed = [sum(values[s]) / images for s in range(seeds)]
    by_image = [sum(values[s][i] for s in range(seeds)) / seeds for i in range(images)]
    seed = sum((by_seed[s] - grand) ** 2 for s, _ in cells) / (seeds - 1)
    image = sum((by_image[i] - grand) ** 2 for _, i in cells) / (images - 1)
    rest = sum((values[s][i] - by_seed[s] - by_image[i] + grand) ** 2 for s, i in cells)
    return grand, seed, image, rest / ((seeds - 1) * (images - 1))


def expected(values):
    """Mean, standard error, interval and p-value of crossed random effects."""
    seeds, images = np.shape(values)
    mean, seed, image, rest = anova(values)
    total = max(seed + image - rest, seed, image)
    terms = seed**2 / (seeds - 1) + image**2 / (images - 1) + rest**2 / ((seeds - 1) * (images - 1))
    freedom = max(total**2 / terms, min(seeds, images) - 1)
    error = np.sqrt(total / (seeds * images))
    half = stats.t.ppf(0.975, freedom) * error
    return mean, error, mean - half, mean + half, 2 * stats.t.sf(abs(mean) / error, freedom)


def as_numbers(difference):
    return tuple(difference[key] for key in ("mean", "standard_error", "low", "high", "p"))


@pytest.mark.parametrize("key", ["iou", "boundary_iou", "assd", "train_loss"])
@pytest.mark.parametrize("arm", ARMS)
def test_differences_of_image_means(study, key, arm):
    values = np.subtract(study.rows(key, arm), study.rows(key, "on"))
    assert np.isfinite(values).all()
    found = study.metric(key)["arms"][arm]["difference"]
    assert as_numbers(found) == pytest.approx(expected(values.tolist()), rel=1e-9)


def influence_by_derivative(numerator, denominator):
    """Per-image values of a ratio of sums: the ratio, and the images' pull on it by finite differences."""
    numerator, denominator = np.array(numerator), np.array(denominator)
    ratio = numerator.sum() / denominator.sum()
    step = 1e-6
    pulls = []
    for image in range(len(numerator)):
        weights = np.ones(len(numerator))
        weights[image] += step
        pulls.append(((weights @ numerator) / (weights @ denominator) - ratio) / step)
    return ratio + len(numerator) * np.array(pulls)


@pytest.mark.parametrize("arm", ARMS)
def test_difference_of_the_dataset_iou(study, arm):
    by_arm = {}
    for name in (arm, "on"):
        tp, fp, fn = (np.array(study.rows(key, name)) for key in ("tp", "fp", "fn"))
        by_arm[name] = [influence_by_derivative(*counts) for counts in zip(tp, tp + fp + fn, strict=True)]
        ratios = tp.sum(axis=1) / (tp + fp + fn).sum(axis=1)
        own = study.metric("dataset_iou")["arms"][name]["estimate"]
        assert own["mean"] == pytest.approx(ratios.mean())
    values = np.subtract(by_arm[arm], by_arm["on"])
    found = study.metric("dataset_iou")["arms"][arm]["difference"]
    assert as_numbers(found) == pytest.approx(expected(values.tolist()), rel=1e-4, abs=1e-7)


def test_recall_by_width_is_pooled_over_images(study):
    hits, pixels = (
        np.sum(study.rows(f"thickness_over_8_{what}", "off"), axis=1) for what in ("hits", "pixels")
    )
    metric = study.metric("recall_over_8")
    assert metric["arms"]["off"]["estimate"]["mean"] == pytest.approx(np.mean(hits / pixels))
    assert metric["note"] == f"{pixels[0]:.0f} skeleton pixels in 3 images"


def test_strata_that_hold_nothing_are_left_out(study):
    assert not np.any(study.rows("thickness_1_2_pixels", "on"))
    assert "recall_1_2" not in {metric["key"] for metric in study.summary["metrics"]}


def test_p_values_are_adjusted_for_the_arms_that_were_trained(study):
    for metric in study.summary["metrics"]:
        raw = sorted(metric["arms"][arm]["difference"]["p"] for arm in ARMS)
        stepped = {raw[0]: min(2 * raw[0], 1.0)}
        stepped[raw[1]] = max(stepped[raw[0]], raw[1])
        for arm in ARMS:
            judgement = metric["arms"][arm]["judgement"]
            assert judgement["p_adjusted"] == pytest.approx(stepped[metric["arms"][arm]["difference"]["p"]])
            assert judgement["comparisons"] == 2


def test_the_margin_counts_for_scores_and_not_for_distances(study):
    for metric in study.summary["metrics"]:
        in_unit = metric["unit"] == "" and metric["key"] != "train_loss"
        assert metric["margin"] == (0.01 if in_unit else None)
        assert (metric["arms"]["off"]["judgement"]["p_equivalence"] is None) == (not in_unit)


def test_the_contrast_is_the_difference_of_both_differences_in_each_image(study):
    gaps = {
        key: np.subtract(study.rows(key, "off"), study.rows(key, "on")) for key in ("boundary_iou", "iou")
    }
    (contrast,) = study.summary["contrasts"]
    values = gaps["boundary_iou"] - gaps["iou"]
    found = contrast["arms"]["off"]["difference"]
    assert as_numbers(found) == pytest.approx(expected(values.tolist()), rel=1e-9)
    assert "Boundary IoU" in contrast["arms"]["off"]["sentence"] and "twin" not in contrast["arms"]
