"""Before a study starts: what it will train, how its arms are tuned, and what it can show."""

import subprocess
import sys

ARMS = {"on": {}, "worse": {"lr": 0.1}, "close": {"lr": 0.2}}  # as the fixture ``trained`` draws them


WITHOUT_TORCH = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("PyTorch was asked for")

sys.meta_path.insert(0, Refused())
from unetseg.cli import main
main(sys.argv[1:])
"""


def dry_run(folder, data, *flags):
    """What a dry run prints before it asks for PyTorch, and what it says when it does."""
    command = [sys.executable, "-c", WITHOUT_TORCH, "ablate", *flags, "--dry-run", "--data", str(data)]
    done = subprocess.run([*command, "-o", str(folder)], capture_output=True, text=True, check=False)
    assert "PyTorch was asked for" in done.stderr
    return done.stdout


def test_a_dry_run_says_looks_runs_and_power_before_torch_is_loaded(tmp_path, discs):
    out = dry_run(tmp_path / "new", discs, "levels", "--seeds", "3..10").splitlines()
    assert out[0].startswith(f"on {discs} (--data takes another): 6 train, 5 val, 3 test images")
    assert out[1].startswith(
        "looks after 3, 4, 5, 7, 10 seeds, each at an adjusted p below 0.01: 30 runs to the"
    )
    assert "first, 100 at most" in out[1]
    assert out[2].startswith("smallest difference in image IoU that this shows with power 0.8: 0.")
    assert "a guess until two seeds are there (3 images, 9 comparisons)" in out[2]


def test_with_runs_that_are_there_the_smallest_difference_follows_from_them(ablate, trained, discs):
    done = ablate(ARMS, seeds=3)
    out = dry_run(done.folder, discs, str(done.file), "--seeds", "3")
    assert "by the runs that are there" in out


def test_values_to_choose_from_are_named_and_unequal_numbers_of_trials_told(ablate, trained):
    arms = {"on": {}, "off": {"skips": False, "lr": [0.1, 0.2]}}
    planned = ablate(arms, "--dry-run", seeds=3)
    assert "off is tuned on validation: lr 0.1 or lr 0.2" in planned.out
    assert "different numbers of trials on validation (on 1, off 2)" in planned.out
    done = ablate(arms, seeds=3)
    assert "different numbers of trials on validation (on 1, off 2)" in " ".join(done.summary["notes"])


def test_what_a_study_tunes_is_tuned_in_every_arm_that_does_not_set_it(ablate, trained):
    arms = {"on": {}, "off": {"skips": False}, "fixed": {"lr": [0.3, 0.4]}}
    done = ablate(arms, seeds=3, study={"tune": {"lr": [0.1, 0.2]}})
    tried = {
        arm["name"]: [each["values"]["lr"] for each in arm["candidates"]] for arm in done.summary["arms"]
    }
    assert tried == {"on": [0.1, 0.2], "off": [0.1, 0.2], "fixed": [0.3, 0.4]}
    assert not any("trials" in note for note in done.summary["notes"])


def test_after_the_first_look_an_arm_goes_on_as_validation_chose_there(ablate, trained):
    ablate({"on": {}, "close": {"lr": [0.2, 0.4]}}, "--seeds", "3..5")
    assert trained.count("close-lr0.2-seed2") == trained.count("close-lr0.4-seed2") == 1
    assert "close-lr0.2-seed4" in trained and "close-lr0.4-seed3" not in trained
