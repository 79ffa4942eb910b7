"""``unetseg evaluate --predictions --reference``: masks of any tool against references, no model needed."""

import json
from math import hypot

import numpy as np
import pytest

from unetseg.cli import main
from unetseg.evaluation.folders import evaluate_masks
from unetseg.metrics import binary_scores, multiclass_scores, registry, scored_keys

SHAPE = (40, 60)


def square(top, left, side):
    mask = np.zeros(SHAPE, bool)
    mask[top : top + side, left : left + side] = True
    return mask


NOTHING = np.zeros(SHAPE, bool)
TRUTH = {"a": square(5, 5, 12), "b": square(20, 30, 15)}
GUESS = {"a": square(5, 6, 12), "b": square(22, 30, 15)}


def as_files(masks, suffix=".png"):
    return {name + suffix: mask for name, mask in masks.items()}


@pytest.fixture
def drawn(folder):
    folder("truth", as_files(TRUTH))
    folder("guess", as_files(GUESS))


def test_every_row_is_the_score_of_its_masks_and_the_averages_are_over_the_rows(drawn, evaluate):
    found = evaluate()
    assert (found.code, found.err) == (0, "")
    rows = {row["image"]: row for row in found.json["rows"]}
    for name, truth in TRUTH.items():
        expected = binary_scores(GUESS[name], truth)
        assert {key: rows[name][key] for key in scored_keys()} == expected
        assert rows[name]["diagonal"] == hypot(*SHAPE)
    assert found.scores["dataset"]["tp"] == rows["a"]["tp"] + rows["b"]["tp"]
    for key in ("iou", "hd95", "skeleton_recall"):
        assert found.scores["image"][key]["mean"] == pytest.approx((rows["a"][key] + rows["b"][key]) / 2)
    assert found.json["images"] == 2
    assert found.json["mean"] == found.scores


def test_the_table_names_both_averages_the_median_and_the_missed(drawn, evaluate):
    table = evaluate().out
    for heading in ("2 images", "dataset", "image mean", "95 % interval", "median", "missed", "Boundary IoU"):
        assert heading in table


def test_files_pair_by_stem_whatever_the_suffix_and_the_subfolder_counts(folder, evaluate):
    folder("truth", {"left/1.png": TRUTH["a"], "right/1.png": TRUTH["b"]})
    folder("guess", {"right/1.bmp": TRUTH["b"], "left/1.tif": TRUTH["a"]})
    found = evaluate()
    assert found.code == 0
    assert [row["image"] for row in found.json["rows"]] == ["left/1", "right/1"]
    assert found.scores["dataset"]["iou"] == 1


@pytest.mark.parametrize("key", [r"^\d+", r"^(\d+)_"])
def test_a_key_pairs_names_by_what_it_matches(folder, evaluate, key):
    folder("truth", {"01_manual1.png": TRUTH["a"], "02_manual1.png": TRUTH["b"]})
    folder("guess", {"02_manual2.png": TRUTH["b"], "01_manual2.png": TRUTH["a"]})
    folder("fov", {"01_test_mask.png": ~NOTHING, "02_test_mask.png": ~NOTHING})
    found = evaluate("--key", key, "--valid", "fov")
    assert found.code == 0
    assert found.scores["dataset"]["iou"] == 1


def test_what_does_not_pair_is_named_and_the_rest_is_scored(folder, evaluate):
    folder("truth", as_files(TRUTH | {"lost": TRUTH["a"]}))
    folder("guess", as_files(GUESS | {"sub/extra": GUESS["a"]}))
    found = evaluate()
    assert found.code == 3
    assert found.err.splitlines() == [
        "predictions without a reference (1): sub/extra.png",
        "references without a prediction (1): lost.png",
    ]
    assert found.json["left_out"]["predictions"] == ["sub/extra.png"]
    assert found.json["left_out"]["references"] == ["lost.png"]
    assert found.json["images"] == 2


def test_files_that_the_key_does_not_match_are_named_too(folder, evaluate):
    folder("truth", {"01.png": TRUTH["a"], "notes.png": TRUTH["a"]})
    folder("guess", {"01.png": GUESS["a"]})
    found = evaluate("--key", r"\d+")
    assert (found.code, found.json["left_out"]["references"]) == (3, ["notes.png"])


def test_what_predict_writes_beside_its_masks_is_no_prediction(folder, evaluate):
    folder("truth", as_files(TRUTH))
    rgb = np.zeros((*SHAPE, 3), np.uint8)
    folder(
        "guess",
        as_files(GUESS)
        | {"a.overlay.jpg": rgb, "a.probability.png": GUESS["a"], "a.objects.png": GUESS["a"]},
    )
    assert evaluate().code == 0


def test_only_the_field_of_view_counts(drawn, folder, evaluate):
    valid = {name: ~(GUESS[name] & ~TRUTH[name]) for name in TRUTH}
    folder("fov", as_files(valid))
    found = evaluate("--valid", "fov")
    assert found.scores["dataset"]["fp"] == 0
    assert found.json["rows"][0]["nsd"] == binary_scores(GUESS["a"], TRUTH["a"], valid=valid["a"])["nsd"]


def test_a_pair_without_its_field_of_view_is_named_and_left_out(drawn, folder, evaluate):
    folder("fov", {"a.png": ~NOTHING})
    found = evaluate("--valid", "fov")
    assert (found.code, found.err) == (3, "pairs without a mask in --valid (1): b\n")
    assert found.json["left_out"]["valid"] == ["b"]
    assert found.json["images"] == 1


NUCLEI = square(5, 5, 10) * np.uint8(1) + square(5, 15, 10) * np.uint8(2)  # two that touch


def test_instances_keep_touching_objects_apart(folder, evaluate):
    folder("truth", {"a.png": NUCLEI})
    folder("guess", {"a.png": NUCLEI * np.uint16(700)})  # any labels will do
    found = evaluate("--instances")
    assert found.scores["image"]["pq"]["mean"] == 1
    assert sum(stratum["objects"] for stratum in found.scores["size"].values()) == 2


def test_plain_masks_against_instances_are_scored_by_their_components(folder, evaluate):
    folder("truth", {"a.png": NUCLEI, "b.png": NUCLEI})
    folder("guess", {"a.png": NUCLEI > 0, "b.png": square(5, 5, 9) | square(5, 16, 9)})
    found = evaluate("--instances")
    assert [row["object_recall"] for row in found.json["rows"]] == [0, 1]
    assert "8-connected components" in found.json["notes"][0]
    assert found.json["notes"][0] in found.out


def test_numbered_objects_beside_masks_are_scored_in_their_place(folder, evaluate):
    touching = np.zeros((20, 40), np.uint16)
    touching[5:15, 5:15], touching[5:15, 15:25] = 1, 2
    masks = {"x/a.png": (touching > 0).astype(np.uint8), "b.png": (touching > 0).astype(np.uint8)}
    truth = {"x/a.png": touching, "b.png": touching}
    folder("truth", truth)
    folder("guess", masks | {"x/a.objects.png": touching, "b.objects.png": touching})
    found = evaluate("--instances")
    assert (found.code, found.err) == (0, "")
    assert found.scores["image"]["pq"]["mean"] == found.scores["image"]["object_recall"]["mean"] == 1
    assert "objects are those of the files NAME.objects" in found.out
    assert evaluate("--instances", "--key", "a|b").scores["image"]["pq"]["mean"] == 1
    folder("components", masks)
    parted = evaluate("--instances", of=("--predictions", "components", "--reference", "truth"))
    assert parted.scores["image"]["object_recall"]["mean"] == 0


def test_one_prediction_of_several_labels_makes_all_of_them_instances(folder, evaluate):
    two_pieces = square(5, 5, 4) | square(20, 40, 4)
    folder("truth", {"a.png": two_pieces * np.uint8(1), "b.png": NUCLEI})
    folder("guess", {"a.png": two_pieces * np.uint8(1), "b.png": NUCLEI})
    assert evaluate("--instances").scores["image"]["pq"]["mean"] == 1


def class_maps():
    reference = TRUTH["a"] * np.uint8(1) + TRUTH["b"] * np.uint8(2)
    prediction = GUESS["a"] * np.uint8(1) + GUESS["b"] * np.uint8(2)
    return prediction, reference


def test_names_are_those_of_the_label_values(folder, evaluate, tmp_path):
    prediction, reference = class_maps()
    folder("truth", {"a.png": reference})
    folder("guess", {"a.png": prediction})
    (tmp_path / "names.txt").write_text("background\ncell\nnucleus\n")
    found = evaluate("--names", "names.txt")
    expected = multiclass_scores(prediction, reference, classes=["background", "cell", "nucleus"])
    assert list(found.json["classes"]) == ["cell", "nucleus"]
    for row in found.json["rows"]:
        assert {key: row[key] for key in expected[row["class"]]} == expected[row["class"]]


def test_ignored_pixels_take_the_scores_of_the_outline_with_them(folder, evaluate, tmp_path):
    prediction, reference = class_maps()
    ignored = np.where(square(5, 5, 13) & ~square(7, 7, 8), np.uint8(255), reference)
    folder("truth", {"a.png": ignored, "b.png": reference})
    folder("guess", {"a.png": prediction, "b.png": prediction})
    (tmp_path / "names.txt").write_text("background\ncell\nnucleus\n")
    found = evaluate("--names", "names.txt")
    left = {each.key for each in registry.tabled() if "outline" not in each.needs}
    assert found.json["classes"]["cell"]["image"].keys() == left
    assert "outline" in found.json["notes"][0]
    assert found.json["rows"][0]["fp"] == 0  # the shifted column lies in the ignored band


def test_0_and_1_are_the_same_mask_as_0_and_255(folder, evaluate):
    folder("truth", as_files(TRUTH))
    folder("guess", as_files({name: mask.astype(np.uint8) for name, mask in TRUTH.items()}))
    assert evaluate().scores["dataset"]["iou"] == 1


def test_a_grey_mask_saved_with_three_channels_is_a_mask(folder, evaluate):
    folder("truth", as_files(TRUTH))
    folder("guess", as_files({n: np.repeat(m[..., None] * np.uint8(255), 3, 2) for n, m in TRUTH.items()}))
    assert evaluate().scores["dataset"]["iou"] == 1


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            np.zeros((20, 30), np.uint8),
            "is 30×20 pixels, but truth/a.png is 60×40; save masks at the original",
        ),
        (np.zeros((*SHAPE, 3), np.uint8) + np.uint8([200, 0, 0]), "guess/a.png: is in colours"),
        (
            TRUTH["a"] * np.uint8(7),
            "holds the values 0, 7; a mask of two classes holds 0 and 1, or 0 and 255",
        ),
        (TRUTH["a"] * np.uint8(255) + TRUTH["b"] * np.uint8(1), "holds both 1 and 255"),
    ],
)
def test_a_file_that_cannot_be_scored_is_named_and_stops_no_other(folder, evaluate, mask, message):
    folder("truth", as_files(TRUTH))
    folder("guess", {"a.png": mask, "b.png": TRUTH["b"]})
    found = evaluate()
    assert found.code == 3
    (line,) = found.err.splitlines()
    assert line.startswith("failed: guess/a.png: ")
    assert message in line
    assert list(found.json["left_out"]["failed"]) == ["a"]
    assert found.json["images"] == 1


def test_nothing_that_can_be_scored_is_a_failure(folder, evaluate):
    folder("truth", {"a.png": TRUTH["a"]})
    folder("guess", {"a.png": np.zeros((20, 30), np.uint8)})
    found = evaluate()
    assert (found.code, found.json) == (1, {})
    assert "none of the 1 pairs could be scored; the first: guess/a.png" in found.err


def test_predicting_nothing_counts_as_far_off_as_the_image_is_large(folder, evaluate):
    folder("truth", as_files(TRUTH))
    folder("guess", as_files({"a": NOTHING, "b": TRUTH["b"]}))
    found = evaluate()
    hd95 = found.scores["image"]["hd95"]
    assert (hd95["mean"], hd95["missed"], hd95["median"]) == (pytest.approx(hypot(*SHAPE) / 2), 1, "inf")
    assert found.json["rows"][0]["hd95"] == "inf"
    assert found.scores["image"]["iou"]["mean"] == 0.5


def test_a_mask_without_its_thin_branches_loses_them_and_hardly_any_iou(folder, evaluate):
    trunk = square(5, 5, 30)
    tree = trunk.copy()
    tree[12, 35:58] = tree[28, 35:58] = True
    folder("truth", {"a.png": tree})
    folder("guess", {"a.png": trunk})
    scores = evaluate().scores
    assert scores["dataset"]["iou"] > 0.95
    assert scores["image"]["skeleton_recall"]["mean"] < 0.6
    assert scores["thickness"]["1-2"]["recall"] < 0.1
    assert scores["thickness"][">8"]["recall"] == 1


def test_small_objects_lost_show_among_the_small_ones(folder, evaluate):
    reference = square(2, 2, 3) | square(2, 12, 3) | square(10, 2, 5) | square(10, 12, 5) | square(20, 30, 18)
    folder("truth", {"a.png": reference})
    folder("guess", {"a.png": reference & ~square(0, 0, 9) & ~square(0, 10, 9)})
    sizes = evaluate().scores["size"]
    assert (sizes["small"]["found"], sizes["small"]["largest"]) == (0, 9)
    assert sizes["medium"]["found"] == sizes["large"]["found"] == 1


def test_results_are_the_same_to_the_last_bit_for_any_number_of_workers(folder):
    generator = np.random.default_rng(0)
    noise = {f"{number}.png": generator.random((2, 30, 45)) < 0.4 for number in range(7)}
    folder("truth", {name: pair[0] for name, pair in noise.items()})
    folder("guess", {name: pair[1] for name, pair in noise.items()} | {"odd.png": NOTHING})
    found = [evaluate_masks("guess", "truth", workers=workers) for workers in (1, 2)]
    one, two = (json.dumps([scores.as_dict(), left_out.as_dict()]) for scores, left_out in found)
    assert one == two


@pytest.fixture
def several_folders(folder, tmp_path):
    folder("truth", as_files(TRUTH))
    folder("guess", as_files(GUESS))
    folder("other", {"x.png": GUESS["a"]})
    folder("twice", {"a.png": GUESS["a"], "a.tif": GUESS["a"]})
    folder("letters", {"aa.png": GUESS["a"], "ab.png": GUESS["a"]})
    (tmp_path / "empty").mkdir()
    (tmp_path / "three.txt").write_text("background\ncell\nnucleus\n")
    (tmp_path / "mean.txt").write_text("background\nmean\n")
    (tmp_path / "one.txt").write_text("background\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "name a run, or --predictions DIR and --reference DIR"),
        ("--predictions guess", "--reference DIR is missing"),
        ("--reference truth", "--predictions DIR is missing"),
        ("run --predictions guess --reference truth", "not both"),
        ("--predictions guess --reference truth --split val", "--split goes with a run only"),
        ("--predictions guess --reference truth --data-dir x", "--data-dir goes with a run only"),
        ("run --valid fov", "--valid goes with --predictions and --reference only"),
        ("run --instances", "--instances goes with --predictions and --reference only"),
        ("--predictions guess --refrence truth", "did you mean '--reference'?"),
        ("--predictions nowhere --reference truth", "--predictions nowhere: no such folder"),
        ("--predictions guess --reference empty", "empty: no images in this folder"),
        ("--predictions guess --reference truth --valid nowhere", "--valid nowhere: no such folder"),
        (
            "--predictions guess --reference truth --valid other",
            "--valid: no mask here belongs to any of the 2",
        ),
        ("--predictions other --reference truth", "no prediction has the name of a reference (x.png, a.png)"),
        ("--predictions twice --reference truth", "a.png and a.tif are both 'a'"),
        ("--predictions guess --reference truth --key (", "--key '(': is no regular expression"),
        (
            r"--predictions guess --reference truth --key \d+",
            r"--key '\d+': does not match names such as a.png",
        ),
        ("--predictions guess --reference letters --key ^.", "aa.png and ab.png are both 'a'"),
        ("--predictions guess --reference truth --names nowhere", "--names nowhere: cannot be read"),
        ("--predictions guess --reference truth --names /dev/zero", "cannot be read (it is a pipe or device"),
        ("--predictions guess --reference truth --names mean.txt", "'mean' is what the mean over classes is"),
        ("--predictions guess --reference truth --names one.txt", "needs 2 to 254 different classes"),
        ("--predictions guess --reference truth --names three.txt --instances", "not 3 names"),
        ("--predictions guess --reference truth --json empty", "--json empty: is a folder; name a file"),
    ],
)
def test_wrong_usage_is_answered_in_one_line(several_folders, capsys, words, message):
    assert main(["evaluate", *words.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert message in line


def test_a_json_file_that_cannot_be_written_is_one_line_after_the_table(drawn, capsys):
    code = main(
        ["evaluate", "--predictions", "guess", "--reference", "truth", "--json", "truth/a.png/x.json"]
    )
    captured = capsys.readouterr()
    assert code == 1
    assert "Boundary IoU" in captured.out
    assert captured.err.startswith("unetseg: truth/a.png/x.json: cannot be written")


VOID = square(0, 40, 20)


@pytest.mark.parametrize("void", [255, 128, 7])
@pytest.mark.parametrize("foreground", [1, 255])
def test_pixels_of_the_value_to_ignore_do_not_count_in_either_mask(folder, evaluate, void, foreground):
    if void == foreground:
        return
    truth = TRUTH["a"] * np.uint8(foreground)
    truth[VOID] = void
    guess = TRUTH["a"] * np.uint8(255)
    guess[VOID] = 1 if void != 255 else 77
    folder("truth", {"a.png": truth})
    folder("guess", {"a.png": guess})
    found = evaluate("--ignore", str(void))
    assert (found.code, found.scores["dataset"]["iou"]) == (0, 1), found.err
    assert found.scores["dataset"]["tp"] == (TRUTH["a"] & ~VOID).sum()
    assert evaluate().code == 1


def test_of_several_classes_255_is_ignored_unless_another_value_is_given(folder, evaluate, tmp_path):
    (tmp_path / "names.txt").write_text("background\ncell\nnucleus\n")
    truth = TRUTH["a"] * np.uint8(1) + TRUTH["b"] * np.uint8(1)
    truth[VOID] = 9
    folder("truth", {"a.png": truth})
    folder("guess", {"a.png": np.where(VOID, 200, truth).astype(np.uint8)})
    assert evaluate("--names", "names.txt", "--ignore", "9").json["mean"]["dataset"]["iou"] == 1
    refused = evaluate("--names", "names.txt")
    assert refused.code == 1
    assert "holds the values 9, and --names has 3 classes, 0 to 2" in refused.err
    assert "--ignore N" in refused.err


def test_instances_of_the_value_to_ignore_do_not_count(folder, evaluate):
    truth = np.uint8(1) * square(2, 2, 5) + np.uint8(2) * square(20, 2, 5) + np.uint8(9) * VOID
    folder("truth", {"a.png": truth})
    folder("guess", {"a.png": np.where(VOID, 0, truth).astype(np.uint8)})
    assert evaluate("--instances", "--ignore", "9").scores["dataset"]["iou"] == 1
    assert evaluate("--instances").scores["dataset"]["iou"] < 1


def test_outside_the_field_of_view_a_mask_may_hold_any_value(folder, evaluate):
    seen = ~VOID
    folder("fov", {"a.png": seen, "b.png": seen})
    folder("truth", as_files({name: mask * np.uint8(1) for name, mask in TRUTH.items()}))
    strange = {name: np.where(seen, mask * np.uint8(1), 255).astype(np.uint8) for name, mask in TRUTH.items()}
    strange["b"][VOID] = 130
    folder("guess", as_files(strange))
    found = evaluate("--valid", "fov")
    assert (found.code, found.scores["dataset"]["iou"]) == (0, 1), found.err
    assert "holds both 1 and 255" in evaluate().err


def test_values_of_no_class_within_the_field_of_view_are_still_refused(folder, evaluate):
    folder("fov", {"a.png": ~VOID})
    folder("truth", {"a.png": TRUTH["a"]})
    folder("guess", {"a.png": TRUTH["a"] * np.uint8(7)})
    found = evaluate("--valid", "fov")
    assert found.code == 1 and "holds the values 0, 7; a mask of two classes" in found.err
    assert "--names FILE" in found.err and "--ignore N" in found.err


@pytest.mark.parametrize("value", ["-1", "65536"])
def test_a_value_that_no_mask_can_hold_is_refused(drawn, evaluate, value):
    found = evaluate(f"--ignore={value}")
    assert found.code == 2 and f"--ignore {value}: must be a value of a mask, 0 to 65535" in found.err


def test_ignoring_goes_with_folders_of_masks_even_if_the_value_is_0(capsys):
    assert main(["evaluate", "run", "--ignore", "0"]) == 2
    assert "--ignore goes with --predictions and --reference only" in capsys.readouterr().err
    assert main(["compare", "one", "two", "--ignore", "0"]) == 2
    assert "--ignore: goes with --reference" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["ignored", "outside"])
def test_an_image_where_nothing_counts_is_left_out_of_every_mean_and_told(folder, evaluate, how):
    found_part = TRUTH["a"] & square(0, 0, 12)
    folder("guess", as_files({"a": found_part, "b": NOTHING, "c": TRUTH["b"]}))
    everything = ~NOTHING
    if how == "ignored":
        void = everything * np.uint8(9)
        folder("truth", {"a.png": TRUTH["a"], "b.png": void, "c.png": void})
        found = evaluate("--ignore", "9")
    else:
        folder("truth", as_files({"a": TRUTH["a"], "b": TRUTH["b"], "c": TRUTH["b"]}))
        folder("fov", as_files({"a": everything, "b": NOTHING, "c": NOTHING}))
        found = evaluate("--valid", "fov")
    folder("guess-a", {"a.png": found_part})
    folder("truth-a", {"a.png": TRUTH["a"]})
    alone = evaluate(of=("--predictions", "guess-a", "--reference", "truth-a"))
    assert found.code == 0 and found.json["images"] == 1
    assert found.scores["image"] == alone.scores["image"]
    assert found.json["notes"] == ["2 images are left out of all scores, as no pixel counts there: b, c"]
    assert "2 images are left out" in found.out
    assert {row["image"] for row in found.json["rows"]} == {"a"}


def test_where_no_pixel_of_any_image_counts_there_is_nothing_to_score(folder, evaluate):
    folder("guess", as_files(TRUTH))
    folder("truth", {name: ~NOTHING * np.uint8(9) for name in ("a.png", "b.png")})
    found = evaluate("--ignore", "9")
    assert (found.code, found.json) == (1, {})
    assert "no pixel of the references counts: all are ignored" in found.err
