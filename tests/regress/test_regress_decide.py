"""The decision: equal to SciPy's tests, symmetric, and as rarely wrong as it says."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from impbench.regress.decide import MOST, holm, share_level, weigh

scores = st.lists(st.floats(-10, 10), min_size=2, max_size=8)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def seeded(values: object, first: int = 1) -> dict[int, float]:
    return {first + i: float(value) for i, value in enumerate(values)}  # type: ignore[call-overload]


def test_pooled_p_value_is_students() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=10), rng.normal(0.8, size=5)
    expected = scipy.stats.ttest_ind(y, x, alternative="greater").pvalue
    assert weigh(seeded(x), seeded(y, 100), "min").p_worse == pytest.approx(expected)


@pytest.mark.parametrize("sizes", [(10, 6), (6, 10)])
def test_spreads_that_differ_need_welchs_test_too(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=sizes[0]), rng.normal(2, 30, size=sizes[1])
    both = [
        scipy.stats.ttest_ind(y, x, alternative="greater", equal_var=equal).pvalue
        for equal in (True, False)
    ]
    assert both[0] != pytest.approx(both[1])
    assert weigh(seeded(x), seeded(y, 100), "min").p_worse == pytest.approx(max(both))


def test_shared_seeds_add_a_paired_test_at_a_fifth_of_the_level() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(10, 1, size=5)
    y = x + rng.normal(0.5, 0.01, size=5)
    paired = scipy.stats.ttest_rel(y, x, alternative="greater").pvalue
    unpaired = scipy.stats.ttest_ind(y, x, alternative="greater").pvalue
    assert weigh(seeded(x), seeded(y), "min").p_worse == pytest.approx(5 * paired)
    assert weigh(seeded(x), seeded(y, 100), "min").p_worse == pytest.approx(unpaired)
    y = rng.normal(12, 1, size=5)
    paired = scipy.stats.ttest_rel(y, x, alternative="greater").pvalue
    unpaired = scipy.stats.ttest_ind(y, x, alternative="greater").pvalue
    assert weigh(seeded(x), seeded(y), "min").p_worse == pytest.approx(1.25 * unpaired)


@settings(max_examples=60)
@given(scores, scores)
def test_larger_is_better_mirrors_smaller_is_better(x: list[float], y: list[float]) -> None:
    low = weigh(seeded(x), seeded(y), "min", 0.1)
    high = weigh(seeded(x), seeded(y), "max", 0.1)
    assert (low.p_worse, low.p_better) == (high.p_better, high.p_worse)
    assert low.loss == -high.loss


@settings(max_examples=60)
@given(scores, scores, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_floor_never_makes_an_alarm(
    x: list[float], y: list[float], a: float, b: float
) -> None:
    small, large = (weigh(seeded(x), seeded(y), "min", floor) for floor in sorted((a, b)))
    assert large.p_worse >= small.p_worse
    assert large.p_better >= small.p_better


@pytest.mark.parametrize("same", [True, False])
def test_a_loss_within_the_floor_is_none_however_sure(same: bool) -> None:
    x = np.array([1.0, 1.0001, 0.9999])
    found = [
        weigh(seeded(x), seeded(1.004 * x, 1 if same else 4), "min", floor).p_worse
        for floor in (0.005, 0.003)
    ]
    assert found[0] == 1.0
    assert found[1] < 1e-3


@pytest.mark.parametrize(("loss", "p_worse"), [(0.02, 0.0), (0.005, 1.0), (-0.02, 1.0)])
def test_without_noise_the_floor_alone_decides(loss: float, p_worse: float) -> None:
    evidence = weigh(seeded([0.1] * 3), seeded([0.1 + loss] * 5), "min", 0.01)
    assert evidence.noiseless
    assert evidence.p_worse == p_worse


def test_rounding_of_another_processor_is_no_change() -> None:
    evidence = weigh(seeded([0.0] * 3), seeded([3e-7] * 3), "min", 0.0)
    assert evidence.p_worse == 1.0


@pytest.mark.parametrize("first", [1, 3, 100])
@pytest.mark.parametrize("spread", [0.01, 1])
@pytest.mark.parametrize("floor", [0.2, 9])
def test_largest_passing_loss_passes_and_a_larger_one_does_not(
    first: int, spread: float, floor: float
) -> None:
    """Whether no seed is shared, some or all, and whichever test or floor decides."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=6)
    y = x[[2, 3, 4, 5]] + spread * rng.normal(size=4)
    evidence = weigh(seeded(x), seeded(y, first), "min", floor)
    beyond = evidence.largest_passing_loss(0.003) - evidence.loss
    below, above = (
        weigh(seeded(x), seeded(y + beyond + step, first), "min", floor).p_worse
        for step in (-1e-6, 1e-6)
    )
    assert above <= 0.003 < below


def test_one_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than two seeds"):
        weigh({1: 0.1}, {1: 0.2, 2: 0.3}, "min")


def test_holm_is_as_published() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(p_values)
def test_holm_keeps_the_order_and_lies_between_raw_and_bonferroni(p: list[float]) -> None:
    corrected = holm(p)
    for raw, value in zip(p, corrected, strict=True):
        assert raw <= value <= min(1.0, len(p) * raw)
    order = np.argsort(p, kind="stable")
    assert all(np.diff(np.asarray(corrected)[order]) >= 0)


def test_holm_with_weights_is_as_published() -> None:
    corrected = holm([0.002, 0.004, 0.5], [0.5, 0.1, 0.4])
    assert corrected == pytest.approx([0.002 / 0.5, 0.5 * 0.004 / 0.1, 0.5])


@given(p_values, st.data())
def test_holm_needs_no_order_and_only_the_ratios_of_weights(
    p: list[float], data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 10), min_size=len(p), max_size=len(p)))
    order = data.draw(st.permutations(range(len(p))))
    corrected = holm(p, weights)
    assert corrected == pytest.approx(holm(p, [3 * weight for weight in weights]))
    shuffled = holm([p[i] for i in order], [weights[i] for i in order])
    assert shuffled == pytest.approx([corrected[i] for i in order])


@given(st.lists(st.booleans(), max_size=30))
def test_most_of_the_level_goes_to_what_leads(leads: list[bool]) -> None:
    weights = share_level(leads)
    assert sum(weights) == pytest.approx(1 if leads else 0)
    leading = sum(weight for weight, lead in zip(weights, leads, strict=True) if lead)
    assert leading == pytest.approx(sum(leads) and (1 if all(leads) else MOST))


def build(
    rng: np.random.Generator, noise: float, n: int, same: bool, loss: float = 0.0
) -> list[float]:
    """Corrected p values of 40 scores, 4 of which lead and the first of which gets worse."""
    old, new = 1 + noise * rng.normal(size=(40, n)), 1 + noise * rng.normal(size=(40, 5))
    new[0] *= 1 + loss
    found = [
        weigh(seeded(x), seeded(y, 1 if same else n + 1), "min", 0.0)
        for x, y in zip(old, new, strict=True)
    ]
    return holm([evidence.p_worse for evidence in found], share_level([i < 4 for i in range(40)]))


@pytest.mark.parametrize(("n", "same"), [(5, True), (5, False), (50, True), (50, False)])
def test_at_most_one_unchanged_build_in_a_hundred_fails(n: int, same: bool) -> None:
    rng = np.random.default_rng(5)
    alarms = sum(min(build(rng, 0.02, n, same)) <= 0.01 for _ in range(300))
    # Without any floor, where the level is fully used; 3 are expected at most.
    assert alarms <= scipy.stats.binom.ppf(0.99, 300, 0.01)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("noise", "n"), [(0.005, 5), (0.01, 10), (0.021, 100)])
def test_a_five_percent_loss_is_seen_whatever_the_seeds(noise: float, n: int, same: bool) -> None:
    """Up to 2.1 % of noise, given a baseline that is large enough."""
    rng = np.random.default_rng(6)
    seen = [build(rng, noise, n, same, 0.05)[0] <= 0.01 for _ in range(100)]
    assert sum(seen) >= 95
