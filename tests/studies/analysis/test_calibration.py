"""The script that measures the statistics judges scores that it is given."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks/statistics_calibration.py"


@pytest.fixture
def judged(tmp_path, monkeypatch, capsys):
    """What the script prints last of an array of scores, or its error."""

    def run(scores):
        np.savez(tmp_path / "scores.npz", Y=scores)
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--scores", str(tmp_path / "scores.npz")])
        monkeypatch.syspath_prepend(str(SCRIPT.parent))
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return capsys.readouterr().out.splitlines()[-1] if ended.value.code == 0 else ended.value.code

    return run


@pytest.mark.parametrize(
    ("shift", "seeds", "told"), [(0.5, 3, "1.0000"), (0.0, 3, "0.0000"), (0.5, 2, "0.0000")]
)
def test_given_studies_are_judged(judged, shift, seeds, told):
    scores = 0.01 * np.random.default_rng(0).standard_normal((20, 4, seeds, 12))
    scores[:10, 2] += shift
    scores[10:, 3] -= shift
    assert judged(scores) == f"family-wise {told}"


def test_an_array_of_another_shape_is_refused(judged):
    assert "[study, arm, seed, image]" in judged(np.zeros((4, 3, 12)))
