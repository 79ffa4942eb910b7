"""Figures: what stands in the SVG that a page takes over."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from unetseg.report.figures import Curve, Interval, Points, curves, forest, points
from unetseg.report.html.svg import THEME, WIDTH


def interval(label="drop", mean=-0.05, low=-0.07, high=-0.03, verdict="worse"):
    return Interval(label, mean, low, high, verdict, f"{mean}")


def dots(values, answering=True):
    return Points(
        "drop", np.array(values), [{"data-image": str(i)} if answering else {} for i in range(len(values))]
    )


def marks(svg):
    return [use.attrib for use in ElementTree.fromstring(svg).iter("use") if "data-image" in use.attrib]


def test_figures_use_the_pages_colours_alone():
    svg = forest(
        [interval(verdict=each) for each in ("better", "worse", "equivalent", "undecided")],
        "Δ",
        "",
        "f",
        0.01,
    )
    assert not any(colour in svg for colour in THEME)
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) == set()
    assert all(f"var(--{name})" in svg for name in ("better", "worse", "equivalent", "ink", "band"))


def test_figures_bring_no_rules_and_no_names_that_reach_the_rest_of_the_page():
    one, other = (forest([interval()], "Δ", "", name) for name in ("one", "other"))
    assert "<style" not in one
    ids = [set(re.findall(r'id="([^"]+)"', svg)) for svg in (one, other)]
    assert ids[0] and not ids[0] & ids[1]


def test_the_same_figure_has_the_same_bytes():
    assert forest([interval()], "Δ", "", "f") == forest([interval()], "Δ", "", "f")


def test_names_are_text_and_neither_markup_nor_formulas():
    svg = forest([interval(label="<b>$x^2$ & \\frac")], "<i>", '"><script>', "f")
    root = ElementTree.fromstring(svg)
    assert {each.tag for each in root.iter()} <= {
        "svg",
        "g",
        "defs",
        "path",
        "text",
        "use",
        "clipPath",
        "rect",
    }
    assert "<b>$x^2$ & \\frac" in [text.text for text in root.iter("text")]
    assert root.attrib["aria-label"] == '"><script>'


def test_an_interval_that_is_not_known_still_shows_its_mean():
    svg = forest([interval(low=-np.inf, high=np.inf), interval()], "Δ", "", "f")
    assert "inf" not in svg.replace("infinite", "") and "nan" not in svg


def test_an_interval_that_is_not_known_has_no_line():
    known, unknown = (
        forest([interval(low=-end, high=end, verdict="not decidable")], "Δ", "", "f") for end in (1, np.inf)
    )
    assert len(re.findall("<path", known)) > len(re.findall("<path", unknown))


@pytest.mark.parametrize("span", [(-0.3, 0.02), (-0.00213, 0.00049), (-0.2, 0.0), (-1e-5, 2e-5), (4.7, 88)])
def test_numbers_of_an_axis_touch_neither_each_other_nor_the_next_figure(span):
    root = ElementTree.fromstring(forest([interval(mean=span[0], low=span[0], high=span[1])], "", "", "f"))
    texts = [each for each in root.iter("text") if "text-anchor: middle" in each.attrib["style"]]
    ends = []
    for text in texts:
        half = 3.2 * len(text.text)  # of a number in 11 pixels
        ends += [float(text.attrib["x"]) - half, float(text.attrib["x"]) + half]
    assert len(texts) >= 2 and ends == sorted(ends)
    assert ends[0] > 0 and ends[-1] < WIDTH


def test_long_names_move_the_numbers_to_a_line_of_their_own():
    short, long = (
        ElementTree.fromstring(forest([interval(label=each)], "Δ", "", "f")) for each in ("on", 45 * "n")
    )
    height = [float(each.attrib["viewBox"].split()[3]) for each in (short, long)]
    assert height[1] > height[0]


def test_every_point_carries_its_own_attributes():
    svg = points([dots([0.3, -0.2, 0.1]), dots([0.2, 0.2, 0.2])], "Δ", "", "p")
    assert [each["data-image"] for each in marks(svg)] == ["0", "1", "2", "0", "1", "2"]
    places = [float(each["x"]) for each in marks(svg)[:3]]
    assert places[1] < places[2] < places[0]


def test_points_of_equal_value_do_not_hide_each_other():
    places = {(each["x"], each["y"]) for each in marks(points([dots([0.5] * 9)], "Δ", "", "p"))}
    assert len(places) == 9


def test_undefined_values_are_left_out():
    assert [each["data-image"] for each in marks(points([dots([0.1, np.nan, 0.3])], "Δ", "", "p"))] == [
        "0",
        "2",
    ]


def test_many_points_that_do_not_answer_are_one_picture():
    values = np.linspace(-1, 1, 2000)
    svg = points([dots(values, answering=False)], "Δ", "", "p")
    assert marks(svg) == []
    assert "data:image/png;base64" in svg
    assert len(svg) < 60_000


@pytest.mark.parametrize("values", [[0.2], [0.2, 0.2], [0.0]])
def test_points_without_spread_can_be_drawn(values):
    assert len(marks(points([dots(values)], "Δ", "", "p"))) == len(values)


def test_curves_draw_a_line_a_run():
    curve = Curve([1, 2, 3], [0.9, 0.5, 0.4], [0.1, np.nan, 0.5])
    lines = [
        ElementTree.fromstring(curves([curve] * count, [], (1.0, 1.0), "", "c")).findall(".//path")
        for count in (1, 3)
    ]
    assert len(lines[1]) - len(lines[0]) == 4  # two more runs in two panels


def test_a_curve_goes_on_over_epochs_without_validation():
    def lines(iou):
        svg = curves([Curve([1, 2, 3, 4], [4.0, 3.0, 2.0, 1.0], iou)], [], (1.0, 5.0), "", "c")
        return [path.get("d") for path in ElementTree.fromstring(svg).iter("path")]

    gaps, whole = lines([np.nan, 0.2, np.nan, 0.4]), lines([np.nan, 0.2, 0.3, 0.4])
    assert len(gaps) == len(whole)  # a line is drawn in both
    assert gaps != whole
