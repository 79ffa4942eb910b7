"""``compare --instances`` shows in the terminal what it was asked for."""

import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main


@pytest.mark.parametrize(("flags", "shown"), [([], False), (["--instances"], True)])
def test_scores_of_objects_stand_in_the_terminals_table(tmp_path, monkeypatch, capsys, flags, shown):
    monkeypatch.chdir(tmp_path)
    numbers = np.zeros((20, 20), np.uint8)
    numbers[4:10, 4:16], numbers[10:16, 4:16] = 1, 2
    for name, mask in (("truth", numbers), ("apart", numbers), ("merged", np.minimum(numbers, 1))):
        (tmp_path / name).mkdir()
        for image in "ab":
            Image.fromarray(mask if flags else np.minimum(mask, 1)).save(tmp_path / name / f"{image}.png")
    assert main(["compare", "apart", "merged", "--reference", "truth", "-o", "page", *flags]) == 0
    table = capsys.readouterr().out
    assert ("PQ  " in table and "Object recall  " in table) is shown
