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
        ({"reference": MASK[None]}, r"reference must be a non-empty H×W array, not of shape \(1, 8, 10\)"),
        ({"reference": MASK[:0]}, "reference must be a non-empty"),
        ({"prediction": MASK.astype(float)}, "prediction must be boolean.*float64"),
        ({"prediction": MASK.astype(np.uint8) * 255}, "prediction must hold 0 and 1 only, but holds 255"),
        ({"reference": -MASK.astype(int)}, "reference must hold 0 and 1 only, but holds -1"),
        ({"valid": MASK.T}, "valid has shape"),
        ({"spacing": (1, 0)}, "spacing must be a finite number above 0, not 0"),
        ({"spacing": 1.0}, "spacing must be two numbers"),
        ({"tolerance": -1}, "tolerance must be"),
        ({"tolerance": float("nan")}, "tolerance must be"),
        ({"trimap_width": 0}, "trimap_width must be"),
        ({"boundary_width": 0}, "boundary_width must be a whole number"),
        ({"boundary_width": 1.5}, "boundary_width must be a whole number"),
        ({"edge_radius": -2}, "edge_radius must be"),
        ({"keys": ["hd96"]}, "unknown 'hd96'; did you mean 'hd95'"),
        ({"keys": "iou"}, "keys must be a collection"),
        ({"reference_instances": MASK}, "reference_instances must hold integers, not bool"),
        ({"reference_instances": -MASK.astype(int)}, "reference_instances must not be negative"),
        (
            {"prediction_instances": np.ones((8, 10), int)},
            "prediction_instances must be positive exactly where",
        ),
    ],
)
def test_a_wrong_argument_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        binary_scores(**{"prediction": MASK, "reference": MASK, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prediction": MASK * 3}, "prediction holds 3, but there are only the classes 0 to 2"),
        ({"reference": MASK * 255}, "reference holds 255"),
        ({"reference": MASK * 1.0}, "reference must hold integers"),
        ({"classes": ["background"]}, "classes must name"),
        ({"classes": ["background", "cat", "cat"]}, "different names"),
        ({"classes": ["background", "mean"]}, "must not hold 'mean'"),
        ({"keys": ["cat"]}, "unknown 'cat'"),
    ],
)
def test_a_wrong_class_map_is_named(changes, message):
    arguments = {"prediction": MASK * 1, "reference": MASK * 2, "classes": ["background", "cat", "dog"]}
    with pytest.raises(ValueError, match=message):
        multiclass_scores(**{**arguments, **changes})


def test_a_pair_is_cropped_to_where_anything_is():
    pair = mask_pair(MASK, MASK)
    assert pair.reference.shape == (5, 6)  # one pixel of background round the object
    assert pair.shape == (8, 10)
