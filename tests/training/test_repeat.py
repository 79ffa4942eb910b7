"""The same command trains the same bits."""

import pytest


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--workers", "2"),
        ("--augment", "full", "--foreground-crops", "0.5", "--class-weights", "balanced"),
        ("--control", "drop", "--skips", "off"),
    ],
    ids=["plain", "loader processes", "augmented", "without skips"],
)
def test_the_same_command_twice_trains_the_same_bits(fit, assert_same_bits, flags):
    assert_same_bits(fit(*flags, out="a").run, fit(*flags, out="b").run)


def test_the_number_of_loader_processes_does_not_matter(fit, assert_same_bits):
    assert_same_bits(fit("--workers", "0", out="a").run, fit("--workers", "2", out="b").run)


def test_another_seed_trains_other_weights_on_the_same_split(fit):
    first, second = fit("--seed", "0", out="a").run, fit("--seed", "1", out="b").run
    assert first.epochs() != second.epochs()
    assert first.split.read_bytes() == second.split.read_bytes()
