"""The numbers of a real study, once more from its results.csv, by other means than the package's."""

import numpy as np
import pytest
from scipy import stats

ARMS_COMPARED = ("off", "rates")  # the twin shares the reference's runs and is no comparison


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


def expected(arm, baseline):
    """Mean, standard error, degrees of freedom and p-value: seeds unpaired, images paired."""
    seeds, images = np.shape(arm)
    squares = [anova(values) for values in (arm, baseline)]
    paired = np.mean(arm, axis=0) - np.mean(baseline, axis=0)
    of_images = seeds * np.sum((paired - paired.mean()) ** 2) / (images - 1)
    total = max(sum(seed - rest for _, seed, _, rest in squares), 0) + of_images
    terms = sum(seed**2 for _, seed, _, _ in squares) / (seeds - 1) + of_images**2 / (images - 1)
    freedom = min(max(total**2 / terms, min(seeds, images) - 1), 6 * (seeds - 1))
    error = np.sqrt(total / (seeds * images))
    mean = squares[0][0] - squares[1][0]
    return mean, error, freedom, 2 * stats.t.sf(abs(mean) / error, freedom)


def as_numbers(difference):
    return tuple(difference[key] for key in ("mean", "standard_error", "degrees_of_freedom", "p"))


@pytest.mark.parametrize("key", ["iou", "boundary_iou", "assd", "train_loss"])
def test_differences_of_image_means(three, key):
    scores = three.metric(key)["arms"]
    found = any(scores[arm]["judgement"]["p_adjusted"] < 0.05 for arm in ARMS_COMPARED)
    for arm in ARMS_COMPARED:
        difference = scores[arm]["difference"]
        mean, error, freedom, p = expected(three.rows(key, arm), three.rows(key, "on"))
        assert as_numbers(difference) == pytest.approx((mean, error, freedom, p), rel=1e-9)
        if not found:  # both arms have Bonferroni's interval, inside what the metric can be
            half = stats.t.isf(0.05 / 2 / 2, freedom) * error
            most = 1 if "iou" in key else np.inf
            ends = (max(mean - half, -most), min(mean + half, most))
            assert (difference["low"], difference["high"]) == pytest.approx(ends, rel=1e-9)


def test_with_two_seeds_numbers_are_the_t_test_over_images(study):
    found = study.metric("iou")["arms"]["off"]["difference"]
    off, on = (np.mean(study.rows("iou", arm), axis=0) for arm in ("off", "on"))
    test = stats.ttest_rel(off, on)
    assert (found["p"], found["degrees_of_freedom"]) == pytest.approx((test.pvalue, 2))
    assert study.metric("iou")["arms"]["off"]["judgement"]["verdict"] == "for these nets only"


@pytest.mark.parametrize("key", ["iou", "assd", "train_loss"])
def test_an_interval_excludes_zero_exactly_where_a_difference_is_claimed(three, key):
    for arm in ARMS_COMPARED:
        score = three.metric(key)["arms"][arm]
        excludes = score["difference"]["low"] > 0 or score["difference"]["high"] < 0
        assert excludes == (score["judgement"]["verdict"] in ("better", "worse"))


def pseudo_values(numerator, denominator):
    """Per-image values of a ratio of sums: what leaving out each image does to it, about the ratio itself."""
    numerator, denominator = np.array(numerator), np.array(denominator)
    count, ratio = len(numerator), numerator.sum() / denominator.sum()
    without = (numerator.sum() - numerator) / (denominator.sum() - denominator)
    values = count * ratio - (count - 1) * without
    return values - values.mean() + ratio


@pytest.mark.parametrize("arm", ARMS_COMPARED)
def test_difference_of_the_dataset_iou(three, arm):
    by_arm = {}
    for name in (arm, "on"):
        tp, fp, fn = (np.array(three.rows(key, name)) for key in ("tp", "fp", "fn"))
        by_arm[name] = [pseudo_values(*counts) for counts in zip(tp, tp + fp + fn, strict=True)]
        ratios = tp.sum(axis=1) / (tp + fp + fn).sum(axis=1)
        own = three.metric("dataset_iou")["arms"][name]["estimate"]
        assert own["mean"] == pytest.approx(ratios.mean())
    score = three.metric("dataset_iou")["arms"][arm]
    assert score["difference"]["mean"] == pytest.approx(np.mean(by_arm[arm]) - np.mean(by_arm["on"]))
    assert score["difference"]["low"] is score["difference"]["standard_error"] is None  # 3 images are too few
    assert score["judgement"]["verdict"] == "not decidable"


def test_what_is_found_of_a_size_is_pooled_over_images(study):
    found, objects = (
        np.sum(study.rows(f"size_small_{what}", "off"), axis=1) for what in ("found", "objects")
    )
    metric = study.metric("found_small")
    assert metric["arms"]["off"]["estimate"]["mean"] == pytest.approx(np.mean(found / objects))
    images = np.count_nonzero(study.rows("size_small_objects", "off")[0])
    assert metric["note"] == f"{objects[0]:.0f} objects in {images} images"


def test_discs_have_no_widths(study):
    assert np.any(study.rows("thickness_over_8_pixels", "on"))
    assert "thickness" not in {metric["group"] for metric in study.summary["metrics"]}


def test_p_values_are_adjusted_for_the_arms_that_were_trained(study):
    for metric in study.summary["metrics"]:
        raw = sorted(metric["arms"][arm]["difference"]["p"] for arm in ARMS_COMPARED)
        stepped = {raw[0]: min(2 * raw[0], 1.0)}
        stepped[raw[1]] = max(stepped[raw[0]], raw[1])
        for arm in ARMS_COMPARED:
            judgement = metric["arms"][arm]["judgement"]
            assert judgement["p_adjusted"] == pytest.approx(stepped[metric["arms"][arm]["difference"]["p"]])
            assert judgement["comparisons"] == 2


def test_the_margin_counts_for_scores_and_not_for_distances(study):
    for metric in study.summary["metrics"]:
        in_unit = metric["unit"] == "" and metric["key"] != "train_loss"
        assert metric["margin"] == (0.01 if in_unit else None)
        assert (metric["arms"]["off"]["judgement"]["p_equivalence"] is None) == (not in_unit)


def test_the_contrast_is_between_what_both_metrics_of_each_net_are_apart(three):
    gaps = {
        arm: np.subtract(three.rows("boundary_iou", arm), three.rows("iou", arm)).tolist()
        for arm in ("off", "on")
    }
    (contrast,) = three.summary["contrasts"]
    found = contrast["arms"]["off"]["difference"]
    assert as_numbers(found) == pytest.approx(expected(gaps["off"], gaps["on"]), rel=1e-9)
    assert "Boundary IoU" in contrast["arms"]["off"]["sentence"] and "twin" not in contrast["arms"]
