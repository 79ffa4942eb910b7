"""Each metric against its definition by brute force, and against an independent library."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from medpy.metric import binary as medpy
from monai.metrics import (
    compute_average_surface_distance,
    compute_dice,
    compute_hausdorff_distance,
    compute_iou,
    compute_panoptic_quality,
    compute_surface_dice,
    get_confusion_matrix,
)
from scipy import ndimage
from skimage import measure, metrics, morphology

from unetseg.metrics import binary_scores, mask_pair, multiclass_scores
from unetseg.metrics.geometry import distance_map, mutual_distances, near

SPACINGS = st.sampled_from([(1.0, 1.0), (0.5, 0.5), (1.0, 2.0), (0.7, 0.3)])


@st.composite
def masks(draw, shape):
    """Drawn pixel by pixel, or noise of any density; in blocks of 3×3, which have an inside, or not."""
    block = draw(st.sampled_from([1, 3]))
    coarse = tuple(-(-size // block) for size in shape)
    if draw(st.booleans()):
        mask = draw(arrays(np.bool_, coarse))
    else:
        generator = np.random.default_rng(draw(st.integers(0, 10**6)))
        mask = generator.random(coarse) < draw(st.sampled_from([0.02, 0.2, 0.5, 0.8, 0.98]))
    return np.kron(mask, np.ones((block, block), bool))[: shape[0], : shape[1]]


@st.composite
def pairs(draw, filled=False):
    """Two masks up to 24×24, H ≠ W included: independent ones, or one and the same with some pixels wrong."""
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    first, second = draw(masks(shape)), draw(masks(shape))
    if draw(st.booleans()):
        wrong = np.random.default_rng(draw(st.integers(0, 10**6))).random(shape) < 0.05
        second = first ^ wrong
    if filled:
        assume(first.any() and second.any())
    return first, second


def score(key, prediction, ground_truth, **options):
    return binary_scores(prediction, ground_truth, metrics=[key], **options)[key]


def tensor(mask):
    return torch.from_numpy(np.ascontiguousarray(mask))[None, None].float()


def monai_pair(prediction, ground_truth):
    return tensor(prediction), tensor(ground_truth)


def close(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True)


def single(value):  # the library computes in float32
    return pytest.approx(value, rel=1e-5, abs=1e-5)


check = settings(max_examples=50, deadline=None)


@check
@given(pairs())
def test_overlap_is_the_ratio_of_pixel_sets(pair):
    first, second = ({*zip(*np.nonzero(mask), strict=True)} for mask in pair)
    found = binary_scores(*pair, metrics=["iou", "dice", "tp", "fp", "fn"])
    assert found["tp"] == len(first & second)
    assert found["fp"] == len(first - second)
    assert found["fn"] == len(second - first)
    union = len(first | second)
    assert found["iou"] == close(len(first & second) / union if union else 1.0)
    size = len(first) + len(second)
    assert found["dice"] == close(2 * len(first & second) / size if size else 1.0)


@check
@given(pairs(filled=True))
def test_overlap_agrees_with_medpy_and_monai(pair):
    found = binary_scores(*pair, metrics=["iou", "dice", "tp", "fp", "fn"])
    tp, fp, _, fn = get_confusion_matrix(*monai_pair(*pair)).flatten().tolist()
    assert (found["tp"], found["fp"], found["fn"]) == (tp, fp, fn)
    assert found["iou"] == close(medpy.jc(*pair))
    assert found["dice"] == close(medpy.dc(*pair))
    assert found["iou"] == single(compute_iou(*monai_pair(*pair)).item())
    assert found["dice"] == single(compute_dice(*monai_pair(*pair)).item())


@check
@given(pairs(), st.sampled_from([None, 1, 2, 4]))
def test_boundary_iou_agrees_with_brute_force_and_scipy_erosions(brute, pair, width):
    found = score("boundary_iou", *pair, boundary_width=width)
    assert found == close(brute.boundary_iou(*pair, width))
    first, second = (
        mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width or 1) for mask in pair
    )
    assert found == close(medpy.jc(first, second) if (first | second).any() else 1.0)


@check
@given(pairs(), st.sampled_from([None, 0, 1, 3, 2.5]))
def test_boundary_f_agrees_with_brute_force(brute, pair, radius):
    assert score("boundary_f", *pair, edge_radius=radius) == close(brute.boundary_f(*pair, radius))


@check
@given(pairs(filled=True), st.integers(1, 4))
def test_boundary_f_agrees_with_edges_dilated_by_a_disk(pair, radius):
    grown = [np.pad(mask, (0, 1), mode="edge") for mask in pair]
    first, second = (
        (m[:-1, :-1] != m[:-1, 1:]) | (m[:-1, :-1] != m[1:, :-1]) | (m[:-1, :-1] != m[1:, 1:]) for m in grown
    )
    assume(first.any() and second.any())
    disk = morphology.disk(radius)
    precision = (first & ndimage.binary_dilation(second, disk)).sum() / first.sum()
    recall = (second & ndimage.binary_dilation(first, disk)).sum() / second.sum()
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert score("boundary_f", *pair, edge_radius=radius) == close(expected)


@check
@given(pairs(), SPACINGS, st.sampled_from([1.0, 1.5, 3.0]))
def test_trimap_iou_agrees_with_brute_force(brute, pair, spacing, width):
    found = score("trimap_iou", *pair, spacing=spacing, trimap_width=width)
    assert found == close(brute.trimap_iou(*pair, width, spacing))


@check
@given(pairs(filled=True), SPACINGS)
def test_trimap_iou_agrees_with_scipys_transform_from_both_sides(pair, spacing):
    prediction, ground_truth = pair
    assume(not ground_truth.all())
    distance = ndimage.distance_transform_edt(ground_truth, spacing)
    distance += ndimage.distance_transform_edt(~ground_truth, spacing)
    band = distance <= 2
    union = (band & (prediction | ground_truth)).sum()
    assume(union)
    expected = (band & prediction & ground_truth).sum() / union
    assert score("trimap_iou", *pair, spacing=spacing, trimap_width=2.0) == close(expected)


@pytest.mark.parametrize("share", [0.002, 0.01, 0.05, 0.5])  # sparse sets by trees, dense ones by transforms
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 0.7), (1.0, 0.6)])
def test_mutual_distances_are_the_same_however_dense_the_sets(share, spacing):
    first, second = np.random.default_rng(1).random((2, 90, 120)) < share
    forth, back = mutual_distances(first, second, spacing)
    assert forth == close(distance_map(second, spacing).at(first))
    assert forth == close(ndimage.distance_transform_edt(~second, spacing)[first])
    assert back == close(ndimage.distance_transform_edt(~first, spacing)[second])


@pytest.mark.parametrize("radius", [2.5, 9, 26])  # by dilation, and where that is slow, by distances
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.5), (1.0, 0.6)])
def test_near_is_a_disk_round_every_target_pixel_whatever_its_radius(radius, spacing):
    target = np.random.default_rng(0).random((90, 120)) < 0.0005
    expected = ndimage.distance_transform_edt(~target, spacing) <= radius
    assert 0 < expected.sum() < expected.size
    assert np.array_equal(near(target, radius, spacing), expected)


@check
@given(pairs(), SPACINGS)
def test_distances_agree_with_brute_force(brute, pair, spacing):
    found = binary_scores(*pair, spacing=spacing, tolerance=1.4, metrics=["hd", "hd95", "assd", "nsd"])
    assert found["hd"] == close(brute.hd(*pair, spacing))
    assert found["hd95"] == close(brute.hd95(*pair, spacing))
    assert found["assd"] == close(brute.assd(*pair, spacing))
    assert found["nsd"] == close(brute.nsd(*pair, 1.4, spacing))


@check
@given(pairs(filled=True), SPACINGS)
def test_distances_agree_with_monai(pair, spacing):
    found = binary_scores(*pair, spacing=spacing, tolerance=1.45, metrics=["hd", "hd95", "assd", "nsd"])
    batch = monai_pair(*pair)
    options = {"include_background": True, "spacing": list(spacing)}
    assert found["hd"] == single(compute_hausdorff_distance(*batch, **options).item())
    assert found["hd95"] == single(compute_hausdorff_distance(*batch, percentile=95, **options).item())
    assert found["assd"] == single(compute_average_surface_distance(*batch, symmetric=True, **options).item())
    assert found["nsd"] == single(compute_surface_dice(*batch, class_thresholds=[1.45], **options).item())


@check
@given(pairs(filled=True), SPACINGS)
def test_hd_and_assd_agree_with_medpy(pair, spacing):
    found = binary_scores(*pair, spacing=spacing, metrics=["hd", "assd"])
    assert found["hd"] == close(medpy.hd(*pair, voxelspacing=spacing, connectivity=1))
    assert found["assd"] == close(medpy.assd(*pair, voxelspacing=spacing, connectivity=1))


@check
@given(pairs(filled=True))
def test_hd_agrees_with_scikit_image_between_the_borders(pair):
    built = mask_pair(*pair)
    expected = metrics.hausdorff_distance(built.prediction_border, built.ground_truth_border)
    assert score("hd", *pair) == close(expected)


@check
@given(pairs())
def test_skeleton_scores_agree_with_brute_force(brute, pair):
    found = binary_scores(*pair, metrics=["cldice", "skeleton_recall"])
    harmonic, recall = brute.cldice(*pair)
    assert found == {"cldice": close(harmonic), "skeleton_recall": close(recall)}


@check
@given(pairs(filled=True))
def test_skeleton_scores_agree_with_medpys_precision_of_the_skeletons(pair):
    prediction, ground_truth = pair
    precision = medpy.precision(morphology.skeletonize(prediction), ground_truth)
    recall = medpy.precision(morphology.skeletonize(ground_truth), prediction)
    harmonic = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    found = binary_scores(*pair, metrics=["cldice", "skeleton_recall"])
    assert found == {"cldice": close(harmonic), "skeleton_recall": close(recall)}


@check
@given(pairs())
def test_object_scores_agree_with_brute_force(brute, pair):
    found = binary_scores(*pair, metrics=["object_recall", "pq"])
    recall, quality = brute.panoptic(*pair)
    assert found == {"object_recall": close(recall), "pq": close(quality)}


@check
@given(pairs(filled=True), st.booleans())
def test_object_scores_agree_with_monai_on_scikit_images_labels(pair, instances_given):
    prediction, ground_truth = (measure.label(mask, connectivity=2) for mask in pair)
    options = {}
    if instances_given:  # ids need not be consecutive, nor small
        options = {
            "prediction_instances": prediction * 7,
            "ground_truth_instances": ground_truth.astype(np.int64) * 10**12,
        }
    found = binary_scores(*pair, metrics=["object_recall", "pq"], **options)
    tensors = torch.from_numpy(prediction), torch.from_numpy(ground_truth)
    matched = compute_panoptic_quality(*tensors, output_confusion_matrix=True)[0].item()
    assert found["object_recall"] == single(matched / ground_truth.max())
    assert found["pq"] == single(compute_panoptic_quality(*tensors).item())


@check
@given(pairs(), SPACINGS, st.data())
def test_a_field_of_view_counts_what_was_found_on_the_whole_masks(brute, pair, spacing, data):
    valid = data.draw(masks(pair[0].shape))
    found = binary_scores(*pair, valid=valid, spacing=spacing)
    first, second = (mask & valid for mask in pair)
    assert (found["tp"], found["fp"], found["fn"]) == (
        (first & second).sum(),
        (first & ~second).sum(),
        (second & ~first).sum(),
    )
    recall, quality = brute.panoptic(*pair, valid=valid)
    harmonic, skeleton_recall = brute.cldice(*pair, valid=valid)
    expected = {
        "boundary_iou": brute.boundary_iou(*pair, valid=valid),
        "boundary_f": brute.boundary_f(*pair, valid=valid),
        "trimap_iou": brute.trimap_iou(*pair, spacing=spacing, valid=valid),
        "hd": brute.hd(*pair, spacing, valid),
        "hd95": brute.hd95(*pair, spacing, valid),
        "assd": brute.assd(*pair, spacing, valid),
        "nsd": brute.nsd(*pair, 2.0, spacing, valid),
        "cldice": harmonic,
        "skeleton_recall": skeleton_recall,
        "object_recall": recall,
        "pq": quality,
    }
    assert {key: found[key] for key in expected} == {key: close(value) for key, value in expected.items()}


@check
@given(pairs(), st.integers(1, 5), st.integers(1, 5))
def test_background_round_the_image_changes_no_score_of_objects_inside(pair, above, left):
    grown = [np.pad(mask, ((above, 1), (left, 1))) for mask in pair]
    inside = [np.pad(mask, 1) for mask in pair]
    fixed = {"boundary_width": 2, "edge_radius": 2}
    assert binary_scores(*grown, **fixed) == close(binary_scores(*inside, **fixed))


@check
@given(st.data(), st.tuples(st.integers(1, 24), st.integers(1, 24)))
def test_classes_agree_with_monai_and_their_mean_with_its_definition(data, shape):
    labels = arrays(np.uint8, shape, elements=st.integers(0, 3), fill=st.just(0))
    prediction, ground_truth = data.draw(labels), data.draw(labels)
    names = ["background", "first", "second", "third"]
    found = multiclass_scores(prediction, ground_truth, classes=names, metrics=["iou"])
    batch = [
        torch.from_numpy((maps == np.arange(4)[:, None, None])[None]) for maps in (prediction, ground_truth)
    ]
    ious = compute_iou(*batch, include_background=False, ignore_empty=False)[0].tolist()
    only_there = compute_iou(*batch, include_background=False)[
        0
    ].tolist()  # NaN without ground truth, as ours
    assert [found[name]["iou"] for name in names[1:]] == [
        pytest.approx(iou, rel=1e-5, abs=1e-5, nan_ok=True) for iou in only_there
    ]
    present = [iou for index, iou in enumerate(ious, 1) if index in prediction or index in ground_truth]
    assert found["mean"]["iou"] == single(np.mean(present) if present else 1)
