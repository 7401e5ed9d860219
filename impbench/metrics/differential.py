"""How well genes that differ between cell types are found again, and by how much they differ.

Arguments are (types, genes); every type counts alike. Log fold changes compare a type with all
other cells. cnnImpute scores fold changes on the genes that two top lists share, which differ from
method to method; here it is the same genes for all: those that truly differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.metrics.metric import correlation, loss, share

Values = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Signs = NDArray[np.int8]


@share(
    title="DE AUC",
    meaning=(
        "Whether genes that truly differ between cell types come out first: 1 is always, 0.5 is "
        "chance."
    ),
    reference="area under the ROC curve of the gene ranking, mean over types; cnnImpute, Methods",
)
def de_auc(de_scores: Values, de_true: Flags) -> float:
    """Chance that a gene that differs ranks before one that does not; ties count half.

    Types in which every gene or none differs are left out.
    """
    from sklearn.metrics import roc_auc_score

    areas = [
        roc_auc_score(true, scores)
        for scores, true in zip(de_scores, de_true, strict=True)
        if 0 < true.sum() < len(true)
    ]
    return float(np.mean(areas)) if areas else math.nan


@correlation(
    title="LFC Pearson r",
    meaning="Whether fold changes between cell types agree with the true ones (correlation).",
    reference="Pearson's r of log fold changes over genes that differ; cnnImpute, Methods",
)
def lfc_pearson(lfc_found: Values, lfc_true: Values, de_true: Flags) -> float:
    """Correlation of log fold changes with the true ones over genes that differ, mean over types.

    Types with fewer than two such genes are left out; no change found in any gene counts as 0.
    """
    found = []
    for x, true in _differing(lfc_found, lfc_true, de_true):
        if np.ptp(true) > 0:
            found.append(float(np.corrcoef(x, true)[0, 1]) if np.ptp(x) > 0 else 0.0)
    return float(np.mean(found)) if found else math.nan


@loss(
    title="LFC MSE",
    meaning="How far fold changes between cell types are from the true ones (squared error, log2).",
    unit="log2²",
    reference="mean squared error of log fold changes over genes that differ; cnnImpute, Methods",
)
def lfc_mse(lfc_found: Values, lfc_true: Values, de_true: Flags) -> float:
    """Mean squared error of the log fold changes of genes that differ, mean over types."""
    found = [np.square(x - true).mean() for x, true in _differing(lfc_found, lfc_true, de_true)]
    return float(np.mean(found)) if found else math.nan


@share(
    title="LFC distance",
    meaning=(
        "How far fold changes between cell types are from the true ones, relative to their size."
    ),
    direction="min",
    reference="0.5 var(X − Y) / (var X + var Y); cnnImpute, Methods",
)
def lfc_ned(lfc_found: Values, lfc_true: Values, de_true: Flags) -> float:
    """Normalised Euclidean distance of log fold changes over genes that differ, mean over types.

    0 for equal changes, 0.5 for unrelated ones, 1 for opposite ones.
    """
    found = []
    for x, true in _differing(lfc_found, lfc_true, de_true):
        spread = x.var() + true.var()
        if spread > 0:
            found.append(0.5 * (x - true).var() / spread)
    return float(np.mean(found)) if found else math.nan


@share(
    title="Top-list overlap",
    reference="genes in the top 300 of the reference and the top 900 found; cnnImpute, Fig. 5",
)
def de_overlap(top_found: Signs, top_true: Signs) -> float:
    """Share of the reference's top genes that are among those found, changed the same way."""
    shares = [
        np.mean(found[true != 0] == true[true != 0])
        for found, true in zip(top_found, top_true, strict=True)
        if (true != 0).any()
    ]
    return float(np.mean(shares)) if shares else math.nan


def _differing(found: Values, true: Values, differs: Flags) -> Iterator[tuple[Values, Values]]:
    """Yield the changes of every type's differing genes, if there are two or more."""
    for x, reference, chosen in zip(found, true, differs, strict=True):
        if chosen.sum() > 1:
            yield x[chosen].astype(np.float64), reference[chosen].astype(np.float64)
