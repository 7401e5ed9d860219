"""An imputer: every value drawn towards its gene's mean."""

from __future__ import annotations

from dataclasses import dataclass

from impbench import Context, Imputed, Imputer, Observed, parameter


@dataclass(frozen=True)
class Smooth(Imputer):
    """x' = (1 − w) x + w · mean of the gene, on the log scale."""

    name = "far-smooth"
    summary = "Draws every value towards its gene's mean"
    citation = "unpublished"
    input_scale = "lognorm"

    weight: float = parameter(0.5, "Share of the gene's mean.", min=0, max=1)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Shrink."""
        mean = observed.lognorm.mean(axis=0)
        return Imputed((1 - self.weight) * observed.lognorm + self.weight * mean, "lognorm")
