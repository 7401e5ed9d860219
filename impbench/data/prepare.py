"""Preparation of a dataset as in the MaskClass paper, every step on record (its section 2.1)."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.data.genes import HvgMethod, expressed_in, highly_variable
from impbench.data.known_columns import GINI
from impbench.errors import InputError
from impbench.scale import library_sizes, some_cells

_log = logging.getLogger(__name__)

MIN_CELLS = 3
"""Genes seen in fewer cells are dropped (MaskClass section 2.1)."""

HVG = 1000
"""Highly variable genes kept (MaskClass section 2.1)."""

FEWEST = 3
"""Cells that every type keeps, where it has as many: tests and silhouettes need more than one."""


def prepare(
    dataset: Dataset,
    genes: int = HVG,
    method: HvgMethod = "scran",
    min_cells: int = MIN_CELLS,
    most_cells: int = 0,
) -> Dataset:
    """Drop empty cells and rarely seen genes, and keep the most variable genes.

    The library sizes stay as they are: totals over all genes, taken before any gene is dropped,
    since a cell's depth does not depend on which genes we look at afterwards.

    Parameters
    ----------
    dataset
        With raw counts, (cells, genes).
    genes
        Number of highly variable genes to keep; 0 keeps all.
    method
        How they are chosen, see `impbench.data.genes.highly_variable`.
    min_cells
        Genes with a count in fewer cells are dropped.
    most_cells
        Of more cells, this many are drawn before genes are chosen, each type in its proportion
        (`draw_cells`); 0 keeps all.

    Returns
    -------
    Dataset of the same name, with what was done appended to its `steps`.

    Raises
    ------
    InputError
        If no cell or no gene is left.
    UnavailableError
        If `method` needs a package that is not installed.
    """
    steps = list(dataset.steps)
    empty = dataset.library_size <= 0
    if empty.any():
        steps.append(f"dropped {_cells(int(empty.sum()))} without any count")
    cells = np.flatnonzero(~empty)
    if not len(cells):
        raise InputError(f"{dataset.name}: every cell is empty; are the counts in another layer?")
    if most_cells and len(cells) > most_cells:
        labels = None if dataset.labels is None else dataset.labels[cells]
        steps.append(f"drew {most_cells} of {len(cells)} cells, each type in its proportion")
        cells = cells[draw_cells(labels, len(cells), most_cells)]

    counts = some_cells(dataset.counts, cells)
    seen = expressed_in(counts)
    kept = np.flatnonzero(seen >= max(min_cells, 1))
    rare = dataset.n_genes - len(kept)
    steps.append(
        f"dropped {rare} of {dataset.n_genes} genes with counts in < {min_cells} cells "
        f"({int((seen == 0).sum())} of them in none)"
    )
    if not len(kept):
        raise InputError(
            f"{dataset.name}: no gene has counts in {min_cells} cells; lower min_cells"
        )

    chosen = np.arange(len(kept))
    if genes and method != "none":
        of_kept = counts if not rare else counts[:, kept]
        chosen = highly_variable(of_kept, dataset.library_size[cells], genes, method)
    steps.append(_choice(len(chosen), len(kept), genes, method))
    referred = np.setdiff1d(_with_reference(dataset, kept), chosen)
    if len(referred):
        steps.append(f"kept {len(referred)} more genes, whose Gini coefficients are known")
    if len(chosen) < min(genes, len(kept)):
        _log.warning("%s: %s", dataset.name, _choice(len(chosen), len(kept), genes, method))
    chosen = np.union1d(chosen, referred) if len(referred) else chosen
    result = _subset(dataset, cells, kept[chosen])
    silent = int((library_sizes(result.counts) == 0).sum())
    if silent:
        steps.append(f"{_cells(silent)} without counts in the kept genes left in place")
    return replace(result, steps=tuple(steps))


def draw_cells(
    labels: NDArray[np.str_] | None, n_cells: int, most: int, seed: int = 1
) -> NDArray[np.int64]:
    """Return the places of `most` cells of `n_cells`, ascending; of all, where there are no more.

    Each type keeps its share of the cells, rounded by largest remainder, but at least `FEWEST`
    cells or all that it has; the most common types give those.

    Parameters
    ----------
    labels
        (n_cells,) cell types, or None: cells are drawn evenly.
    """
    if n_cells <= most:
        return np.arange(n_cells)
    rng = np.random.default_rng(seed)
    if labels is None:
        return np.sort(rng.choice(n_cells, most, replace=False))
    types, which = np.unique(labels, return_inverse=True)
    sizes = np.bincount(which)
    share = sizes * most / n_cells
    kept = np.floor(share).astype(np.int64)
    kept[np.argsort(kept - share, kind="stable")[: most - kept.sum()]] += 1
    kept = np.maximum(kept, np.minimum(sizes, FEWEST))
    while kept.sum() > most and kept.max() > FEWEST:
        kept[kept.argmax()] -= 1
    chosen = [
        rng.choice(np.flatnonzero(which == i), kept[i], replace=False) for i in range(len(types))
    ]
    return np.sort(np.concatenate(chosen))


def _with_reference(dataset: Dataset, kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places among `kept` of genes with a Gini coefficient measured otherwise.

    There are few, and they were chosen by whoever measured them: rarely the most variable.
    """
    if GINI not in dataset.genes:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(dataset.genes[GINI].notna().to_numpy()[kept])


def _choice(chosen: int, available: int, genes: int, method: HvgMethod) -> str:
    if genes == 0 or method == "none":
        return f"kept all {available} genes, none chosen by variability"
    if available <= genes:
        return f"kept all {available} genes, no more than the {genes} asked for"
    if chosen < genes:
        return (
            f"kept the {chosen} of {available} genes that lie above scran's trend, although "
            f"{genes} were asked for; hvg=scran_fill fills up with the next"
        )
    return f"kept the {chosen} most variable of {available} genes ({method})"


def _cells(number: int) -> str:
    return "1 cell" if number == 1 else f"{number} cells"


def _subset(dataset: Dataset, cells: NDArray[np.int64], genes: NDArray[np.int64]) -> Dataset:
    kept = dataset.of_cells(cells)
    return replace(
        kept,
        counts=kept.counts[:, genes],
        true_counts=None if kept.true_counts is None else kept.true_counts[:, genes],
        gene_names=tuple(dataset.gene_names[i] for i in genes),
        genes=dataset.genes.iloc[genes] if len(dataset.genes) else dataset.genes,
    )
