"""The studies that come with the package: each can be planned, and says what would refute it."""

from itertools import product

import pytest

from unetseg.models.unet import skip_levels
from unetseg.studies.study_file import PRESETS, load_study, preset_names


@pytest.mark.parametrize("name", preset_names())
def test_every_arm_of_a_preset_is_another_valid_configuration(name):
    study = load_study(name)
    study = study.expanded(skip_levels(study.base))
    assert study.claim and len({arm.label for arm in study.arms}) == len(study.arms)
    identities = [config.identity() for arm in study.arms for _, config in arm.settings(study.base, name)]
    assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("name", ["short", "merge", "activation", "degradation", "cost", "norm"])
def test_a_preset_says_whose_claim_it_tests_and_what_would_refute_it(name):
    header = (PRESETS / f"{name}.yaml").read_text().partition("claim:")[0]
    assert "Claims: " in header and "Refuted if" in header and " 20" in header


def test_degradation_crosses_depth_short_and_long_skips():
    study = load_study("degradation")
    configs = {arm.name: arm.settings(study.base, "")[0][1] for arm in study.arms}
    found = {(config.short, config.blocks, config.skips) for config in configs.values()}
    assert found == set(product(("plain", "residual"), (1, 4, 8, 16), ("on", "off")))
    for name, config in configs.items():
        off = "-off" if config.skips == "off" else ""
        assert name == f"{config.short}-{config.blocks}{off}"
    assert study.primary == "train_loss"
