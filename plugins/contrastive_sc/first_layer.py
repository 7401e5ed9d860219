"""The first layer where nine tenths of its input are dropped: only what is kept is multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from impbench_plugins.shared.compiled import njit
from impbench_plugins.shared.flat_weights import Float32
from numpy.typing import NDArray

Places = NDArray[np.int32]


@dataclass(frozen=True)
class KeptInput:
    """What is left of the views of a mini-batch, (views · cells, genes), one below the other.

    Attributes
    ----------
    by_row, genes, values
        Compressed rows: where each row begins, (rows + 1,); and its genes and values, (kept,).
    by_gene, rows, values_by_gene
        The same, gene by gene, each gene's rows ascending.
    """

    by_row: Places
    genes: Places
    values: Float32
    by_gene: Places
    rows: Places
    values_by_gene: Float32

    @classmethod
    def of(cls, cells: Float32, gain: float, by_row: Places, genes: Places) -> KeptInput:
        """Take the kept entries of `cells`, (cells, genes), times `gain`."""
        n_kept = len(genes)
        values, by_gene = np.empty(n_kept, np.float32), np.empty(cells.shape[1] + 1, np.int32)
        rows, values_by_gene = np.empty(n_kept, np.int32), np.empty(n_kept, np.float32)
        _gather(cells, np.float32(gain), by_row, genes, values, by_gene, rows, values_by_gene)
        return cls(by_row, genes, values, by_gene, rows, values_by_gene)

    def multiply(self, weights: Float32) -> Float32:
        """Return the layer's sums, (views · cells, width), without its bias."""
        sums = np.empty((len(self.by_row) - 1, weights.shape[1]), np.float32)
        _multiply(self.by_row, self.genes, self.values, weights, sums)
        return sums

    def gradient(self, by: Float32, out: Float32) -> None:
        """Compute the derivatives by the weights, (genes, width), from those by the sums."""
        _multiply(self.by_gene, self.rows, self.values_by_gene, by, out)


@njit(nogil=True)
def _gather(
    cells: Any, gain: Any, by_row: Any, genes: Any, values: Any, by_gene: Any, rows: Any,
    values_by_gene: Any,
) -> None:  # fmt: skip
    """Fill the last four of a `KeptInput` and its `values`."""
    n_cells, n_genes = cells.shape
    by_gene[:] = 0
    for gene in genes:
        by_gene[gene + 1] += 1
    for gene in range(n_genes):
        by_gene[gene + 1] += by_gene[gene]
    following = by_gene.copy()
    for row in range(by_row.size - 1):
        cell = cells[row % n_cells]
        for place in range(by_row[row], by_row[row + 1]):
            gene = genes[place]
            value = gain * cell[gene]
            values[place] = value
            rows[following[gene]], values_by_gene[following[gene]] = row, value
            following[gene] += 1


@njit(fastmath={"contract"}, nogil=True)
def _multiply(starts: Any, places: Any, values: Any, source: Any, out: Any) -> None:
    """Set row i of `out` to Σ_j value_j · source[place_j] over its entries, in their order."""
    for row in range(starts.size - 1):
        total = out[row]
        total[:] = np.float32(0)
        entry, end = starts[row], starts[row + 1]
        # Eight at a time, so that a sum is loaded and stored once for eight products.
        while entry + 8 <= end:
            a, b = source[places[entry]], source[places[entry + 1]]
            c, d = source[places[entry + 2]], source[places[entry + 3]]
            e, f = source[places[entry + 4]], source[places[entry + 5]]
            g, h = source[places[entry + 6]], source[places[entry + 7]]
            v = values[entry : entry + 8]
            va, vb, vc, vd, ve, vf, vg, vh = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
            for unit in range(total.size):
                x = total[unit] + va * a[unit]
                x = x + vb * b[unit]
                x = x + vc * c[unit]
                x = x + vd * d[unit]
                x = x + ve * e[unit]
                x = x + vf * f[unit]
                x = x + vg * g[unit]
                total[unit] = x + vh * h[unit]
            entry += 8
        while entry < end:
            a, va = source[places[entry]], values[entry]
            for unit in range(total.size):
                total[unit] += va * a[unit]
            entry += 1
