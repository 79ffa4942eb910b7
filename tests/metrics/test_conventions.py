"""Where libraries differ by convention: their value, ours, and why."""

import cv2
import numpy as np
import pytest
import torch
from medpy.metric import binary as medpy
from monai.metrics import (
    HausdorffDistanceMetric,
    compute_average_surface_distance,
    compute_iou,
    compute_panoptic_quality,
    compute_surface_dice,
)
from scipy.ndimage import distance_transform_edt
from skimage import metrics
from torchmetrics.classification import MulticlassJaccardIndex

from unetseg.metrics import average_scores, binary_scores, image_diagonal, multiclass_scores
from unetseg.metrics.geometry import distance_map

SQUARE = np.zeros((20, 30), bool)
SQUARE[5:15, 5:15] = True
EMPTY = np.zeros_like(SQUARE)


def tensor(mask):
    return torch.from_numpy(mask)[None, None].float()


def test_medpys_hd95_pools_both_directions_and_ours_takes_the_worse():
    # Of 100 border pixels, the 6 of a false bar are far off. Ours asks the prediction's own border, where
    # the bar is over 5 %; MedPy asks both borders at once, where it is under.
    ground_truth = np.zeros((60, 60), bool)
    ground_truth[10:34, 10:34] = True  # a border of 92 pixels
    prediction = ground_truth.copy()
    prediction[50, 10:16] = True
    assert medpy.hd95(prediction, ground_truth, connectivity=1) == 0
    assert binary_scores(prediction, ground_truth)["hd95"] == 17


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


@pytest.mark.filterwarnings("ignore:invalid value")
def test_medpys_dice_of_two_empty_masks_is_no_number_and_ours_is_1():
    assert np.isnan(medpy.dc(EMPTY, EMPTY))
    assert binary_scores(EMPTY, EMPTY)["dice"] == 1


def monai_mean_hd95(*predictions):
    metric = HausdorffDistanceMetric(include_background=True, percentile=95)
    for prediction in predictions:
        metric(tensor(prediction), tensor(SQUARE))
    return metric.aggregate().item()


def our_mean_hd95(*predictions):
    scores = [binary_scores(prediction, SQUARE) for prediction in predictions]
    return average_scores(scores, [image_diagonal(SQUARE.shape)] * len(scores)).image["hd95"]


@pytest.mark.filterwarnings("ignore:the prediction of class . is all 0")
def test_monai_drops_a_missed_image_from_the_mean_of_hd95_and_ours_counts_its_diagonal():
    diagonal = image_diagonal(SQUARE.shape)
    assert monai_mean_hd95(SQUARE, EMPTY) == 0  # as if both images were perfect
    assert our_mean_hd95(SQUARE, EMPTY).mean == pytest.approx(diagonal / 2)
    assert our_mean_hd95(SQUARE, EMPTY).missed == 1


@pytest.mark.filterwarnings("ignore:the prediction of class . is all 0")
def test_a_model_that_predicts_nothing_is_perfect_by_monais_mean_hd95_and_the_worst_by_ours():
    shifted = np.roll(SQUARE, 2, axis=1)
    assert monai_mean_hd95(EMPTY, EMPTY) == 0 < monai_mean_hd95(shifted, shifted) == 2
    assert our_mean_hd95(EMPTY, EMPTY).mean > our_mean_hd95(shifted, shifted).mean == 2


def test_monai_leaves_an_image_without_an_object_out_of_the_mean_iou_and_ours_counts_it():
    # By default its IoU is no number there, be the prediction empty or wrong.
    for prediction, ours in ((EMPTY, 1), (SQUARE, 0)):
        assert np.isnan(compute_iou(tensor(prediction), tensor(EMPTY)).item())
        assert compute_iou(tensor(prediction), tensor(EMPTY), ignore_empty=False).item() == ours
        assert binary_scores(prediction, EMPTY)["iou"] == ours


@pytest.mark.filterwarnings("ignore:the ")
def test_monais_nsd_and_pq_of_two_empty_masks_are_no_number_and_0_and_ours_1_and_no_number():
    assert np.isnan(compute_surface_dice(tensor(EMPTY), tensor(EMPTY), [2.0], include_background=True).item())
    labels = torch.zeros(20, 30, dtype=torch.int64)
    assert compute_panoptic_quality(labels, labels).item() == 0
    found = binary_scores(EMPTY, EMPTY)
    assert found["nsd"] == 1 and np.isnan(found["pq"])


def test_monais_average_distance_is_one_sided_by_default_and_ours_is_symmetric():
    smaller = EMPTY.copy()
    smaller[5:15, 5:10] = True
    batch = tensor(smaller), tensor(SQUARE)
    assert compute_average_surface_distance(*batch, include_background=True).item() == pytest.approx(20 / 26)
    # The smaller one's 26 border pixels are 20 away in all, the square's 36 are 70.
    assert binary_scores(smaller, SQUARE)["assd"] == pytest.approx((20 + 70) / (26 + 36))


def test_torchmetrics_counts_a_class_that_is_in_neither_map_as_0_and_ours_leaves_it_out():
    maps = np.zeros((20, 30), np.int64) + SQUARE
    jaccard = MulticlassJaccardIndex(3, average=None)
    assert jaccard(torch.from_numpy(maps), torch.from_numpy(maps)).tolist() == [1, 1, 0]
    found = multiclass_scores(maps, maps, classes=["background", "square", "ring"])
    assert found["mean"]["iou"] == 1


def test_scikit_images_hausdorff_distance_takes_points_and_ours_takes_borders():
    hollow = SQUARE.copy()
    hollow[7:13, 7:13] = False
    # Between all pixels, the middle of the hole is 3 from the ring. Between borders, the hole's rim is
    # nearest to the outline it lies inside of.
    assert metrics.hausdorff_distance(hollow, SQUARE) == 3
    assert binary_scores(hollow, SQUARE)["hd"] == 1


def test_scipy_measures_to_a_phantom_point_where_there_is_no_target_and_ours_is_infinite():
    assert np.isfinite(distance_transform_edt(~EMPTY)).all()
    assert np.isinf(distance_map(EMPTY).values).all()


def test_opencvs_quick_distances_are_off_by_pixels_and_ours_are_exact():
    far = np.ones((300, 500), np.uint8)
    far[0, 0] = 0
    exact = np.hypot(*np.indices(far.shape))
    quick = cv2.distanceTransform(far, cv2.DIST_L2, cv2.DIST_MASK_5)
    assert np.abs(quick - exact).max() > 1
    np.testing.assert_allclose(distance_map(far == 0).at(far > 0), exact[far > 0], rtol=1e-15)
