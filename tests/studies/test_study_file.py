"""Studies as files: what may be written, what is refused and how, and what the presets are."""

from pathlib import Path

import pytest
import yaml

from unetseg.cli import main
from unetseg.errors import UsageError
from unetseg.studies.study_file import load_study, parse_study, preset_names, study_folder, study_yaml

TWO = {"arms": {"a": {"lr": 0.1}, "b": {"lr": 0.2}}}


def parse(values):
    return parse_study(values, "mine", "mine.yaml")


def settings_of(study, name):
    arm = next(arm for arm in study.arms if arm.name == name)
    return arm.settings(study.base, study.name)


def test_the_long_preset_has_every_control():
    study = load_study("long")
    assert study.baseline == "on" and study.primary == "iou" and study.margin == 0.01
    configs = {arm.name: settings_of(study, arm.name)[0][1] for arm in study.arms}
    assert configs.pop("on").skips == "on"
    assert {name: config.control for name, config in configs.items()} == {
        name: name for name in ("drop", "zero", "widen", "self")
    }
    assert {config.skips for config in configs.values()} == {"off"}


def test_the_levels_preset_has_each_level_alone_and_left_out():
    study = load_study("levels").expanded([1, 4])
    skips = {arm.name: settings_of(study, arm.name)[0][1].skips for arm in study.arms}
    assert skips == {
        "all": "on",
        "none": "off",
        "only-1": "1",
        "only-4": "4",
        "without-1": "^1",
        "without-4": "^4",
    }
    assert study.arms[2].label == "With the long skip of level 1 alone"


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_says_which_claim_it_tests(name):
    assert load_study(name).claim
    assert all(arm.label.startswith("With") for arm in load_study(name).arms)


def test_a_file_is_read_with_its_defaults(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text("arms:\n  on: {skips: on}\n  off: {skips: off}\n")
    study = load_study(path)
    assert (study.name, study.baseline, study.primary, study.margin) == ("short", "on", "iou", 0.01)
    assert study.seeds == (0, 1, 2, 3, 4)
    assert study.arms[1].label == "In arm off (skips off)"


def test_a_list_is_what_validation_chooses_from_and_several_make_every_combination():
    study = parse({"arms": {"a": {}, "b": {"lr": ["1e-3", 3e-3], "warmup": [0.1, 0.3]}}})
    tried = [values for values, _ in settings_of(study, "b")]
    assert tried == [{"lr": lr, "warmup": warmup} for lr in (1e-3, 3e-3) for warmup in (0.1, 0.3)]
    assert [config.lr for _, config in settings_of(study, "b")] == [1e-3, 1e-3, 3e-3, 3e-3]


def test_a_list_of_levels_is_one_setting():
    ((values, config),) = settings_of(parse({"arms": {"a": {}, "b": {"skips": [0, 2]}}}), "b")
    assert values == {} and config.skips == "0,2"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"armz": {}}, ["unknown key 'armz'", "did you mean 'arms'"]),
        ({"arms": None}, ["no arms"]),
        ({"arms": {"a": {}}}, ["one arm"]),
        ({"arms": {"a": 3, "b": {}}}, ["arm a", "key: value"]),
        ({"arms": {"a": {}, "b": {"lr": []}}}, ["arm b", "lr", "no values"]),
        ({"arms": {"a": {}, "b": {"seed": 3}}}, ["arm b", "seed"]),
        ({"arms": {"a": {}, "b": {"data": "pets"}}}, ["arm b", "data"]),
        ({"base": {"seed": 3}}, ["seeds: 5"]),
        ({"base": 3}, ["base"]),
        ({"base": {"epoch": 3}}, ["base", "did you mean 'epochs'"]),
        ({"reference": "c"}, ["reference 'c'"]),
        ({"seeds": 0}, ["seeds 0"]),
        ({"seeds": [1, 1]}, ["seeds [1, 1]"]),
        ({"seeds": True}, ["seeds True"]),
        ({"primary": "iuo"}, ["'iuo'", "did you mean 'iou'"]),
        ({"margin": 0}, ["margin 0"]),
        ({"margin": "wide"}, ["margin wide"]),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change, words):
    with pytest.raises(UsageError) as refused:
        parse(TWO | change)
    assert str(refused.value).startswith("mine.yaml")
    assert all(word in str(refused.value) for word in words), refused.value


def test_a_wrong_setting_names_file_and_arm():
    study = parse({"arms": {"a": {}, "b": {"epohcs": 3}}})
    with pytest.raises(UsageError, match=r"mine: arm b: unknown key 'epohcs'; did you mean 'epochs'"):
        settings_of(study, "b")


def test_an_unknown_preset_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'levels'"):
        load_study("level")


PAIRED = {"arms": {name: {"lr": rate} for name, rate in (("a", 0.1), ("b", 0.2), ("c", 0.3))}}


def test_pairs_lose_those_whose_arms_are_left_out():
    study = parse({**PAIRED, "pairs": [["c", "b"], ["c", "a"]]})
    assert study.pairs == (("c", "b"), ("c", "a"))
    assert study.only(["c"]).pairs == (("c", "a"),)
    assert parse_study(yaml.safe_load(study_yaml(study)), "mine", "again").pairs == study.pairs


def test_a_pair_of_an_unknown_arm_is_answered_with_the_nearest():
    study = parse({"arms": {"only-{level}": {"skips": "{level}"}}, "pairs": [["only-0", "onyl-1"]]})
    with pytest.raises(UsageError, match="pairs: 'onyl-1' is none of the arms; did you mean 'only-1'"):
        study.expanded([0, 1])


@pytest.mark.parametrize("pairs", [{"a": "b"}, [["a"]], [["a", "a"]], ["ab"]])
def test_pairs_of_another_form_are_refused(pairs):
    with pytest.raises(UsageError, match=r"mine\.yaml: pairs"):
        parse({**PAIRED, "pairs": pairs})


def test_a_written_study_reads_back_as_the_same():
    for name in preset_names():
        study = load_study(name)
        assert parse_study(yaml.safe_load(study_yaml(study)), "else", "else.yaml") == study


def test_a_part_of_the_arms_keeps_the_reference_and_the_order():
    study = load_study("long").only(["widen", "drop"])
    assert [arm.name for arm in study.arms] == ["on", "drop", "widen"]
    with pytest.raises(UsageError, match="did you mean 'widen'"):
        study.only(["widn"])
    with pytest.raises(UsageError, match="besides the reference"):
        study.only(["on"])


def test_another_base_and_fewer_seeds():
    study = load_study("long")
    changed = study.based_on(study.base.changed(epochs=3), seeds=2)
    assert changed.base.epochs == 3 and changed.seeds == (0, 1)
    with pytest.raises(UsageError, match="--skips: every arm of long sets it"):
        study.based_on(study.base.changed(skips="off"))
    with pytest.raises(UsageError, match="--seeds 0"):
        study.based_on(study.base, seeds=0)


def test_a_folder_is_a_study_if_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert study_folder("mine") is None
    Path("checkpoints/mine").mkdir(parents=True)
    Path("checkpoints/mine/study.yaml").write_text("")
    assert study_folder("mine") == study_folder("checkpoints/mine") == Path("checkpoints/mine")


def test_a_value_that_is_given_replaces_the_list_that_all_arms_would_try():
    study = load_study("norm")
    given = study.based_on(study.base.changed(lr=0.0005))
    assert given.base.lr == 0.0005
    assert all("lr" in arm.overrides for arm in study.arms)
    assert not any("lr" in arm.overrides for arm in given.arms)


def test_trainer_arguments_that_are_none_are_refused_in_a_line(tmp_path, capsys):
    (tmp_path / "own.yaml").write_text("arms: {on: {}, off: {skips: off, trainer: [1]}}\n")
    assert main(["ablate", str(tmp_path / "own.yaml"), "--dry-run"]) == 2
    line = capsys.readouterr().err
    assert "trainer" in line and "unexpected" not in line
