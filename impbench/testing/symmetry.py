"""Checks that what carries no information changes nothing: order, storage, names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations, product

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from impbench.testing.check import check
from impbench.testing.example import example_counts, observe
from impbench.testing.subject import Subject, largest_difference
from impbench.testing.violation import Violation

PERMUTED_ROUNDING = 1e-3
"""Relative difference allowed to deterministic methods: permuting reorders every sum."""

SPREAD = 2.0
"""How many times the typical difference between seeds a permutation may make."""

SEEDS = (3, 10)
"""Seeds on each side; the second number where the first looks bad, because a method that ends in
one of two solutions can by chance give one three times and the other three times."""

Values = NDArray[np.float32]


@check(
    reason="The order of cells in a file is arbitrary; a method that uses it uses an artefact, and "
    "one that loses it returns the wrong cells.",
    remedy="Return rows in the order of the input; undo any sorting.",
)
def cell_order(subject: Subject) -> str | None:
    """Permuting the cells permutes the result; stochastic methods: within the spread of seeds."""
    counts = example_counts()
    order = np.random.default_rng(5).permutation(len(counts))
    back = np.argsort(order)
    return _same_after(subject, counts[order], lambda values: values[back], "cells")


@check(
    reason="The order of genes in a file is arbitrary; a method that loses it returns the wrong "
    "genes.",
    remedy="Return columns in the order of the input; undo any sorting or filtering.",
)
def gene_order(subject: Subject) -> str | None:
    """Permuting the genes permutes the result; stochastic methods: within the spread of seeds."""
    counts = example_counts()
    order = np.random.default_rng(6).permutation(counts.shape[1])
    # Coordinates of cells have no genes to put back.
    back = np.argsort(order) if subject.gives_expression else slice(None)
    return _same_after(subject, counts[:, order], lambda values: values[:, back], "genes")


def _same_after(
    subject: Subject, counts: NDArray[np.int64], undo: Callable[[Values], Values], what: str
) -> str | None:
    """Compare results on permuted data, put back in order, with those on the data as they are.

    Of an embedding the distances between cells are compared: its axes may turn and change sides.

    A stochastic method meets its random numbers in another order, so the same seed gives another
    result. The fair question is whether permuting makes a larger difference than another seed does:
    root mean squared differences between runs of both kinds are set against those between runs of
    the same kind. A systematic effect smaller than the spread over seeds stays unseen.
    """
    observed = observe(counts)
    read: Callable[[Values], Values] = np.asarray if subject.gives_expression else _distances
    if not subject.imputer.stochastic:
        found = undo(subject.imputed_values(observed))
        difference = largest_difference(read(found), read(subject.by_seed[0]))
        if difference > PERMUTED_ROUNDING:
            raise Violation(f"permuted {what} change values by up to {difference:.2g} (relative)")
        return None
    unit = "log2 units" if subject.gives_expression else "in distances between cells"
    plain, permuted = list(map(read, subject.by_seed)), list[Values]()
    for n_seeds in SEEDS:
        plain += [
            read(subject.imputed_values(seed=seed)) for seed in range(len(plain) + 1, n_seeds + 1)
        ]
        permuted += [
            read(undo(subject.imputed_values(observed, 1000 + seed)))
            for seed in range(len(permuted), n_seeds)
        ]
        across = _mean_rms(product(plain, permuted))
        within = _mean_rms([*combinations(plain, 2), *combinations(permuted, 2)])
        if across <= SPREAD * within + PERMUTED_ROUNDING:
            return f"changes by {across:.3g}, another seed by {within:.3g} {unit}"
    raise Violation(
        f"permuted {what} change values by {across:.3g} {unit} (root mean square), another "
        f"seed only by {within:.3g}"
    )


def _distances(coordinates: Values) -> Values:
    """Return the Euclidean distances between cells, (cells, cells)."""
    return np.asarray(squareform(pdist(coordinates)), dtype=np.float32)


def _mean_rms(pairs: Iterable[tuple[Values, Values]]) -> float:
    return float(np.mean([np.sqrt(np.mean((a - b) ** 2)) for a, b in pairs]))


@check(
    reason="Data come as CSR or dense, whichever is smaller; a score must not depend on that.",
    remedy="Use observed.dense_counts or observed.lognorm, or handle both kinds of counts.",
)
def sparse_equals_dense(subject: Subject) -> None:
    """Sparse and dense counts give the same result."""
    observed = observe(sp.csr_matrix(example_counts()))
    subject.must_equal(subject.imputed_values(observed), "sparse counts")


@check(
    reason="Counts come as integers from some files and as floats from others.",
    remedy="Convert at the start: counts.astype(np.float32).",
)
def integers_equal_floats(subject: Subject) -> None:
    """Counts stored as float32 or int32 give the same result as int64."""
    for kind in (np.float32, np.int32):
        observed = observe(example_counts().astype(kind))
        subject.must_equal(subject.imputed_values(observed), f"{np.dtype(kind)} counts")


@check(
    reason="Names of cells could give away cell types; a method must learn from counts.",
    remedy="Do not parse or hash names; sort by nothing that depends on them.",
)
def names_do_not_matter(subject: Subject) -> None:
    """Other names of cells and genes give the same result."""
    counts = example_counts()
    n_cells, n_genes = counts.shape
    observed = observe(
        counts,
        cell_names=[f"type{(7 * i) % n_cells}" for i in range(n_cells)],
        gene_names=[f"ERCC-{n_genes - i}" for i in range(n_genes)],
    )
    subject.must_equal(subject.imputed_values(observed), "other names")
