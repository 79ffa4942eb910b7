"""What a study's page and its Markdown show of the trainings: loss, depth, gradients, pairs of arms."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from unetseg.models.gradient_flow import GradientFlow
from unetseg.report.html.page import Figures, Table
from unetseg.report.markdown import study_markdown
from unetseg.report.study_page import study_page
from unetseg.report.training_figures import gradient_blocks, training_blocks
from unetseg.studies.analysis.study_summary import study_summary

LAYERS = ("encoder.stem.0", "encoder.stages.0.0.shortcut.0", "decoder.blocks.0", "segmentation_head.0")


def drawn(figure):
    return ElementTree.fromstring(figure.draw())


def lines(figure, colour):
    return [
        path for path in drawn(figure).iter("path") if f"stroke: var(--{colour})" in path.get("style", "")
    ]


def with_runs(results, change):
    """Replace each run of each arm by what ``change(arm, position)`` asks for."""
    arms = [
        replace(arm, runs=tuple(replace(run, **change(arm.name, n)) for n, run in enumerate(arm.runs)))
        for arm in results.arms
    ]
    return replace(results, arms=tuple(arms))


def recorded(arm, position):
    first = {"on": 1.0, "drop": 2e7, "zero": 4.0}[arm] * (1 + position)
    flows = {
        epoch: GradientFlow(dict(zip(LAYERS, (first / (1 + epoch), 9.0, 2.0, 3.0), strict=True)), {})
        for epoch in (0, 1, 2)
    }
    return {"gradients": flows}


@pytest.fixture
def of_depth(study):
    """Two kinds of net in two depths, and a third of one depth."""
    blocks = {"on": 1, "drop": 4, "zero": 1}
    arms = [
        replace(
            arm,
            overrides={"short": "plain" if arm.name == "zero" else "residual", "blocks": blocks[arm.name]},
            config={"blocks": blocks[arm.name]},
        )
        for arm in study.results.arms
    ]
    return replace(study.results, arms=tuple(arms))


def test_the_loss_of_every_arm_is_the_mean_over_its_last_epochs(study):
    def losses(arm, position):
        return {"epochs": ({"epoch": 1, "train_loss": 9.0}, {"epoch": 2, "train_loss": 0.2 + 0.1 * position})}

    table, *_ = training_blocks(with_runs(study.results, losses))
    assert table.rows[1] == ["drop", "0.250", "0.200 to 0.300"]


def test_arms_that_differ_in_depth_alone_make_one_line(of_depth):
    figures = [block for block in training_blocks(of_depth) if isinstance(block, Figures)]
    depth = figures[0].items[0]
    words = [text.text for text in drawn(depth).iter("text")]
    assert depth.title == "Training loss against depth"
    assert "short residual" in words and "short plain" not in words
    assert {"1", "4"} <= set(words)


def test_arms_of_one_depth_have_no_figure_of_depth(study):
    titles = [
        figure.title
        for block in training_blocks(study.results)
        if isinstance(block, Figures)
        for figure in block.items
    ]
    assert titles == ["on", "drop", "zero"]


def test_without_a_record_there_is_no_heading_of_gradients(study):
    assert gradient_blocks(study.results) == []
    assert "Gradients" not in [section.title for section in study_page(study.results, None).sections]


def test_the_ratio_is_that_of_the_first_layer_to_the_last_before_the_head(study):
    table, _, figures = gradient_blocks(with_runs(study.results, recorded))
    assert table.rows[0] == ["on", "0.75", "0.5 to 1", "0.25", "0.17 to 0.33"]
    assert table.rows[1][1] == "1.5·10⁷"
    assert [figure.title for figure in figures.items] == ["on", "drop", "zero"]


def test_an_arms_gradients_stand_beside_those_of_the_reference(study):
    _, _, figures = gradient_blocks(with_runs(study.results, recorded))
    reference, other, _ = figures.items
    dashed = re.compile("stroke-dasharray: [1-9]")
    assert not dashed.search(reference.draw()) and dashed.search(other.draw())
    # Two runs by layer after training and two by epoch; two by layer before.
    assert len(lines(other, "better")) == 4
    assert "mathdefault" not in other.draw() and re.search("10[⁴-⁹]", other.draw())


def test_arms_without_a_record_are_left_out_beside_others(study):
    def some(arm, position):
        return recorded(arm, position) if arm == "zero" else {}

    table, _, figures = gradient_blocks(with_runs(study.results, some))
    assert [row[0] for row in table.rows] == [figure.title for figure in figures.items] == ["zero"]


def test_the_summary_keeps_ratios_and_not_layers(study):
    run = study_summary(with_runs(study.results, recorded))["arms"][0]["runs"][0]
    assert run["first_to_last"] == {0: 0.5, 1: 0.25, 2: pytest.approx(1 / 6)}
    assert "gradients" not in run and run["path"] == "runs/on-0"


def test_pairs_have_a_table_of_their_own(draw_study):
    results = draw_study(pairs=(("drop", "zero"),)).results
    (found,) = (section for section in study_page(results, None).sections if section.title == "Further pairs")
    ((first, second, difference, *_),) = found.blocks[0].rows
    assert (first, second) == ("drop", "zero")
    pair = results.pairs[0]
    assert difference == f"{pair.difference.mean:+.3f}".replace("-", "−")
    assert pair.sentence in results.sentences and "(against zero)" in pair.sentence
    assert study_summary(results)["pairs"][0]["difference"]["mean"] == pair.difference.mean


def test_the_markdown_has_the_tables_of_what_the_page_draws(study, draw_study):
    text = study_markdown(with_runs(draw_study(pairs=(("drop", "zero"),)).results, recorded))
    for title in ("## Training", "## Gradients", "## Further pairs"):
        assert title in text
    assert "| drop | 1.5·10⁷ |" in text
    assert all(isinstance(block, Table) for block in training_blocks(study.results)[:1])
