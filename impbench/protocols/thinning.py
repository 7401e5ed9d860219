"""Ask how well the molecules a cell was shown predict those that were set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from impbench import large
from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.metrics.thinned import thinned_losses
from impbench.parameters import parameter
from impbench.protocols.molecules import deal
from impbench.protocols.protocol import Hidden, LazyEvidence, Problem, Protocol, observe
from impbench.scale import Matrix, library_sizes


@dataclass(frozen=True)
class Thinning(Protocol):
    """Deal every molecule to a training or a test pile, and predict one from the other.

    The imputer sees the training pile, with size factors of its own library sizes (molecules of
    genes left out are dealt as well), so nothing it is given depends on the test pile. Its result,
    as counts, times test molecules / training molecules over the whole matrix is the prediction
    of the test pile. No truth is needed, so this can be asked of any whole counts. The oracle
    predicts the test pile itself, as the perfect denoising of Open Problems does: no method can,
    because that pile holds chance besides expression.
    """

    name: ClassVar[str] = "thinning"
    summary: ClassVar[str] = "Prediction of molecules that were set aside"
    reference: ClassVar[str] = "Open Problems denoising (Luecken et al. 2025); Batson et al. 2019"
    meaning: ClassVar[str] = (
        "A share of the molecules of every cell is set aside, and a method that knows the "
        "expression behind the counts predicts them well from the rest. Of what can be asked of "
        "any file, this is closest to: are the values better than those counted?"
    )
    purpose: ClassVar[str] = "expression levels"
    offers: ClassVar[Mapping[str, str]] = {
        "test_counts": "molecules set aside, (cells, genes), sparse",
        "predicted_test": "imputed molecules at the depth of those set aside, (cells, genes)",
        "thinned_losses": "three losses of each cell, by name: `impbench.metrics.thinned`",
    }

    train: float = parameter(
        0.9, "Probability with which a molecule is shown to the imputer.", min=0.05, max=0.95
    )
    split_seed: int = parameter(1, "Which deal of the molecules.", min=0)

    def obstacle(self, dataset: Dataset) -> str | None:
        """Only whole molecules can be dealt."""
        return needs_molecules(dataset)

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Draw the deal from `seed` and `split_seed`."""
        shown, test = deal(dataset, self.train, [seed, self.split_seed])
        observed, _, convention = observe(shown, "own")
        hidden = Hidden(
            # At the depth of the training pile, because the oracle answers in the imputer's place.
            truth_counts=test.multiply(1 / _depth(test, observed.counts)).tocsr(),
            truth_size_factors=observed.size_factors,
            extra={"test_counts": test},
        )
        return Problem(
            observed,
            hidden,
            metrics=("thinned-poisson", "thinned-mse", "openproblems-poisson"),
            conventions=(
                f"each molecule was shown with probability {self.train:g} and set aside otherwise: "
                f"{test.sum():.0f} set aside",
                f"what the imputer sees: {convention}, molecules shown alone",
                "the oracle predicts the very molecules set aside, chance included: "
                "no method can reach it",
            ),
        )

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``predicted_test``, (cells, genes) float32, in molecules of the test pile.

        Besides, its three losses, ``thinned_losses``.
        """
        test = problem.hidden.extra["test_counts"]
        depth = _depth(test, problem.observed.counts)

        @cache
        def predicted() -> NDArray[np.float32]:
            molecules = imputed.counts(problem.observed)
            for cells in large.some_rows(molecules):
                molecules[cells] *= depth
            return molecules

        return {
            "predicted_test": predicted,
            "thinned_losses": lambda: thinned_losses(predicted(), test),
        }


def _depth(test: Matrix, train: Matrix) -> float:
    """Molecules of the test pile per molecule shown; 1 where either pile is empty."""
    n_test, n_train = float(library_sizes(test).sum()), float(library_sizes(train).sum())
    return n_test / n_train if n_test and n_train else 1.0


def needs_molecules(dataset: Dataset) -> str | None:
    """Say why the molecules of `dataset` cannot be dealt; None when they can."""
    if dataset.counts_are_raw:
        return None
    return (
        f"the values of {dataset.name} are normalised, no whole counts; thinning deals molecules: "
        "name a layer with raw counts (--layer)"
    )
