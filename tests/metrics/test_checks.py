"""What is refused, and that the message says which argument and why."""

import numpy as np
import pytest

from unetseg.metrics import binary_scores, mask_pair, multiclass_scores

MASK = np.zeros((8, 10), bool)
MASK[2:5, 2:6] = True


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prediction": MASK[:, :-1]}, r"prediction has shape \(8, 9\).*\(8, 10\)"),
        (
            {"ground_truth": MASK[None]},
            r"ground_truth must be a non-empty H×W array, not of shape \(1, 8, 10\)",
        ),
        ({"ground_truth": MASK[:0]}, "ground_truth must be a non-empty"),
        ({"prediction": MASK.astype(float)}, "prediction must be boolean.*float64"),
        ({"prediction": MASK.astype(np.uint8) * 255}, "prediction must hold 0 and 1 only, but holds 255"),
        ({"ground_truth": -MASK.astype(int)}, "ground_truth must hold 0 and 1 only, but holds -1"),
        ({"valid": MASK.T}, "valid has shape"),
        ({"spacing": (1, 0)}, "spacing must be a finite number above 0, not 0"),
        ({"spacing": 1.0}, "spacing must be two numbers"),
        ({"tolerance": -1}, "tolerance must be"),
        ({"tolerance": float("nan")}, "tolerance must be"),
        ({"trimap_width": 0}, "trimap_width must be"),
        ({"boundary_width": 0}, "boundary_width must be a whole number"),
        ({"boundary_width": 1.5}, "boundary_width must be a whole number"),
        ({"edge_radius": -2}, "edge_radius must be"),
        ({"metrics": ["hd96"]}, "unknown 'hd96'; did you mean 'hd95'"),
        ({"metrics": "iou"}, "metrics must be a collection"),
        ({"ground_truth_instances": MASK}, "ground_truth_instances must hold integers, not bool"),
        ({"ground_truth_instances": -MASK.astype(int)}, "ground_truth_instances must not be negative"),
        (
            {"prediction_instances": np.ones((8, 10), int)},
            "prediction_instances must be positive exactly where",
        ),
    ],
)
def test_a_wrong_argument_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        binary_scores(**{"prediction": MASK, "ground_truth": MASK, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prediction": MASK * 3}, "prediction holds 3, but there are only the classes 0 to 2"),
        ({"ground_truth": MASK * 255}, "ground_truth holds 255"),
        ({"ground_truth": MASK * 1.0}, "ground_truth must hold integers"),
        ({"classes": ["background"]}, "classes must name"),
        ({"classes": ["background", "cat", "cat"]}, "different names"),
        ({"classes": ["background", "mean"]}, "must not hold 'mean'"),
        ({"metrics": ["cat"]}, "unknown 'cat'"),
    ],
)
def test_a_wrong_class_map_is_named(changes, message):
    arguments = {"prediction": MASK * 1, "ground_truth": MASK * 2, "classes": ["background", "cat", "dog"]}
    with pytest.raises(ValueError, match=message):
        multiclass_scores(**{**arguments, **changes})


def test_a_pair_is_cropped_to_where_anything_is():
    pair = mask_pair(MASK, MASK)
    assert pair.ground_truth.shape == (5, 6)  # one pixel of background round the object
    assert pair.shape == (8, 10)
