"""Ask how well counts that were taken away come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.data.genes import expressed_in
from impbench.imputer import Imputed
from impbench.parameters import parameter
from impbench.protocols.molecules import as_stored, rows_without_zeros
from impbench.protocols.protocol import Hidden, LazyEvidence, Problem, Protocol, observe
from impbench.scale import library_sizes, size_factors

_METRICS = {
    "log2": ("masked-rmse", "masked-mae", "masked-nmse", "masked-pearson"),
    "ln-cpm": ("masked-mse", "masked-pearson"),
}
"""What AutoImpute and cnnImpute report."""


@dataclass(frozen=True)
class Masking(Protocol):
    """Set a share of the non-zero counts to zero, and score what is imputed in their place.

    The entries are drawn evenly and without replacement, round(fraction · non-zeros) of them. With
    counts X, library sizes L over all genes of the cell, and M the masked entries, the imputer
    sees X outside M, 0 in M, and size factors of the library sizes L_i - Σ_j∈M X_ij: as if the
    masked molecules had never been counted. So nothing it is given depends on the counts it must
    find, and no masked zero can be told from any other.

    What it returns is taken back to counts by the size factors it was given, and then brought to
    the scoring scale by L, exactly as X is: a method that returned X would have error 0. Only the
    entries in M are scored. The oracle is X.
    """

    name: ClassVar[str] = "masking"
    summary: ClassVar[str] = "Recovery of counts that were set to zero"
    reference: ClassVar[str] = "AutoImpute, Gene expression recovery; cnnImpute, Methods"
    meaning: ClassVar[str] = (
        "Some of the counts are replaced by zeros, as if dropped out, and should come back; "
        "nothing else is judged, so filling every zero costs a method nothing. Believe expression "
        "levels more where both were asked."
    )
    purpose: ClassVar[str] = "recovering dropouts"
    offers: ClassVar[Mapping[str, str]] = {
        "masked_counts": "counts taken away before the imputation, (cells, genes), sparse",
        "full_library_size": "library sizes before counts were taken away, (cells,)",
        "masked_truth": "counts taken away, on the protocol's log scale, (entries,)",
        "masked_imputed": "what was imputed for them, on the same scale, (entries,)",
    }

    fraction: float = parameter(
        0.1, "Share of the non-zero counts that is masked.", min=0.001, max=0.95
    )
    genes: Literal["all", "half"] = parameter(
        "all",
        "All genes of the dataset, or those expressed in at least half of the cells (cnnImpute).",
    )
    scale: Literal["log2", "ln-cpm"] = parameter(
        "log2",
        "Score log2(1 + count / size factor) (AutoImpute), or ln(1 + counts per million) "
        "(cnnImpute).",
    )
    mask_seed: int = parameter(1, "Which mask: the papers average over 5 to 10.", min=0)

    def obstacle(self, dataset: Dataset) -> str | None:
        """Two genes and one count to mask are needed."""
        asked = self._asked(dataset)
        if asked.n_genes < 2:
            return (
                f"{dataset.name} has {asked.n_genes} genes that are expressed in at least half of "
                "the cells; two are needed"
            )
        n_nonzero = rows_without_zeros(asked.counts).nnz
        if round(self.fraction * n_nonzero) == 0:
            return f"{dataset.name} has {n_nonzero} non-zero counts, too few to mask any"
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Draw the mask from `seed` and `mask_seed`, and hide what is under it."""
        asked = self._asked(dataset)
        rng = np.random.default_rng([seed, self.mask_seed])
        full = rows_without_zeros(asked.counts)
        n_masked = round(self.fraction * full.nnz)
        under = np.zeros(full.nnz, dtype=bool)
        under[rng.choice(full.nnz, n_masked, replace=False, shuffle=False)] = True
        visible, masked = _entries(full, ~under), _entries(full, under)
        seen = replace(
            asked,
            counts=as_stored(visible, asked.counts),
            library_size=np.maximum(asked.library_size - library_sizes(masked), 0),
        )
        observed, _, convention = observe(seen, "own")
        hidden = Hidden(
            truth_counts=asked.counts,
            # The imputer's size factors, because the oracle answers in the imputer's place.
            truth_size_factors=observed.size_factors,
            extra={"masked_counts": masked, "full_library_size": asked.library_size},
        )
        return Problem(
            observed, hidden, _METRICS[self.scale], self._conventions(convention, masked)
        )

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``masked_truth`` and ``masked_imputed``, (entries,) float64, row by row."""
        masked = sp.csr_matrix(problem.hidden.extra["masked_counts"])
        library = np.asarray(problem.hidden.extra["full_library_size"], dtype=np.float64)
        cells, genes = masked.nonzero()
        unit = size_factors(library) if self.scale == "log2" else library / 1e6

        def logs(counts: NDArray[Any]) -> NDArray[np.float64]:
            logarithms = np.log1p(counts / unit[cells])
            return logarithms / np.log(2) if self.scale == "log2" else logarithms

        return {
            "masked_truth": lambda: logs(np.asarray(masked.data)),
            "masked_imputed": lambda: logs(imputed.counts_at(problem.observed, cells, genes)),
        }

    def _asked(self, dataset: Dataset) -> Dataset:
        """Leave out the truth, and the genes and cells that are not asked about."""
        dataset = replace(dataset, true_counts=None)
        if self.genes == "all":
            return dataset
        genes = np.flatnonzero(2 * expressed_in(dataset.counts) >= dataset.n_cells)
        cells = np.flatnonzero(library_sizes(dataset.counts[:, genes]) > 0)
        asked = dataset.of_cells(cells)
        return replace(
            asked,
            counts=asked.counts[:, genes],
            gene_names=tuple(dataset.gene_names[gene] for gene in genes),
        )

    def _conventions(self, convention: str, masked: sp.csr_matrix) -> tuple[str, ...]:
        n_cells, n_genes = masked.shape
        shown = "all genes" if self.genes == "all" else "genes expressed in half of the cells"
        unit = "log2(1 + count / size factor)" if self.scale == "log2" else "ln(1 + CPM)"
        return (
            f"{masked.nnz} non-zero counts ({self.fraction:.0%}) of {n_cells} cells × {n_genes} "
            f"genes ({shown}) were set to 0 before anything else was computed",
            f"what the imputer sees: {convention}, masked counts not among them",
            f"scored on the masked entries alone, as {unit} by the library sizes before masking",
        )


def _entries(counts: sp.csr_matrix, chosen: NDArray[np.bool_]) -> sp.csr_matrix:
    """Keep some of the stored entries, and no trace of the others."""
    kept = sp.csr_matrix((counts.data * chosen, counts.indices, counts.indptr), counts.shape)
    return rows_without_zeros(kept)
