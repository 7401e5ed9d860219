"""Ask whether a method says the same again: with another seed, and from half of the cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.imputer import Imputed
from impbench.parameters import parameter
from impbench.protocols.protocol import Again, Hidden, LazyEvidence, Problem, Protocol, observe

SEED_SHIFT = 1000
"""Far from the seeds of other repeats."""

_HALVES = ("half-0", "half-1")


@dataclass(frozen=True)
class Stability(Protocol):
    """Impute all cells twice with two seeds, and each random half of the cells alone.

    A half is shown with the size factors that its cells have among all, so that only the company
    differs. There is no truth in this question, and no oracle: a method that ignores the data is
    perfectly stable.
    """

    name: ClassVar[str] = "stability"
    summary: ClassVar[str] = "Agreement between seeds, and between halves of the cells"
    reference: ClassVar[str] = "split-half reliability, as in psychometrics"
    meaning: ClassVar[str] = (
        "The same data are imputed again with another random seed, and with half of the cells. "
        "Does the result stay the same?"
    )
    purpose: ClassVar[str] = "stability"
    offers: ClassVar[Mapping[str, str]] = {
        "half": "random half each cell belongs to, 0 or 1, (cells,)",
        "other_seed": "imputed expression with another seed, log2 scale, (cells, genes)",
        "apart": "imputed expression, each half of the cells alone, log2 scale, (cells, genes)",
    }

    split_seed: int = parameter(1, "Which halves.", min=0)

    def obstacle(self, dataset: Dataset) -> str | None:
        """Each half needs two cells, and more cells than groups."""
        least = 2 * max(2, (dataset.n_groups or 1) + 1)
        if dataset.n_cells < least:
            return (
                f"{dataset.name} has {dataset.n_cells} cells; {least} are needed for two halves "
                "with more cells than groups in each"
            )
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Draw the halves from `seed` and `split_seed`; they differ by one cell at most."""
        observed, _, convention = observe(dataset, "own")
        rng = np.random.default_rng([seed, self.split_seed])
        half = rng.permutation(dataset.n_cells) % 2
        again = {"other-seed": Again(observed, SEED_SHIFT)}
        for number, name in enumerate(_HALVES):
            again[name] = Again(observed.of_cells(np.flatnonzero(half == number)))
        return Problem(
            observed,
            Hidden(extra={"half": half}),
            metrics=(
                "half-correlations",
                "half-pearson",
                "half-rmsd",
                "seed-rmsd",
                "seed-pearson",
            ),
            conventions=(
                convention,
                f"two seeds: the job's and that + {SEED_SHIFT}",
                "random halves of the cells, each imputed alone, against all imputed together",
            ),
            again=again,
        )

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``other_seed`` and ``apart``, (cells, genes) float32, log2 scale."""

        def answer(name: str) -> NDArray[np.float32]:
            return problem.answers[name].lognorm(problem.again[name].observed)

        def apart() -> NDArray[np.float32]:
            half = problem.hidden.extra["half"]
            together = np.empty((problem.observed.n_cells, problem.observed.n_genes), np.float32)
            for number, name in enumerate(_HALVES):
                together[half == number] = answer(name)
            return together

        return {"other_seed": lambda: answer("other-seed"), "apart": apart}
