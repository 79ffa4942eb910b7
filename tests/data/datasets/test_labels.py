import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unetseg.data.datasets.class_entries import default_colour, indexed, parse_classes
from unetseg.data.datasets.labels import IGNORED, LabelError, raw_values
from unetseg.errors import UsageError


def array(*rows):
    return np.array(rows, np.uint8)


def test_a_list_of_names_makes_the_raw_values_the_class_indices():
    classes = parse_classes(["background", "cat", "dog"], None, "dataset.yaml")
    assert classes.labels.to_classes(array([0, 1, 2])).tolist() == [[0, 1, 2]]
    assert classes.ignore_index is None


@pytest.mark.parametrize("foreground", [1, 255])
def test_the_foreground_of_two_classes_may_be_1_or_255(foreground):
    labels = parse_classes(["background", "cell"], None, "dataset.yaml").labels
    assert labels.to_classes(array([0, foreground])).tolist() == [[0, 1]]


def test_1_and_255_in_the_same_mask_are_refused_because_one_of_them_means_something_else(tmp_path):
    labels = parse_classes(["background", "cell"], None, "dataset.yaml").labels
    with pytest.raises(LabelError, match=r"a\.png: holds both 1 and 255: .*ignore: 255"):
        labels.to_classes(array([0, 1, 255]), tmp_path / "a.png")


def test_an_ignored_value_becomes_255():
    classes = parse_classes(["background", "cell"], 255, "dataset.yaml")
    assert classes.ignore_index == IGNORED
    assert classes.labels.to_classes(array([0, 1, 255])).tolist() == [[0, 1, IGNORED]]


def test_several_raw_values_may_mean_one_class():
    spec = {"background": {"values": [2]}, "pet": {"values": [1, 3], "colour": [9, 8, 7]}}
    classes = parse_classes(spec, None, "card")
    assert classes.labels.to_classes(array([1, 2, 3])).tolist() == [[1, 0, 1]]
    assert classes.colours == ((0, 0, 0), (9, 8, 7))


def test_rest_takes_every_other_value():
    labels = parse_classes({"background": 0, "nucleus": "rest"}, None, "card").labels
    assert labels.to_classes(np.array([[0, 1, 40000]], np.uint16)).tolist() == [[0, 1, 1]]


def test_colours_are_mapped_and_the_rest_can_be_ignored():
    classes = parse_classes({"road": [128, 64, 128], "sky": [70, 130, 180]}, "rest", "card")
    raw = array([[128, 64, 128], [70, 130, 180], [1, 2, 3]])
    assert classes.labels.to_classes(raw).tolist() == [[0, 1, IGNORED]]
    assert classes.colours == ((128, 64, 128), (70, 130, 180))


@pytest.mark.parametrize("raw", [array([0, 255]), array([[0, 0, 0], [255, 255, 255]])])
def test_black_and_white_given_as_colours_also_fit_a_grey_mask(raw):
    labels = parse_classes({"background": [0, 0, 0], "cell": [255, 255, 255]}, None, "dataset.yaml").labels
    assert labels.to_classes(raw).tolist() == [[0, 1]]


def test_a_grey_mask_saved_as_rgb_is_read_by_its_values():
    labels = indexed(["background", "cell"]).labels
    assert labels.to_classes(array([[0, 0, 0], [255, 255, 255]])).tolist() == [[0, 1]]


def test_unknown_values_are_named_with_their_counts(tmp_path):
    labels = indexed(["background", "cat", "dog"]).labels
    with pytest.raises(
        LabelError, match=r"m\.png: values 38 \(2 px\), 75 \(1 px\) belong to no class .*0, 1, 2"
    ):
        labels.to_classes(array([0, 38, 38, 75]), tmp_path / "m.png")


def test_unknown_colours_are_named_with_their_counts():
    labels = parse_classes({"background": [0, 0, 0], "sky": [70, 130, 180]}, None, "dataset.yaml").labels
    with pytest.raises(LabelError, match=r"colours \[70, 130, 181\] \(1 px\)"):
        labels.to_classes(array([[0, 0, 0], [70, 130, 181]]))


def test_a_colour_mask_under_classes_without_colours_is_refused():
    with pytest.raises(LabelError, match=r"is in colours \(colours \[9, 0, 0\]"):
        indexed(["background", "cell"]).labels.to_classes(array([[0, 0, 0], [9, 0, 0]]))


def test_a_palette_mask_under_coloured_classes_is_refused_rather_than_guessed():
    labels = parse_classes({"background": [0, 0, 0], "sky": [70, 130, 180]}, None, "dataset.yaml").labels
    with pytest.raises(LabelError, match=r"values 1 \(1 px\)"):
        labels.to_classes(array([0, 1]))


@pytest.mark.parametrize(
    ("classes", "ignore", "message"),
    [
        (["cell"], None, "the background first"),
        (["a", "a"], None, "different classes"),
        ("cell", None, "must be a list"),
        (["cell", "background"], None, "must be the first"),
        ({"a": 1, "b": 1}, None, "b shares the value 1"),
        (["a", "b"], 1, "ignore shares the value 1"),
        ({"a": 0, "b": "red"}, None, "'red' is neither a value"),
        ({"a": 0, "b": {"colour": [1, 2, 300]}}, None, "300"),
        ({"a": 0, "b": {"value": 1}}, None, "did you mean 'values'"),
    ],
)
def test_wrong_entries_are_refused_by_name(classes, ignore, message):
    with pytest.raises(UsageError, match=message):
        parse_classes(classes, ignore, "dataset.yaml")


def test_default_colours_are_those_of_pascal_voc():
    assert [default_colour(i) for i in (0, 1, 15, 20)] == [
        (0, 0, 0),
        (128, 0, 0),
        (192, 128, 128),
        (0, 64, 128),
    ]


def test_raw_values_of_a_16_bit_mask():
    assert raw_values(np.array([[0, 40000, 7]], np.uint16)) == [0, 7, 40000]


@given(arrays(np.uint8, (4, 5), elements=st.integers(0, 255)))
def test_mapping_equals_a_lookup_in_the_table_pixel_by_pixel(raw):
    table = {0: 0, 5: 1, 9: 1, 255: IGNORED}
    labels = parse_classes({"background": 0, "x": {"values": [5, 9]}}, 255, "card").labels
    if set(raw.ravel().tolist()) <= table.keys():
        assert labels.to_classes(raw).tolist() == [[table[value] for value in row] for row in raw.tolist()]
    else:
        with pytest.raises(LabelError):
            labels.to_classes(raw)


def test_a_threshold_splits_grey_pictures_into_two_classes():
    labels = parse_classes(["background", "polyp"], None, "card", threshold=128).labels
    assert labels.to_classes(np.array([[0, 127, 128, 255]], np.uint8)).tolist() == [[0, 0, 1, 1]]
    assert labels.to_classes(np.array([[[250, 255, 253], [3, 0, 2]]], np.uint8)).tolist() == [[1, 0]]


@pytest.mark.parametrize(("names", "ignore", "threshold"), [("abc", None, 9), ("ab", 7, 9), ("ab", None, 0)])
def test_a_threshold_goes_with_two_classes_and_nothing_to_ignore(names, ignore, threshold):
    with pytest.raises(UsageError, match=r"a threshold .* goes with two classes"):
        parse_classes(list(names), ignore, "card", threshold)
