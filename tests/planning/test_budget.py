"""A time becomes seconds, and seconds a number of epochs, once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetseg.errors import UsageError
from unetseg.planning.budget import epochs_within, parse_time

SECONDS = st.floats(0.01, 1e4)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20m", 1200), ("2h", 7200), ("90s", 90), ("1h30m", 5400), ("0.5h", 1800), ("1 H 5 M", 3900)],
)
def test_a_time_is_hours_minutes_and_seconds(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["20", "", "m", "0m", "-5m", "20 minutes", "1h 20", "9999999h"])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"--time '.*': (give minutes or hours, such as 20m|is more than)"):
        parse_time(text)


@given(SECONDS, SECONDS, SECONDS)
def test_epochs_fill_the_time_and_stay_within_it(seconds, training, looking):
    fitting = epochs_within(seconds, training, looking)
    cycle = fitting.every * training + looking
    assert fitting.epochs % fitting.every == 0 < fitting.epochs  # the last epoch is validated
    assert fitting.seconds == pytest.approx(fitting.epochs / fitting.every * cycle)
    assert fitting.seconds <= seconds * (1 + 1e-9) or fitting.epochs == fitting.every
    assert fitting.seconds + cycle > seconds * (1 - 1e-9)


@given(SECONDS, SECONDS, SECONDS)
def test_validation_takes_a_tenth_or_leaves_ten_looks_to_choose_by(seconds, training, looking):
    fitting = epochs_within(seconds, training, looking)
    share = looking / (fitting.every * training)
    if fitting.every > 1:
        assert fitting.epochs / fitting.every >= 10
    if share > 0.1 + 1e-9:  # rarer looks would have been fewer than ten
        assert (seconds / (training + looking)) / (fitting.every + 1) < 10


@given(SECONDS, SECONDS, SECONDS, st.integers(1, 50))
def test_validations_that_are_given_stay(seconds, training, looking, every):
    assert epochs_within(seconds, training, looking, every).every == every
