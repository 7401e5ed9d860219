"""Ask how far the imputation is from the true expression of simulated cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from impbench.data.dataset import Dataset
from impbench.parameters import parameter
from impbench.protocols.protocol import Problem, Protocol, observe


@dataclass(frozen=True)
class SimulatedTruth(Protocol):
    """Hide the counts before dropout, and measure the distance to them on the log2 scale."""

    name: ClassVar[str] = "simulated-truth"
    summary: ClassVar[str] = "Distance to the true expression of simulated cells"
    reference: ClassVar[str] = "MaskClass, section 2.8 (i)"
    meaning: ClassVar[str] = (
        "The cells are simulated, so their true expression is known. How far from it are the "
        "imputed values?"
    )
    purpose: ClassVar[str] = "expression levels"

    library: Literal["own", "true"] = parameter(
        "own",
        "Divide each matrix by its own library sizes, or both by the true ones, which the imputer "
        "is then handed, as the MaskClass authors did.",
    )

    def obstacle(self, dataset: Dataset) -> str | None:
        """Only simulated data have a truth."""
        if dataset.true_counts is None:
            return (
                f"{dataset.name} has no true counts; this question needs simulated data, such as "
                "sim_rare (--datasets)"
            )
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Show the observed counts; nothing here is random."""
        observed, hidden, convention = observe(dataset, self.library)
        return Problem(
            observed,
            hidden,
            metrics=(
                "mse",
                "biozero-mse",
                "dropout-mse",
                "nonzero-mse",
                "pearson-gene",
                "pearson-cell",
            ),
            conventions=(convention, "errors are taken on the log2(1 + x) scale"),
        )
