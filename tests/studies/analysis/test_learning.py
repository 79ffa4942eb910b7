"""Nets that learned nothing: named, and what is compared with them is not decidable."""

import pytest

from unetseg.studies.analysis.learning import learned_nothing, untrained
from unetseg.studies.analysis.results import RunResult
from unetseg.studies.analysis.score_matrix import RunScores

SIDE = 40
DIAGONAL = SIDE * 2**0.5


def net(first, last, whole=None, found=0.0, classes=("a",)):
    """A run of two epochs' losses, tested on masks that hold a tenth of the image, found to some share."""
    inside = SIDE**2 // 10
    counts = {"tp": found * inside, "fp": inside - found * inside, "fn": inside - found * inside}
    base = {"image": "x", "diagonal": DIAGONAL}
    rows = tuple(base | counts | {"class": name} for name in classes)
    training = () if whole is None else ({"image": "t", "train_loss": whole},)
    epochs = ({"epoch": 1, "train_loss": first}, {"epoch": 2, "train_loss": last})
    return RunResult(seed=0, path="x", epochs=epochs), RunScores("x", "test", "f", classes, rows, training)


@pytest.mark.parametrize(
    ("losses", "found", "nothing"),
    [
        ((1.27, 1.25), 0.0, True),
        ((1.27, 1.25), 0.1, True),  # overlap .05: less than a mask of everything
        ((1.27, 1.25), 0.5, False),  # it was good from the first epoch on
        ((1.27, 0.60), 0.0, False),  # it learned, but not what the test asks
        ((1.60, 1.58, 0.70), 0.0, False),  # as whole images say
        ((1.60, 1.58, 1.64), 0.0, True),
    ],
)
def test_a_net_learned_nothing_if_its_loss_stays_and_its_masks_are_as_good_as_none(losses, found, nothing):
    told = learned_nothing(*net(*losses, found=found))
    assert bool(told) == nothing
    if nothing:
        assert told.startswith(f"training loss {min(losses[1:]):.2f}, {losses[0]:.2f} in its first epoch")


def test_a_net_that_found_one_of_its_classes_learned_something():
    run, scores = net(1.27, 1.25, classes=("a", "b"))
    for row in scores.rows:
        if row["class"] == "b":
            row |= {"tp": 150, "fp": 10, "fn": 10}
    assert learned_nothing(run, scores) == ""


def test_of_masks_without_a_training_nothing_is_known():
    _, scores = net(1.27, 1.25)
    assert learned_nothing(RunResult(seed=0, path="masks"), scores) == ""


def test_an_arm_has_not_learned_if_half_of_its_nets_have_not():
    failed, fine = net(1.27, 1.25), net(1.27, 0.3, found=0.9)
    runs, scores = zip(failed, failed, fine, strict=True)
    assert untrained("post", runs, scores) == "post learned nothing in 2 of 3 runs"
    runs, scores = zip(failed, fine, fine, strict=True)
    assert untrained("post", runs, scores) == ""
