"""The embedded datasets: what is drawn is what the mask says, and it is drawn once, whole."""

import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from unetseg.data.datasets import embedded, synthetic
from unetseg.data.datasets.embedded import SPLITS, is_synthetic, materialise, synthetic_recipe
from unetseg.data.datasets.synthetic import Stroke, coverage_of, draw_filament, draw_texture, grow_filaments
from unetseg.errors import UnetsegError, UsageError

SIZE = 96
# (pixels of the mask, mean grey value) of the first training image of filaments and of textures:0.5.
GOLDEN = [(1230, 93.8), (2243, 116.5)]


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def small(monkeypatch):
    """Sets of six images, so that writing one takes a fraction of a second."""
    monkeypatch.setattr(embedded, "SPLITS", {"train": 3, "val": 1, "test": 2})


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- what is drawn


@pytest.mark.parametrize("draw", [draw_filament, lambda rng: draw_texture(rng, 0.3)])
def test_one_seed_draws_the_same_bytes_and_another_seed_others(draw):
    image, mask = draw(generator(1))
    again, mask_again = draw(generator(1))
    other, _ = draw(generator(2))
    assert image.shape == (SIZE, SIZE, 3) and mask.shape == (SIZE, SIZE)
    assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1}
    assert image.tobytes() == again.tobytes() and mask.tobytes() == mask_again.tobytes()
    assert image.tobytes() != other.tobytes()


def test_the_drawing_has_not_changed_without_a_new_version():
    drawn = [synthetic_recipe(n).draw_sample("train", 0) for n in ("filaments", "textures:0.5")]
    sums = [(int(mask.sum()), round(float(image.mean()), 1)) for image, mask in drawn]
    assert (embedded.VERSION, sums) == (1, GOLDEN), "raise VERSION, then write the new sums here"


def test_filament_widths_span_one_to_eight_pixels():
    widths = np.concatenate([s.widths for seed in range(60) for s in grow_filaments(generator(seed))])
    assert 1.0 <= widths.min() < 1.1
    assert 7.0 < widths.max() <= 8.0


def test_the_mask_is_one_exactly_where_filaments_cover_half_of_the_pixel():
    for seed in range(5):
        coverage = coverage_of(grow_filaments(generator(seed)), SIZE)
        _, mask = draw_filament(generator(seed))
        assert np.array_equal(mask, coverage >= 0.5)


@given(
    x=st.floats(8, 24),
    y=st.floats(8, 24),
    angle=st.floats(0, 2 * np.pi),
    length=st.floats(0, 10),
    ends=st.tuples(st.floats(1, 8), st.floats(1, 8)),
)
@settings(max_examples=25, deadline=None)
def test_coverage_agrees_with_the_area_of_the_exact_outline(x, y, angle, length, ends):
    t = np.linspace(0, 1, int(length / 0.5) + 2)
    points = np.array([x, y]) + length * t[:, None] * np.array([np.cos(angle), np.sin(angle)])
    widths = ends[0] + t * (ends[1] - ends[0])
    coverage = coverage_of([Stroke(points, widths)], 32)

    # Independent of the drawing: count 16×16 sample points a pixel that lie in a disc, by distance.
    fine = (np.arange(32 * 16) + 0.5) / 16
    inside = np.zeros((32 * 16, 32 * 16), bool)
    for (px, py), width in zip(points, widths, strict=True):
        inside |= (fine[:, None] - py) ** 2 + (fine[None, :] - px) ** 2 <= (width / 2) ** 2
    expected = inside.reshape(32, 16, 32, 16).mean(axis=(1, 3))
    assert abs(coverage - expected).max() < 0.2
    # The count of sample points errs, too: by up to a fifth of a pixel on the smallest discs.
    assert coverage.sum() == pytest.approx(expected.sum(), rel=0.06, abs=0.2)


def test_edges_are_blended_by_coverage():
    # Along the contrast's direction, half covered pixels lie between bare and fully covered ones.
    shares: list[float] = []
    for seed in range(8):
        image, _ = draw_filament(generator(seed))
        coverage = coverage_of(grow_filaments(generator(seed)), SIZE)
        light = image.mean(axis=2) - gaussian_filter(image.mean(axis=2), 8)
        near = gaussian_filter((coverage > 0).astype(float), 1.0) > 0.2
        bare, full = light[near & (coverage == 0)].mean(), light[coverage == 1].mean()
        shares.append((light[(coverage > 0.3) & (coverage < 0.7)].mean() - bare) / (full - bare))
    assert 0.3 < np.mean(shares) < 0.7


def test_one_colour_threshold_does_not_solve_filaments():
    drawn = [draw_filament(generator(seed)) for seed in range(20)]
    light = np.stack([image.mean(axis=2) for image, _ in drawn])
    mask = np.stack([m for _, m in drawn]).astype(bool)
    best = max(((light > t) & mask).sum() / ((light > t) | mask).sum() for t in range(60, 220, 4))
    assert best < 0.4


# --- textures


def colours(alpha: float, seeds: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Deviations from the image's mean colour, inside and outside the shapes, over many images."""
    inside, outside = [], []
    for seed in range(seeds):
        image, mask = draw_texture(generator(seed), alpha)
        deviation = image - image[mask == 0].mean(axis=0)
        inside.append(deviation[mask == 1])
        outside.append(deviation[mask == 0])
    return np.concatenate(inside), np.concatenate(outside)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_inside_and_outside_have_the_same_colours_at_any_alpha(alpha):
    inside, outside = colours(alpha)
    assert np.allclose(inside.mean(axis=0), outside.mean(axis=0), atol=1.5)
    assert np.allclose(np.cov(inside.T), np.cov(outside.T), atol=0.1 * np.cov(outside.T).max())
    quantiles = [5, 25, 50, 75, 95]
    assert np.allclose(
        np.percentile(inside, quantiles, axis=0), np.percentile(outside, quantiles, axis=0), atol=4
    )


def roughness(alpha: float, inside: int) -> float:
    """Mean squared difference of horizontal neighbours that lie on the same side."""
    total = []
    for seed in range(20):
        image, mask = draw_texture(generator(seed), alpha)
        step = (np.diff(image.astype(float), axis=1) ** 2).mean(axis=2)
        total.append(step[(mask[:, 1:] == inside) & (mask[:, :-1] == inside)])
    return float(np.concatenate(total).mean())


def test_only_the_texture_tells_inside_from_outside_and_less_as_alpha_grows():
    ratios = [roughness(alpha, 1) / roughness(alpha, 0) for alpha in (0.0, 0.5, 0.8, 1.0)]
    assert ratios[0] > 1.8
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] == pytest.approx(1.0, abs=0.1)


def test_at_alpha_one_the_shapes_leave_no_trace(monkeypatch):
    image, mask = draw_texture(generator(5), 1.0)
    shapes = synthetic._shapes

    def nothing(rng, size):
        return shapes(rng, size) * 0

    monkeypatch.setattr(synthetic, "_shapes", nothing)
    bare, empty = draw_texture(generator(5), 1.0)
    assert mask.any() and not empty.any()
    assert np.array_equal(image, bare)


def test_alpha_changes_the_texture_and_nothing_else():
    easy, mask = draw_texture(generator(3), 0.0)
    hard, same = draw_texture(generator(3), 0.9)
    assert np.array_equal(mask, same)
    assert np.array_equal(easy[mask == 0], hard[mask == 0])
    assert not np.array_equal(easy[mask == 1], hard[mask == 1])


# --- names


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("filament", "'filaments'"),
        ("texture:0.3", "'textures:0.5'"),
        ("textures", "'textures:0.5'"),
        ("textures:hard", "'textures:0.5'"),
        ("textures:nan", "'textures:0.5'"),
        ("textures:1.5", "'textures:1'"),
        ("textures:-1", "'textures:0'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_valid_one(name, nearest):
    with pytest.raises(UsageError, match=nearest) as caught:
        synthetic_recipe(name)
    assert "\n" not in str(caught.value)


def test_spellings_of_one_alpha_share_one_folder():
    assert {synthetic_recipe(f"textures:{a}").folder_name for a in ("0.5", ".5", "5e-1", "0.50")} == {
        "textures-0.5"
    }
    assert synthetic_recipe("textures:-0").folder_name == "textures-0"
    assert is_synthetic("textures:2") and not is_synthetic("pets")


# --- the folder


def test_the_set_is_an_ordinary_dataset_folder(tmp_path):
    assert SPLITS == {"train": 160, "val": 40, "test": 60}
    folder = materialise("filaments", tmp_path)
    assert folder == tmp_path / "filaments"
    assert yaml.safe_load((folder / "dataset.yaml").read_text())["classes"] == ["background", "filament"]
    stems = {split: (folder / f"{split}.txt").read_text().split() for split in SPLITS}
    assert {split: len(names) for split, names in stems.items()} == SPLITS
    every = sorted(stem for names in stems.values() for stem in names)
    assert every == [f"{i:04d}" for i in range(260)]
    for part in ("images", "masks"):
        assert sorted(p.name for p in (folder / part).iterdir()) == [f"{stem}.png" for stem in every]
    with (
        Image.open(folder / "masks" / "0200.png") as mask,
        Image.open(folder / "images" / "0200.png") as image,
    ):
        assert (mask.mode, image.mode) == ("P", "RGB")
        drawn, expected = synthetic_recipe("filaments").draw_sample("test", 0)
        assert np.array_equal(np.asarray(mask), expected)
        assert np.array_equal(np.asarray(image), drawn)
    assert os.listdir(tmp_path) == ["filaments"]


def test_a_complete_set_is_left_untouched(tmp_path, small, monkeypatch):
    folder = materialise("textures:0.5", tmp_path)
    monkeypatch.setattr(embedded, "_write_set", lambda *_: pytest.fail("drawn twice"))
    assert materialise("textures:0.50", tmp_path) == folder


def test_two_places_get_the_same_bytes(tmp_path, small):
    one, two = (materialise("filaments", tmp_path / place) for place in "ab")
    assert files_of(one) == files_of(two)


def test_an_interrupted_drawing_leaves_nothing_and_the_next_one_succeeds(tmp_path, small, monkeypatch):
    def interrupted(self, split, index):
        if index == 2:
            raise KeyboardInterrupt
        return draw(self, split, index)

    draw = embedded.SyntheticRecipe.draw_sample
    with monkeypatch.context() as patch:
        patch.setattr(embedded.SyntheticRecipe, "draw_sample", interrupted)
        with pytest.raises(KeyboardInterrupt):
            materialise("filaments", tmp_path)
    assert os.listdir(tmp_path) == []
    assert len(files_of(materialise("filaments", tmp_path))) == 6 + 6 + 3 + 1


def test_what_a_killed_process_left_behind_is_no_set_and_no_hindrance(tmp_path, small):
    left = tmp_path / ".filaments-part-abc" / "fresh" / "images"
    left.mkdir(parents=True)
    (left / "0000.png").write_bytes(b"half")
    folder = materialise("filaments", tmp_path)
    assert (folder / "images" / "0000.png").read_bytes() != b"half"


@pytest.mark.parametrize("damage", ["missing mask", "missing list", "older generator"])
def test_a_damaged_or_outdated_set_is_drawn_anew(tmp_path, small, damage):
    folder = materialise("filaments", tmp_path)
    whole = files_of(folder)
    if damage == "missing mask":
        (folder / "masks" / "0003.png").unlink()
    elif damage == "missing list":
        (folder / "val.txt").unlink()
    else:
        (folder / "dataset.yaml").write_text("generator: unetseg 0\n")
    assert files_of(materialise("filaments", tmp_path)) == whole
    assert os.listdir(tmp_path) == ["filaments"]


def test_of_two_that_draw_at_once_both_find_one_whole_set(tmp_path, small, monkeypatch):
    meet = threading.Barrier(2, timeout=20)
    install = embedded._install

    def together(*args, **kwargs):
        meet.wait()
        install(*args, **kwargs)

    monkeypatch.setattr(embedded, "_install", together)
    failures = []

    def draw():
        try:
            materialise("filaments", tmp_path)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=draw) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert os.listdir(tmp_path) == ["filaments"]
    assert len(files_of(tmp_path / "filaments")) == 6 + 6 + 3 + 1


def test_a_users_own_folder_of_that_name_is_refused_and_kept(tmp_path, small):
    mine = tmp_path / "filaments" / "images" / "mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    with pytest.raises(UnetsegError, match="not the embedded dataset"):
        materialise("filaments", tmp_path)
    assert mine.read_bytes() == b"precious"
    shutil.rmtree(tmp_path / "filaments")
    assert materialise("filaments", tmp_path).is_dir()


# --- drawn beside the imports


class Beside:
    """A process that does its work when somebody waits for it."""

    def __init__(self, target, args, daemon):
        self.work, self.pid = lambda: target(*args), None
        assert daemon  # it ends with the command

    def start(self):
        self.pid = 1

    def join(self):
        self.work()


@pytest.fixture
def beside(monkeypatch):
    """Let a process of its own do its work here, as in a command that has not loaded PyTorch yet."""
    monkeypatch.setattr(embedded, "sys", SimpleNamespace(modules={}))
    monkeypatch.setattr(embedded, "usable_cores", lambda: 2)
    monkeypatch.setattr(embedded, "get_context", lambda method: SimpleNamespace(Process=Beside))
    monkeypatch.setattr(embedded, "follow_parent", lambda: None)
    monkeypatch.setattr(embedded.signal, "signal", lambda *_: None)


def test_a_set_that_is_being_drawn_is_waited_for_and_not_drawn_twice(tmp_path, small, beside, monkeypatch):
    embedded.begin_drawing("filaments", tmp_path)
    assert os.listdir(tmp_path) == []
    draws, write = [], embedded._write_set
    monkeypatch.setattr(embedded, "_write_set", lambda *given: (draws.append(given), write(*given)))
    folder = materialise("filaments", tmp_path)
    assert len(draws) == 1
    assert len(files_of(folder)) == 6 + 6 + 3 + 1


def test_what_goes_wrong_beside_is_said_by_who_waits(tmp_path, small, beside):
    (tmp_path / "filaments").write_text("mine")
    embedded.begin_drawing("filaments", tmp_path)
    with pytest.raises(UnetsegError, match="not the embedded dataset"):
        materialise("filaments", tmp_path)


@pytest.mark.parametrize("why", ["it is there", "no dataset of ours", "one core", "PyTorch is loaded"])
def test_nothing_is_begun_where_it_would_gain_nothing(tmp_path, small, beside, monkeypatch, why):
    if why == "it is there":
        materialise("filaments", tmp_path)
    elif why == "one core":
        monkeypatch.setattr(embedded, "usable_cores", lambda: 1)
    elif why == "PyTorch is loaded":
        monkeypatch.setitem(embedded.sys.modules, "torch", None)
    embedded.begin_drawing("pets" if why == "no dataset of ours" else "filaments", tmp_path)
    assert embedded._begun == {}
