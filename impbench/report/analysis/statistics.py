"""Do methods differ beyond chance? Friedman, Nemenyi and Wilcoxon tests over datasets.

A dataset counts once, by its mean over seeds: seeds repeat a measurement, they are no further
sample of biology. Failed imputations count as the worst (see `worst`). After Demšar
(2006), Statistical comparisons of classifiers over multiple data sets, JMLR 7, sections 3.1.3 and
3.2.2.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impbench.report.analysis.run import Run

MIN_DATASETS = 6
"""With five, the smallest two-sided p a signed-rank test can reach is 2 / 2⁵ = 0.0625."""

ALPHA = 0.05


@dataclass(frozen=True)
class Pair:
    """One paired Wilcoxon signed-rank test; `p_holm` is corrected over all pairs of the metric."""

    better: str
    worse: str
    median_gain: float
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """The tests for one protocol and metric."""

    protocol: str
    metric: str
    n_datasets: int
    imputers: tuple[str, ...]
    """Those that have a score on every dataset, or failed there, from best to worst mean rank;
    controls that see the truth are not compared."""
    left_out: tuple[str, ...] = ()
    """Those that lack a score somewhere without having failed: unavailable, stopped, undefined."""
    failed: Mapping[str, int] = field(default_factory=dict)
    """Of those compared, on how many datasets an imputation failed, by name."""
    refusal: str = ""
    """Why nothing was tested, as a sentence; empty when it was."""
    mean_ranks: pd.Series | None = None
    """By imputer."""
    statistic: float = math.nan
    """Of Friedman's test."""
    p_value: float = math.nan
    """Of the same."""
    critical_difference: float = math.nan
    """Of mean ranks, Nemenyi, at `ALPHA`."""
    nemenyi: pd.DataFrame | None = None
    """Pairwise p values, imputers × imputers."""
    pairs: tuple[Pair, ...] = ()
    """Every pair of imputers, smallest corrected p first."""

    @property
    def smallest_p(self) -> float:
        """The smallest corrected p that this many datasets and pairs could give."""
        return min(1.0, math.comb(len(self.imputers), 2) * 2.0 ** (1 - self.n_datasets))

    @property
    def datasets_needed(self) -> int:
        """Datasets from which a corrected p below `ALPHA` is possible for this many pairs."""
        n_pairs = max(1, math.comb(len(self.imputers), 2))
        return max(MIN_DATASETS, math.floor(math.log2(2 * n_pairs / ALPHA)) + 1)


def compare(run: Run, summary: pd.DataFrame) -> list[Comparison]:
    """Test every protocol on the metric it leads with."""
    leads = {protocol: run.lead_metric(protocol) for protocol in run.protocols}
    return [
        compare_metric(run, summary, protocol, metric)
        for protocol, metric in leads.items()
        if metric is not None
    ]


def compare_metric(run: Run, summary: pd.DataFrame, protocol: str, metric: str) -> Comparison:
    """Test one metric of one protocol."""
    rows = summary[(summary["protocol"] == protocol) & (summary["metric"] == metric)]
    rows = rows[~rows["imputer"].map(run.sees_truth).astype(bool)]
    means, n_scored, n_failed = (
        rows.pivot(index="dataset", columns="imputer", values=column)
        for column in ("counted", "n_scored", "n_failed")
    )
    means = means[[name for name in run.imputers if name in means.columns]]
    means = means.dropna(how="all")
    complete = means.dropna(axis=1)
    left_out = tuple(name for name in means.columns if name not in complete.columns)
    # Oriented so that rank 1 is best; rounded so that equal to ten digits is a tie.
    loss = (complete * run.metrics[metric].direction).map(lambda value: float(f"{value:.10g}"))
    # Behind the worst score stands who has none.
    nothing = n_scored.loc[loss.index, loss.columns] == 0
    placed = loss.mask(nothing, math.inf).rank(axis=1)
    ranks = placed.mean().sort_values(kind="stable")
    failed = (n_failed.loc[loss.index, loss.columns] > 0).sum()
    base = Comparison(
        protocol=protocol,
        metric=metric,
        n_datasets=len(loss),
        imputers=tuple(ranks.index),
        left_out=left_out,
        failed={str(name): int(n) for name, n in failed.items() if n},
        mean_ranks=ranks,
    )
    refusal = _refusal(base)
    if refusal:
        return dataclasses.replace(base, refusal=refusal)
    # Half a second to import, for runs of many datasets alone.
    import scikit_posthocs
    import scipy.stats

    loss, placed = loss[list(ranks.index)], placed[list(ranks.index)]
    friedman = scipy.stats.friedmanchisquare(*(placed[name] for name in placed.columns))
    return dataclasses.replace(
        base,
        statistic=float(friedman.statistic),
        p_value=float(friedman.pvalue),
        critical_difference=critical_difference(len(ranks), len(loss)),
        nemenyi=scikit_posthocs.posthoc_nemenyi_friedman(placed),
        pairs=_pairs(loss),
    )


def critical_difference(n_imputers: int, n_datasets: int) -> float:
    """Nemenyi's critical difference of mean ranks at `ALPHA` (Demšar 2006, section 3.2.2)."""
    import scipy.stats

    q = scipy.stats.studentized_range.ppf(1 - ALPHA, n_imputers, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(n_imputers * (n_imputers + 1) / (6 * n_datasets)))


def _refusal(base: Comparison) -> str:
    n, k = base.n_datasets, len(base.imputers)
    if n < MIN_DATASETS:
        has = f"{n} dataset{' has' if n == 1 else 's have'}"
        return (
            f"Too few datasets for tests: {has} this score, at least {MIN_DATASETS} are needed. "
            "With five, the smallest two-sided p value of a paired signed-rank test is 0.0625, "
            "whatever the data."
        )
    if k < 3:
        return (
            f"{k} imputer{' has' if k == 1 else 's have'} a score on every dataset; Friedman's "
            "test compares three or more."
        )
    return ""


def _pairs(loss: pd.DataFrame) -> tuple[Pair, ...]:
    values, names = loss.to_numpy(dtype=np.float64), list(map(str, loss.columns))
    first, second = np.triu_indices(values.shape[1], 1)
    differences = values[:, first] - values[:, second]
    # Positive where the first of a pair has the smaller loss.
    gains = np.median(-differences, axis=0)
    p_values = holm(wilcoxon_p(differences))
    pairs = []
    for i, j, gain, p_holm in zip(first, second, gains, p_values, strict=True):
        a, b = names[i], names[j]
        better, worse = (a, b) if gain >= 0 else (b, a)
        pairs.append(Pair(better, worse, abs(float(gain)), float(p_holm)))
    return tuple(sorted(pairs, key=lambda pair: pair.p_holm))


def wilcoxon_p(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Wilcoxon's two-sided p of each column of differences, (datasets, pairs).

    As ``scikit_posthocs.posthoc_wilcoxon(..., zero_method="zsplit")`` before its correction.
    Columns without zeros and ties are tested together; for the others the test takes another way,
    which SciPy would take for all columns of a call.
    """
    import scipy.stats

    sizes = np.sort(np.abs(differences), axis=0)
    plain = (sizes[0] > 0) & (np.diff(sizes, axis=0) > 0).all(axis=0)
    found = np.empty(differences.shape[1])
    groups = [np.flatnonzero(plain), *np.flatnonzero(~plain)[:, None]]
    for columns in filter(len, groups):
        test = scipy.stats.wilcoxon(differences[:, columns], zero_method="zsplit")
        found[columns] = test.pvalue
    return found


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct p values for their number: Holm (1979), Scandinavian Journal of Statistics 6, 65."""
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def significant(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs whose corrected p is below `ALPHA`."""
    return [pair for pair in pairs if pair.p_holm < ALPHA]
