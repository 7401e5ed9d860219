"""Ask whether a method's standard deviations are as large as its errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed, Observed
from impbench.parameters import parameter
from impbench.protocols.molecules import deal
from impbench.protocols.predictive import CountPrediction, GaussianPrediction
from impbench.protocols.protocol import Hidden, LazyEvidence, Problem, Protocol, observe
from impbench.protocols.thinning import needs_molecules

ENTRIES = 200_000
"""Entries scored: the coverage of that many is known to about 0.1 %."""

LEVEL = 0.9
"""Of the interval whose width is reported."""


@dataclass(frozen=True)
class Calibration(Protocol):
    """Compare the intervals that a method's standard deviations give with what is true.

    ``truth="thinned"``: molecules are dealt as in `impbench.protocols.thinning`. The method says
    that the expression behind a count has mean m and standard deviation σ at the depth shown; with
    a gamma distribution of those moments, the molecules set aside follow a negative binomial with
    mean r·m and variance r·m + r²σ², r = (1 - train) / train (`CountPrediction`).

    ``truth="simulated"``: the true counts of simulated cells, brought to the scale on which the
    method answers, are taken as Gaussian with the method's mean and σ (`GaussianPrediction`). They
    hold the chance of sampling as well as expression, so a σ that is meant for the expression
    alone gives intervals that are too narrow here.

    What is scored is the share of each predicted distribution below the truth (probability
    integral transform) at `ENTRIES` random entries: where a method is calibrated it is uniform.
    For molecules, genes are drawn in proportion to their molecules shown: where none are expected,
    chance dwarfs every σ. Methods without a standard deviation have no score.
    """

    name: ClassVar[str] = "calibration"
    summary: ClassVar[str] = "Coverage of the intervals a method's standard deviations give"
    reference: ClassVar[str] = "Gneiting et al. 2007; Czado, Gneiting and Held 2009 for counts"
    meaning: ClassVar[str] = (
        "A method that says how sure it is should be right about that: does the truth lie "
        "within its error bars as often as it claims?"
    )
    purpose: ClassVar[str] = "uncertainty"
    offers: ClassVar[Mapping[str, str]] = {
        "test_counts": "molecules set aside, (cells, genes), sparse",
        "pit": "share of the predicted distribution below the truth, sampled entries, (entries,)",
        "interval_width": "width of the 90 % interval, log2 scale, same entries, (entries,)",
    }

    truth: Literal["thinned", "simulated"] = parameter(
        "thinned", "Molecules set aside, or the true counts of simulated cells."
    )
    train: float = parameter(
        0.5,
        "For thinned: probability with which a molecule is shown. Few set aside cannot tell a "
        "right σ from a wrong one.",
        min=0.05,
        max=0.95,
    )
    split_seed: int = parameter(1, "For thinned: which deal of the molecules.", min=0)
    library: Literal["own", "true"] = parameter(
        "own",
        "For simulated: divide each matrix by its own library sizes, or both by the true ones, "
        "which the imputer is then handed.",
    )

    def obstacle(self, dataset: Dataset) -> str | None:
        """Whole counts are needed, or simulated data."""
        if self.truth == "thinned":
            return needs_molecules(dataset)
        if dataset.true_counts is None:
            return f"{dataset.name} has no true counts; use calibration[truth=thinned]"
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Show what `Thinning` or `SimulatedTruth` does; asked together, imputations are shared."""
        if self.truth == "thinned":
            shown, test = deal(dataset, self.train, [seed, self.split_seed])
            observed, _, convention = observe(shown, "own")
            hidden = Hidden(extra={"test_counts": test})
            against = (
                f"each molecule was shown with probability {self.train:g}; those set aside are "
                "compared with a negative binomial of the imputation's mean and variance"
            )
        else:
            observed, known, convention = observe(dataset, self.library)
            hidden = Hidden(known.truth_counts, known.truth_size_factors)
            against = "true counts are compared with a Gaussian, on the scale the method answers on"
        return Problem(
            observed,
            hidden,
            metrics=(
                "coverage-90",
                "coverage-50",
                "coverage-95",
                "undercoverage",
                "undercoverage-50",
                "undercoverage-90",
                "undercoverage-95",
                "interval-width",
            ),
            conventions=(
                convention,
                against,
                "a method that offers no standard deviation has no score here; no control does",
            ),
        )

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``pit`` and ``interval_width``, (entries,) float64; empty without `std`."""

        @cache
        def prediction() -> CountPrediction | GaussianPrediction | None:
            if imputed.std is None:
                return None
            rng = np.random.default_rng(seed)
            if self.truth == "simulated":
                cells, genes = _entries(problem.observed, rng, np.ones(problem.observed.n_genes))
                return GaussianPrediction.of(problem, imputed, cells, genes)
            molecules = np.asarray(problem.observed.counts.sum(axis=0), dtype=np.float64).ravel()
            cells, genes = _entries(problem.observed, rng, molecules)
            depth = (1 - self.train) / self.train
            return CountPrediction.of(problem, imputed, cells, genes, depth, rng.random(ENTRIES))

        def pit() -> NDArray[np.float64]:
            found = prediction()
            return np.empty(0) if found is None else found.pit()

        def interval_width() -> NDArray[np.float64]:
            found = prediction()
            return np.empty(0) if found is None else found.width(LEVEL)

        return {"pit": pit, "interval_width": interval_width}


def _entries(
    observed: Observed, rng: np.random.Generator, weights: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw cells evenly and genes by weight, with replacement."""
    if not weights.any():
        weights = np.ones_like(weights)
    genes = rng.choice(observed.n_genes, ENTRIES, p=weights / weights.sum())
    return rng.integers(observed.n_cells, size=ENTRIES), genes
