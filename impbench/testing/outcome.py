"""Checks of what an imputer returns: type, shape, values, and that its scale is what it says."""

from __future__ import annotations

import json
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from impbench import scale
from impbench.errors import InputError
from impbench.gives import check_gives, in_words
from impbench.imputer import Imputed, Observed, Part
from impbench.testing.check import check
from impbench.testing.example import example_counts, observe
from impbench.testing.subject import Subject, must_be_valid
from impbench.testing.violation import DoesNotApply, NotExamined, Violation

INFO_BYTES = 100_000
"""`info` is copied into every record; arrays belong elsewhere."""


@check(
    reason="Everything after the method reads the fields of `Imputed`.",
    remedy="End `impute` with `return Imputed(values, 'lognorm')` or `Imputed(values, 'counts')`.",
)
def returns_imputed(subject: Subject) -> None:
    """`impute` returns an `impbench.Imputed`."""
    if not isinstance(subject.result, Imputed):
        raise Violation(f"returned {type(subject.result).__name__} instead of impbench.Imputed")


@check(
    reason="A method is asked what can be answered from what it gives, and nothing else.",
    remedy="Set the class attribute `gives` to what every result holds: 'expression', 'embedding', "
    "'std'.",
)
def gives_what_it_declares(subject: Subject) -> str:
    """The result holds every part that `gives` names, and no other."""
    gives = subject.imputer.gives
    try:
        check_gives(subject.imputer.name, gives)
    except InputError as error:
        raise Violation(str(error)) from error
    result = _result(subject)
    there = [part for part in get_args(Part) if getattr(result, part) is not None]
    for part in get_args(Part):
        if part in gives and part not in there:
            raise Violation(f"declares that it gives {part}, and returned none")
        if part in there and part not in gives:
            raise Violation(f"returned {part}, which gives = {gives!r} does not name")
    return f"gives {in_words(gives)}"


@check(
    reason="Scores compare entry by entry; a dropped or added gene shifts all of them.",
    remedy="Return one row per cell and one column per gene; fill back what you filtered out.",
)
def shape(subject: Subject) -> None:
    """The expression has one value per cell and gene."""
    subject.must_give_expression()
    found, expected = np.shape(_result(subject).values), example_counts().shape
    if found != expected:
        raise Violation(f"expression has shape {found}, expected {expected}")


@check(
    reason="Sparse matrices, data frames and tensors have other rules of arithmetic.",
    remedy="Return a dense NumPy array, such as np.asarray(values, dtype=np.float32).",
)
def dtype(subject: Subject) -> None:
    """The expression is a dense array of floating-point numbers."""
    subject.must_give_expression()
    expression = _result(subject).expression
    if not isinstance(expression, np.ndarray):
        raise Violation(f"expression is a {type(expression).__name__}")
    if expression.dtype.kind != "f":
        raise Violation(f"expression has dtype {expression.dtype}; rounding loses the imputation")


@check(
    reason="One NaN makes every mean NaN; the runner fails such a job.",
    remedy="Look for division by a zero library size or variance, and for log of zero.",
)
def finite(subject: Subject) -> None:
    """No value is NaN or infinite."""
    subject.must_give_expression()
    values = np.asarray(_result(subject).expression, dtype=np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise Violation(
            f"{len(bad)} values are NaN or infinite, first at cell {bad[0][0]}, gene {bad[0][1]}"
        )


@check(
    reason="Log values read as counts, or the reverse, give scores that mean nothing.",
    remedy="'lognorm' is log2(1 + count / size factor), not ln; 'counts' are in the cell's own "
    "library size, not divided by size factors.",
)
def scale_is_true(subject: Subject) -> None:
    """The values are on the scale that the result declares."""
    _must_be_named(subject)
    subject.must_give_expression()
    # Deep data: few zeros, so that what comes back must be near what went in.
    observed = observe(example_counts(depth=60.0))
    imputed = subject.impute(observed)
    must_be_valid(imputed, observed, subject.imputer.gives)
    distances = {
        name: _distance(values, observed) for name, values in _readings(imputed, observed).items()
    }
    declared = distances[str(imputed.scale)]
    best = min(distances, key=distances.__getitem__)
    if distances[best] < 0.5 * declared and declared > MEAN_TOLERANCE:
        raise Violation(
            f"declared {imputed.scale!r}, but the means of genes and cells fit {_SAYS[best]} "
            f"({distances[best]:.2f} against {declared:.2f} log2 units off)"
        )


def _must_be_named(subject: Subject) -> None:
    """Name a fault of the example data's imputation that no other check here names."""
    _result(subject)
    others = [returns_imputed, gives_what_it_declares, shape, dtype, finite]
    others += [std_is_non_negative, embedding_has_a_row_per_cell]
    if subject.fault and all(each.result(subject.imputer).verdict != "failed" for each in others):
        raise Violation(subject.fault)


MEAN_TOLERANCE = 0.25
"""Log2 units by which means of genes and cells may be off without any doubt about the scale."""

_SAYS = {
    "lognorm": "log2(1 + count / size factor), that is 'lognorm'",
    "counts": "counts in the cell's own library size, that is 'counts'",
    "ln": "ln(1 + count / size factor); divide by ln 2",
    "normalised": "counts divided by the size factor; multiply by it",
    "log2 counts": "log2(1 + count) without the size factor",
}


def _readings(imputed: Imputed, observed: Observed) -> dict[str, NDArray[np.float32]]:
    """Log values, (cells, genes), under each scale the numbers might be on."""
    raw = np.maximum(np.asarray(imputed.expression, dtype=np.float64), 0)
    factors = observed.size_factors
    ones = np.ones_like(factors)
    # Beyond 60 doublings nobody's log values are log values.
    counts_of_log = np.exp2(np.minimum(raw, 60)) - 1
    return {
        "lognorm": np.asarray(imputed.expression, dtype=np.float32),
        "counts": scale.lognorm(raw, factors),
        "ln": (raw / np.log(2)).astype(np.float32),
        "normalised": scale.lognorm(raw, ones),
        "log2 counts": scale.lognorm(counts_of_log, factors),
    }


def _distance(values: NDArray[np.float32], observed: Observed) -> float:
    """Root mean squared difference of gene means and of cell means from the observed ones."""
    difference = np.asarray(values, dtype=np.float64) - observed.lognorm
    means = np.concatenate([difference.mean(axis=0), difference.mean(axis=1)])
    return float(np.sqrt(np.mean(means**2)))


@check(
    reason="Intervals are scored with it; a negative spread has no meaning.",
    remedy="Return standard deviations, not variances of differences or log-scale bounds.",
)
def std_is_non_negative(subject: Subject) -> None:
    """The standard deviations, if any, fit the expression and are at least 0."""
    result = _result(subject)
    if result.std is None:
        raise DoesNotApply("offers no standard deviations")
    std = np.asarray(result.std)
    if std.shape != np.shape(result.values):
        raise Violation(f"std has shape {std.shape}, expression {np.shape(result.values)}")
    if not (np.isfinite(std) & (std >= 0)).all():
        raise Violation("std holds negative, NaN or infinite values")


@check(
    reason="Clustering and pictures use it in place of principal components.",
    remedy="Return one finite row per cell, or None.",
)
def embedding_has_a_row_per_cell(subject: Subject) -> None:
    """The embedding, if any, is a finite numeric array with one row per cell."""
    result = _result(subject)
    if result.embedding is None:
        raise DoesNotApply("offers no embedding")
    embedding = np.asarray(result.embedding)
    n_cells = len(example_counts())
    if embedding.ndim != 2 or len(embedding) != n_cells or embedding.dtype.kind not in "fiu":
        raise Violation(
            f"embedding is a {embedding.dtype} array of shape {embedding.shape}, "
            f"expected numbers, ({n_cells}, dimensions)"
        )
    if not np.isfinite(embedding).all():
        raise Violation("embedding holds NaN or infinite values")


@check(
    reason="It is stored with every record and shown in the report.",
    remedy="Keep to dict, list, str, bool, int, float (not NaN) and None; convert NumPy scalars.",
)
def info_is_json(subject: Subject) -> None:
    """`info` is small and JSON-ready."""
    info = _result(subject).info
    if not isinstance(info, dict):
        raise Violation(f"info is a {type(info).__name__}, not a dict")
    try:
        text = json.dumps(info, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Violation(f"info cannot be written as JSON: {error}") from error
    if len(text) > INFO_BYTES:
        raise Violation(f"info takes {len(text)} bytes as JSON, more than {INFO_BYTES}")


@check(
    reason="The report marks such methods, and their error on kept values is read as exactly 0.",
    remedy="Copy the observed non-zero values into the result, or set keeps_observed = False.",
)
def keeps_observed_values(subject: Subject) -> None:
    """Where `keeps_observed` is declared, non-zero observed values come back unchanged."""
    imputer = subject.imputer
    subject.must_give_expression()
    if not imputer.keeps_observed:
        raise DoesNotApply("does not say that it keeps observed values")
    changed = {
        field.name
        for field in type(imputer).describe()
        if imputer.parameters()[field.name] != field.default
    }
    observed = observe(example_counts())
    values = subject.values_of(_result(subject), observed)
    kept = np.isclose(values, observed.lognorm, rtol=1e-4, atol=1e-5) | (observed.lognorm == 0)
    if not kept.all():
        cell, gene = np.argwhere(~kept)[0]
        non_default = f" (parameters changed: {', '.join(sorted(changed))})" if changed else ""
        raise Violation(
            f"{np.count_nonzero(~kept)} observed values changed, first at cell {cell}, gene "
            f"{gene}: {observed.lognorm[cell, gene]:.4g} became {values[cell, gene]:.4g}"
            f"{non_default}"
        )


@check(
    reason="Whoever edits the result would change the data it came from.",
    remedy="Return a copy: observed.lognorm.copy().",
)
def result_is_a_copy(subject: Subject) -> None:
    """The result shares no memory with the input."""
    observed = observe(example_counts())
    result = subject.impute(observed)
    for part in get_args(Part):
        given = getattr(result, part)
        for name, array in (("lognorm", observed.lognorm), ("counts", observed.dense_counts)):
            if isinstance(given, np.ndarray) and np.shares_memory(given, array):
                raise Violation(f"{part} shares its memory with observed.{name}")


def _result(subject: Subject) -> Imputed:
    """Return what came of the example data; `NotExamined` where `returns_imputed` has failed."""
    if subject.raised is not None or not isinstance(subject.result, Imputed):
        raise NotExamined
    return subject.result
