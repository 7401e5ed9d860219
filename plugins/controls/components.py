"""The control of methods that give only an embedding: what principal components alone would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter


@dataclass(frozen=True)
class PrincipalComponents(Imputer):
    """Scores of the cells on the leading principal components of the log values, unscaled genes.

    The same components that `clustering` finds in an expression, so that with 50 of them this is
    what ``no-imputation`` is there, as an embedding. Fewer cells or genes give fewer components.
    """

    name = "pca"
    summary = "Control: principal components of the observed log values, learns nothing else"
    citation = "Hotelling (1933), Analysis of a complex of statistical variables, J. Educ. Psychol."
    input_scale = "lognorm"
    gives = ("embedding",)
    is_control = True
    # Few are where k-means and most networks' embeddings live, 50 are what clustering takes.
    control_specs = ("pca[n_components=10]", "pca")

    n_components: int = parameter(50, "How many, largest variance first.", min=1)

    def prepare(self, context: Context) -> None:
        """Import what decomposes a matrix."""
        counts = np.arange(12).reshape(4, 3)
        self.impute(Observed.from_counts(counts), context)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Return the scores, (cells, components) float32."""
        from impbench.protocols.components import principal_components

        scores = principal_components(observed.lognorm, self.n_components)
        return Imputed(embedding=scores.astype(np.float32))
