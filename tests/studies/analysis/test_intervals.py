"""Families of comparisons: Holm, and intervals that hold together and agree with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unetseg.studies.analysis.intervals import excludes_zero_there, holm, simultaneous_intervals
from unetseg.studies.analysis.means import difference_of_means, simultaneous
from unetseg.studies.analysis.statistics import Comparison, interval, two_sided_p
from unetseg.studies.analysis.verdicts import judge

# Holm


def test_holm_agrees_with_values_worked_out_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 gives 0.02, 0.03, 0.06, 0.04.
    # Steps never fall, so the last is 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_leaves_a_single_value_as_it_is():
    assert holm([0.6, 0.9]).tolist() == [1.0, 1.0]
    assert holm([0.2]).tolist() == [0.2]
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_values_and_bonferronis_and_keeps_their_order(p_values):
    adjusted, raw = holm(p_values), np.array(p_values)
    assert (raw <= adjusted).all()
    assert (adjusted <= np.minimum(raw * raw.size, 1)).all()
    assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_holm_refuses_what_is_no_probability(wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, wrong])


def test_holm_works_along_the_last_axis():
    families = np.array([[0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.001, 1.0]])
    assert holm(families) == pytest.approx(np.array([holm(family) for family in families]))


# Simultaneous intervals

families = st.lists(
    st.tuples(st.floats(-5, 5), st.floats(0.05, 2), st.integers(2, 30)), min_size=1, max_size=8
).map(lambda rows: Comparison(*np.array(rows, dtype=np.float64).T))
levels = st.sampled_from([0.05, 0.01])


@given(families, levels)
def test_an_interval_excludes_zero_exactly_where_holm_finds_a_difference(family, level):
    p = two_sided_p(family)
    low, high = simultaneous_intervals(family, p, level)
    assert ((low > 0) | (high < 0)).tolist() == (holm(p) < level).tolist()
    assert (low <= family.mean).all() and (family.mean <= high).all()


@given(families)
def test_no_interval_is_narrower_than_that_of_one_comparison_alone_but_where_it_ends_at_zero(family):
    low, high = simultaneous_intervals(family, two_sided_p(family))
    alone = interval(family, 0.05)
    assert ((low <= alone[0] + 1e-9) | (np.abs(low) < 1e-300)).all()
    assert ((high >= alone[1] - 1e-9) | (np.abs(high) < 1e-300)).all()


def test_one_comparison_has_the_interval_of_its_t_test():
    family = Comparison(np.array([0.3]), np.array([0.1]), np.array([7.0]))
    low, high = simultaneous_intervals(family, two_sided_p(family))
    assert (low[0], high[0]) == pytest.approx(stats.t.interval(0.95, 7, 0.3, 0.1))


def test_intervals_are_bonferronis_until_many_differences_are_found():
    one = Comparison(np.array([9.0, 0.1, 0.2]), np.ones(3), np.full(3, 10.0))
    two = one._replace(mean=np.array([9.0, 9.0, 0.2]))
    for family, level in ((one, 0.05 / 3), (two, 0.4 * 0.05 / 2)):
        low, high = simultaneous_intervals(family, two_sided_p(family))
        assert (low[0], high[0]) == pytest.approx(stats.t.interval(1 - level, 10, 9.0, 1.0))
        assert (low[2], high[2]) == pytest.approx(stats.t.interval(1 - 0.05 / 3, 10, 0.2, 1.0))


def test_an_interval_that_only_holms_later_steps_free_of_zero_ends_there():
    # 1.96 < 2.1 < 2.39: found at the second step, and not by Bonferroni.
    family = Comparison(np.array([5.0, 2.1]), np.ones(2), np.full(2, 1e9))
    low, _ = simultaneous_intervals(family, two_sided_p(family), 0.05)
    bonferroni, _ = interval(Comparison(*(column[1:] for column in family)), 0.025)
    assert bonferroni[0] < 0 < low[1] < 1e-300
    assert excludes_zero_there(low[1]) == "above 0" and excludes_zero_there(low[0]) == ""


@pytest.mark.parametrize("differing", [0, 2, 6, 7, 8])
def test_all_intervals_hold_together(differing):
    """In 10,000 families of eight, of which some differ; by the module's account in 93 % at least."""
    generator = np.random.default_rng(differing)
    truth = np.where(np.arange(8) < differing, 4.5, 0.0)
    freedom = np.full((10_000, 8), 12.0)
    error = np.sqrt(generator.chisquare(12, (10_000, 8)) / 12)
    family = Comparison(truth + generator.standard_normal((10_000, 8)), error, freedom)
    low, high = simultaneous_intervals(family, two_sided_p(family))
    held = ((low <= truth) & (truth <= high)).all(axis=1).mean()
    assert 0.925 <= held <= 0.98


def test_a_family_of_differences_keeps_its_means_and_ends_where_the_metric_does():
    generator = np.random.default_rng(0)
    baseline = generator.uniform(0, 1, (3, 12))
    arms = {name: generator.uniform(0, 1, (3, 12)) for name in "abc"} | {"up": 0 * baseline + 1}
    alone = {name: difference_of_means(values, baseline, limits=(0, 1)) for name, values in arms.items()}
    together, judged = simultaneous(alone, (0, 1)), judge(alone, None)
    for name, difference in together.items():
        assert difference.mean == alone[name].mean
        assert -1 <= difference.low <= alone[name].low and alone[name].high <= difference.high <= 1
        assert (difference.low > 0 or difference.high < 0) == judged[name].significant


def test_a_comparison_without_an_interval_gets_none_from_its_family():
    scores = np.random.default_rng(0).uniform(0, 1, (2, 3, 12))
    few = difference_of_means(*scores[..., :3], pooled=True)
    family = simultaneous({"few": few, "enough": difference_of_means(*scores)})
    assert np.isinf(family["few"].low) and np.isfinite(family["enough"].low)
