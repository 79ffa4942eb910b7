"""Where libraries differ by convention: their value, ours, and why."""

import warnings

import numpy as np
import pytest
import torch
from medpy.metric import binary as medpy
from skimage import metrics

from unetseg.metrics import average_scores, binary_scores, image_diagonal

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from monai.metrics import HausdorffDistanceMetric, compute_average_surface_distance

SQUARE = np.zeros((20, 30), bool)
SQUARE[5:15, 5:15] = True
EMPTY = np.zeros_like(SQUARE)


def tensor(mask):
    return torch.from_numpy(mask)[None, None].float()


def test_medpys_hd95_pools_both_directions_and_ours_takes_the_worse():
    # Of 100 border pixels, the 6 of a false bar are far off. Ours asks the prediction's own border, where
    # the bar is over 5 %; MedPy asks both borders at once, where it is under.
    reference = np.zeros((60, 60), bool)
    reference[10:34, 10:34] = True  # a border of 92 pixels
    prediction = reference.copy()
    prediction[50, 10:16] = True
    assert medpy.hd95(prediction, reference, connectivity=1) == 0
    assert binary_scores(prediction, reference)["hd95"] == 17


def test_medpys_border_depends_on_its_connectivity_and_ours_is_that_of_4():
    row, column = np.indices((30, 30))
    diamond = np.abs(row - 15) + np.abs(column - 14) < 9
    square = np.zeros((30, 30), bool)
    square[8:22, 8:22] = True
    found = binary_scores(diamond, square)["assd"]
    assert (
        found
        == pytest.approx(medpy.assd(diamond, square, connectivity=1))
        == pytest.approx(1.42255, abs=1e-5)
    )
    assert medpy.assd(diamond, square, connectivity=2) == pytest.approx(1.34523, abs=1e-5)


def test_medpy_raises_on_an_empty_mask_and_ours_is_infinite():
    with pytest.raises(RuntimeError):
        medpy.hd(EMPTY, SQUARE)
    assert binary_scores(EMPTY, SQUARE)["hd"] == np.inf


def test_monai_drops_a_missed_image_from_the_mean_of_hd95_and_ours_counts_its_diagonal():
    metric = HausdorffDistanceMetric(include_background=True, percentile=95)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric(tensor(SQUARE), tensor(SQUARE))
        metric(tensor(EMPTY), tensor(SQUARE))
    assert metric.aggregate().item() == 0  # as if both images were perfect
    scores = [binary_scores(SQUARE, SQUARE), binary_scores(EMPTY, SQUARE)]
    diagonal = image_diagonal(SQUARE.shape)
    ours = average_scores(scores, [diagonal, diagonal]).image["hd95"]
    assert (ours.mean, ours.missed) == (pytest.approx(diagonal / 2), 1)


def test_monais_average_distance_is_one_sided_by_default_and_ours_is_symmetric():
    smaller = EMPTY.copy()
    smaller[5:15, 5:10] = True
    one_sided = compute_average_surface_distance(
        tensor(smaller), tensor(SQUARE), include_background=True
    ).item()
    assert one_sided != pytest.approx(binary_scores(smaller, SQUARE)["assd"], rel=0.05)


def test_scikit_images_hausdorff_distance_takes_points_and_ours_takes_borders():
    hollow = SQUARE.copy()
    hollow[7:13, 7:13] = False
    # Between all pixels, the middle of the hole is 3 from the ring. Between borders, the hole's rim is
    # nearest to the outline it lies inside of.
    assert metrics.hausdorff_distance(hollow, SQUARE) == 3
    assert binary_scores(hollow, SQUARE)["hd"] == 1
