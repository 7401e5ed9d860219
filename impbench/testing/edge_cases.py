"""Checks with data at the edge of what is possible: a valid result, or an InputError that says why.

A refusal passes: a method may have its limits, as long as it names them.
"""

from __future__ import annotations

import numpy as np

from impbench.testing.check import check
from impbench.testing.example import example_counts, observe
from impbench.testing.subject import Subject

_REFUSE = "raise impbench.errors.InputError with the limit in its message."


@check(
    reason="Housekeeping genes in small data, and spike-ins, can have the same count everywhere.",
    remedy=f"Guard divisions by a gene's standard deviation, or {_REFUSE}",
)
def constant_gene(subject: Subject) -> str | None:
    """A gene with the same count in every cell is no problem."""
    counts = example_counts()
    counts[:, 3] = 4
    return subject.valid_or_refused(observe(counts))


@check(
    reason="After a selection of cells, some genes are zero in all that are left.",
    remedy=f"Guard divisions by a gene's mean and number of non-zeros, or {_REFUSE}",
)
def silent_gene(subject: Subject) -> str | None:
    """A gene without a single count is no problem."""
    counts = example_counts()
    counts[:, 3] = 0
    return subject.valid_or_refused(observe(counts))


@check(
    reason="After a selection of genes, some cells hold no count at all.",
    remedy=f"Divide by observed.size_factors, which are never 0, or {_REFUSE}",
)
def empty_cell(subject: Subject) -> str | None:
    """A cell without a single count is no problem."""
    counts = example_counts()
    counts[7] = 0
    return subject.valid_or_refused(observe(counts))


@check(
    reason="Duplicated cells have distance 0, and a variance of 0 between them.",
    remedy=f"Guard divisions by distances and kernel widths, or {_REFUSE}",
)
def identical_cells(subject: Subject) -> str | None:
    """A quarter of the cells being copies of one cell is no problem."""
    counts = example_counts()
    counts[::4] = counts[0]
    return subject.valid_or_refused(observe(counts))


@check(
    reason="Plate-based pilot experiments have a few dozen cells.",
    remedy=f"Bound neighbours, components and batch sizes by the number of cells, or {_REFUSE}",
)
def twenty_cells(subject: Subject) -> str | None:
    """Twenty cells are enough, or refused in words."""
    return subject.valid_or_refused(observe(example_counts(n_cells=20)))


@check(
    reason="Targeted panels and small tests have few genes.",
    remedy=f"Bound components and layer widths by the number of genes, or {_REFUSE}",
)
def three_genes(subject: Subject) -> str | None:
    """Three genes are enough, or refused in words."""
    return subject.valid_or_refused(observe(example_counts(n_genes=3)))


@check(
    reason="Full-length protocols count reads, up to millions per gene and cell.",
    remedy="Compute in float64 or on the log scale; avoid exp of counts and int32 sums.",
)
def large_counts(subject: Subject) -> str | None:
    """Counts up to tens of millions give finite values."""
    return subject.valid_or_refused(observe(example_counts() * 1_000_000))


@check(
    reason="Imputation is also tried on data with no dropout, such as bulk-like references.",
    remedy=f"Handle an empty set of zeros, or {_REFUSE}",
)
def no_zeros(subject: Subject) -> str | None:
    """Data without any zero are no problem."""
    return subject.valid_or_refused(observe(example_counts() + 1))


@check(
    reason="A mask or a filter can leave nothing; a crash would hide which data set it was.",
    remedy=f"Return the input unchanged, or {_REFUSE}",
)
def all_zeros(subject: Subject) -> str | None:
    """A matrix of zeros is returned or refused in words."""
    return subject.valid_or_refused(observe(np.zeros_like(example_counts())))


@check(
    reason="Values that only exist normalised are passed on as fractional counts.",
    remedy=f"Do not index or build histograms by count without rounding, or {_REFUSE}",
)
def fractional_counts(subject: Subject) -> str | None:
    """Counts with fractions are imputed or refused in words."""
    return subject.valid_or_refused(observe(example_counts() * 0.37))


@check(
    reason="Data sets with batches show them to every method.",
    remedy="Ignore observed.batch if you do not use it; it is an array of texts.",
)
def batches(subject: Subject) -> str | None:
    """Batches may be given."""
    names = ["first", "second"] * (len(example_counts()) // 2)
    return subject.valid_or_refused(observe(example_counts(), batch=names))


@check(
    reason="Real data often come without a known number of cell types.",
    remedy=f"Estimate the number of groups where observed.n_groups is None, or {_REFUSE}",
)
def unknown_number_of_groups(subject: Subject) -> str | None:
    """The number of groups may be unknown: works, or refuses in words."""
    return subject.valid_or_refused(observe(example_counts(), n_groups=None))
