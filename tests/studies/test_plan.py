"""Plans: which runs a study needs, which arms share them, and what is there already."""

from pathlib import Path

import pytest

from unetseg.config import RunConfig
from unetseg.errors import UsageError
from unetseg.studies.plan import make_plan, with_plain_skips
from unetseg.studies.study_file import load_study, parse_study

BASE = {"stages": 3}


def study(arms, **settings):
    return parse_study({"base": BASE, "seeds": 2, "arms": arms, **settings}, "mine", "mine.yaml")


def folders(plan):
    return [trial.run.path.name for trial in plan.trials()]


def keep(config: RunConfig, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config.to_yaml())


def test_one_run_an_arm_and_seed_all_arms_of_a_seed_together(tmp_path):
    plan = make_plan(study({"on": {}, "my arm": {"skips": "off"}}), tmp_path)
    assert folders(plan) == ["on-seed0", "my-arm-seed0", "on-seed1", "my-arm-seed1"]
    assert [trial.config.seed for trial in plan.trials()] == [0, 0, 1, 1]
    assert not list(tmp_path.iterdir())


def test_levels_are_those_of_the_encoder(tmp_path):
    plan = make_plan(load_study("levels"), tmp_path)
    assert len(plan.settings) == 2 + 4 + 4
    resnet = load_study("levels").based_on(RunConfig(encoder="resnet18", size=64))
    assert [name for name in make_plan(resnet, tmp_path).settings if name.startswith("only")] == [
        f"only-{level}" for level in (1, 2, 3, 4)
    ]


def test_arms_of_one_net_share_their_runs(tmp_path):
    arms = {
        "on": {},
        "other control": {"control": "zero"},
        "alone": {"skips": "0"},
        "without": {"skips": "^1"},
    }
    assert folders(make_plan(study(arms), tmp_path)) == ["on-seed0", "alone-seed0", "on-seed1", "alone-seed1"]


@pytest.mark.parametrize(
    ("written", "plain"),
    [("0,1", "on"), ("^0,1", "off"), ("^1", "0"), ("on", "on"), ("off", "off"), ("1", "1")],
)
def test_skips_are_written_in_one_way(written, plain):
    assert with_plain_skips(RunConfig(stages=3, skips=written)).skips == plain


def test_a_level_that_the_encoder_has_not_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(UsageError, match="has no level 7"):
        make_plan(study({"on": {}, "b": {"skips": "7"}}), tmp_path)


def test_values_to_choose_from_have_a_folder_each(tmp_path):
    plan = make_plan(study({"on": {}, "b": {"lr": [0.1, 0.2]}}, seeds=1), tmp_path)
    assert folders(plan) == ["on-seed0", "b-lr0.1-seed0", "b-lr0.2-seed0"]


def test_runs_are_recognised_whatever_their_folder_is_called(tmp_path):
    first = make_plan(study({"on": {}, "b": {"skips": "off"}}), tmp_path)
    keep(first.trials()[1].config, tmp_path / "elsewhere")
    again = make_plan(study({"on": {}, "renamed": {"skips": "off"}}), tmp_path)
    assert folders(again) == ["on-seed0", "elsewhere", "on-seed1", "renamed-seed1"]


def test_a_run_of_other_settings_is_not_touched_and_the_difference_is_named(tmp_path):
    keep(RunConfig(stages=3, epochs=7), tmp_path / "on-seed0")
    with pytest.raises(UsageError, match=r"on-seed0: is a run of other settings \(epochs 7 there, 12 here\)"):
        make_plan(study({"on": {}, "b": {"skips": "off"}}), tmp_path)


def test_arms_whose_folders_would_be_one_are_refused(tmp_path):
    with pytest.raises(UsageError, match="share the folder"):
        make_plan(study({"a b": {}, "a-b": {"skips": "off"}}), tmp_path)


def test_an_arm_that_a_level_names_again_is_refused(tmp_path):
    with pytest.raises(UsageError, match="two arms are called 'only-0'"):
        make_plan(study({"on": {}, "only-0": {"lr": 0.1}, "only-{level}": {"skips": "{level}"}}), tmp_path)
