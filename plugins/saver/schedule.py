"""Which genes get a full regression, which an approximate one, which their mean (SAVER's do.fast).

Cross-validation is what takes time. So a first block of genes shows how much of a correlation with
another gene a useful regression needs, a second how λ depends on that correlation, and the rest
does without cross-validation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIRST_BLOCK = 100
SCOUTS = 8
"""The first genes run apart, as in the original; fold seeds start anew after them."""
USEFUL_GAIN = 0.5
"""A regression is useful if √gain, gain in standard errors of the deviance, is above this."""
USEFUL_GENES = 100
"""The second block is as long as it takes to meet about so many of them."""


@dataclass(frozen=True)
class GeneTask:
    """A gene, to be predicted by cross-validation (`fold_seed`), at λ `chosen`, or by its mean."""

    gene: int
    fold_seed: int | None = None
    largest: float = 0.0
    chosen: float = 0.0


@dataclass(frozen=True)
class GeneOutcome:
    """λ without predictors and λ used, both 0 if the mean predicts the gene; gain of the latter."""

    largest: float
    chosen: float
    gain: float


@dataclass(frozen=True)
class Summary:
    """Outcomes of all genes; correlation above which a gene is predicted, None if none was set."""

    outcomes: dict[int, GeneOutcome]
    cutoff: float | None


Run = Callable[[Sequence[GeneTask]], Iterable[GeneOutcome]]


def schedule(
    order: NDArray[np.int64],
    correlation: NDArray[np.float64],
    deviation: NDArray[np.float64],
    run: Run,
    do_fast: bool,
) -> Summary:
    """Run every gene of `order` once.

    Parameters
    ----------
    order
        Genes in the order in which they come.
    correlation, deviation
        (genes,) largest absolute correlation with a predictor, and standard deviation (divisor:
        cells) of normalised counts.
    run
        Does tasks and returns their outcomes in the same order.
    do_fast
        False: cross-validate every gene.
    """
    outcomes: dict[int, GeneOutcome] = {}

    def run_block(tasks: list[GeneTask]) -> None:
        outcomes.update(zip((task.gene for task in tasks), run(tasks), strict=True))

    first = order[:FIRST_BLOCK] if do_fast else order
    run_block(_cross_validate(first[:SCOUTS]))
    run_block(_cross_validate(first[SCOUTS:]))
    rest = order[len(first) :]
    if not len(rest):
        return Summary(outcomes, None)

    cutoff = _cutoff(correlation[first], [outcomes[gene].gain for gene in first])
    predictable = correlation > cutoff
    share = predictable[first].mean()
    n_second = math.ceil(min(len(rest), USEFUL_GENES / share)) if share > 0 else len(rest)
    second, third = rest[:n_second], rest[n_second:]
    run_block([t if predictable[t.gene] else GeneTask(t.gene) for t in _cross_validate(second)])
    if not len(third):
        return Summary(outcomes, cutoff)

    seen = [g for g in (*first, *second) if predictable[g] and outcomes[g].chosen > 0]
    ratios = [math.log(outcomes[gene].largest / outcomes[gene].chosen) ** 2 for gene in seen]
    intercept, slope = _line(correlation[seen], ratios)
    largest = correlation * deviation
    chosen = largest * np.exp(-np.sqrt(np.maximum(0, intercept + slope * correlation)))
    run_block(
        [
            GeneTask(g, largest=largest[g], chosen=chosen[g]) if predictable[g] else GeneTask(g)
            for g in third
        ]
    )
    return Summary(outcomes, cutoff)


def _cross_validate(genes: NDArray[np.int64]) -> list[GeneTask]:
    return [GeneTask(int(gene), fold_seed=i + 1) for i, gene in enumerate(genes)]


def _cutoff(correlation: NDArray[np.float64], gains: list[float]) -> float:
    """Return the correlation at which the line through √gain reaches `USEFUL_GAIN`."""
    intercept, slope = _line(correlation, np.sqrt(gains))
    # Without a slope no correlation is known to suffice; none exceeds 1.
    return (USEFUL_GAIN - intercept) / slope if slope != 0 else 1.0


def _line(x: NDArray[np.float64], y: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """Return intercept and slope by least squares; slope 0 where x does not vary."""
    x, y = np.asarray(x), np.asarray(y)
    centred = x - x.mean()
    square = float(centred @ centred)
    slope = float(centred @ y) / square if square > 0 else 0.0
    return float(y.mean()) - slope * float(x.mean()), slope
