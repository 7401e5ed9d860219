"""The decision: equal to SciPy's tests, symmetric, and as rarely wrong as it says."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from impbench.regress.decide import ROUNDING, Evidence, holm, weigh

scores = st.lists(st.floats(-10, 10), min_size=2, max_size=8)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def seeded(values: object, first: int = 1) -> dict[int, float]:
    return {first + i: float(value) for i, value in enumerate(values)}  # type: ignore[call-overload]


def test_pooled_p_value_is_students() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=10), rng.normal(0.8, size=5)
    expected = scipy.stats.ttest_ind(y - 0.3, x, alternative="greater").pvalue
    assert weigh(seeded(x), seeded(y, 100), "min", 0.3).p_worse == pytest.approx(expected)


@pytest.mark.parametrize("sizes", [(10, 6), (6, 10)])
def test_spreads_that_differ_need_welchs_test_too(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=sizes[0]), rng.normal(2, 30, size=sizes[1])
    both = [
        scipy.stats.ttest_ind(y - ROUNDING, x, alternative="greater", equal_var=equal).pvalue
        for equal in (True, False)
    ]
    assert both[0] != pytest.approx(both[1])
    assert weigh(seeded(x), seeded(y, 100), "min").p_worse == pytest.approx(max(both))


def test_shared_seeds_add_a_paired_test_at_half_the_level() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(10, 1, size=5)
    y = x + rng.normal(0.5, 0.01, size=5)
    expected = 2 * scipy.stats.ttest_rel(y - ROUNDING, x, alternative="greater").pvalue
    assert weigh(seeded(x), seeded(y), "min").p_worse == pytest.approx(expected)
    assert weigh(seeded(x), seeded(y, 100), "min").p_worse > 0.1


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


@pytest.mark.parametrize(("loss", "p_worse"), [(0.02, 0.0), (0.005, 1.0), (-0.02, 1.0)])
def test_without_noise_the_floor_alone_decides(loss: float, p_worse: float) -> None:
    evidence = weigh(seeded([0.1] * 3), seeded([0.1 + loss] * 5), "min", 0.01)
    assert evidence.noiseless
    assert evidence.p_worse == p_worse


def test_rounding_of_another_processor_is_no_change() -> None:
    evidence = weigh(seeded([0.0] * 3), seeded([3e-7] * 3), "min", 0.0)
    assert evidence.p_worse == 1.0


def test_largest_passing_loss_has_the_p_value_it_is_for() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=6), rng.normal(size=4)
    evidence = weigh(seeded(x), seeded(y, 100), "min", 0.2)
    limit = evidence.largest_passing_loss(0.003)
    moved = weigh(seeded(x), seeded(y + limit - evidence.loss, 100), "min", 0.2)
    assert moved.p_worse == pytest.approx(0.003)


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


def build(rng: np.random.Generator, noise: float, same: bool, loss: float = 0.0) -> list[Evidence]:
    """40 scores of 5 + 5 seeds, the first of which gets worse."""
    old, new = 1 + noise * rng.normal(size=(2, 40, 5))
    new[0] *= 1 + loss
    first = 1 if same else 6
    return [weigh(seeded(x), seeded(y, first), "min", 0.0) for x, y in zip(old, new, strict=True)]


@pytest.mark.parametrize("same", [True, False])
def test_at_most_one_unchanged_build_in_a_hundred_fails(same: bool) -> None:
    rng = np.random.default_rng(5)
    alarms = sum(min(holm([e.p_worse for e in build(rng, 0.02, same)])) <= 0.01 for _ in range(500))
    # Without any floor, where the level is fully used; 5 are expected at most.
    assert alarms <= scipy.stats.binom.ppf(0.99, 500, 0.01)


@pytest.mark.parametrize("same", [True, False])
def test_five_percent_loss_at_the_noise_of_maskclass_best_is_seen(same: bool) -> None:
    rng = np.random.default_rng(6)
    seen = [holm([e.p_worse for e in build(rng, 0.003, same, 0.05)])[0] <= 0.01 for _ in range(100)]
    assert sum(seen) >= 95
