"""A protocol: asks for the truth, and has the package's own metric answer."""

from __future__ import annotations

from dataclasses import dataclass

from impbench.data.dataset import Dataset
from impbench.protocols.protocol import Problem, Protocol, observe


@dataclass(frozen=True)
class FarTruth(Protocol):
    """Hide the true counts; each matrix is divided by its own library sizes."""

    name = "far-truth"
    summary = "Error and share of zeros against the truth"

    def obstacle(self, dataset: Dataset) -> str | None:
        """Only simulated data have a truth."""
        return None if dataset.true_counts is not None else f"{dataset.name} has no true counts"

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Show the observed counts."""
        observed, hidden, convention = observe(dataset, "own")
        return Problem(observed, hidden, ("mse", "far-zero-error"), (convention,))
