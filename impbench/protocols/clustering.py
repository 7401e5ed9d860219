"""Ask whether clusters found in the imputed cells are the cell types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.errors import InputError
from impbench.imputer import Imputed, Part
from impbench.metrics.silhouette import silhouettes
from impbench.parameters import parameter
from impbench.protocols.components import principal_components, tsne
from impbench.protocols.partition import kmeans, leiden
from impbench.protocols.protocol import LazyEvidence, LibraryProtocol, Problem, observe
from impbench.protocols.transforms import WORDS, Transform, transformed

ALL_WIDTHS_UP_TO = 100_000
"""Of more cells, silhouette widths are those of `SOME_WIDTHS` cells: all pairs take hours."""
SOME_WIDTHS = 20_000
"""The standard error of their average is at most 0.007: widths lie from −1 to 1."""


@dataclass(frozen=True)
class Clustering(LibraryProtocol):
    """Hide the cell types, cluster the imputed cells, and compare the clusters with the types."""

    name: ClassVar[str] = "clustering"
    summary: ClassVar[str] = "Agreement of clusters found in the imputation with the cell types"
    reference: ClassVar[str] = "MaskClass, section 2.8 (iii); scMAE, section 2.4"
    meaning: ClassVar[str] = (
        "Cells are clustered after imputation, without the cell types, into as many groups as "
        "there are types. Do the groups match the types better than without imputation?"
    )
    purpose: ClassVar[str] = "clustering"
    offers: ClassVar[Mapping[str, str]] = {
        "components": "principal components of the imputation, (cells, components)",
        "clusters": "clusters found in the imputation, (cells,)",
        "silhouettes": "average silhouette widths of clusters, labels and batch, by these names",
    }

    algorithm: Literal["kmeans", "leiden"] = parameter(
        "kmeans",
        "K-means with the true k, or Leiden with a search for the resolution that gives k.",
    )
    reduction: Literal["pca", "tsne"] = parameter(
        "pca",
        "Cluster on max{2, min(50, N, G)} principal components, or on a t-SNE of those as in the "
        "MaskClass authors' script.",
    )
    n_init: int = parameter(10, "Starts of k-means++, of which the best is kept.", min=1)
    source: Literal["expression", "embedding", "either"] = parameter(
        "expression",
        "Cluster the imputed expression, the coordinates the method offers, or these where it "
        "offers any and the expression otherwise.",
    )

    transform: Transform = parameter(
        "log",
        "What the components of an expression are taken of: log2(1 + counts / size factor), "
        "ln(1 + counts per 10 000), or square roots.",
    )

    @property
    def answered_from(self) -> tuple[Part, ...]:
        """What `source` says."""
        return ("expression", "embedding") if self.source == "either" else (self.source,)

    def obstacle(self, dataset: Dataset) -> str | None:
        """Two cell types or more are needed, and more cells than types."""
        labels = dataset.labels
        if labels is None:
            return f"{dataset.name} has no cell-type labels; give them with --label-key"
        # What None and NaN become when labels are made into strings.
        missing = np.isin(labels.astype(str), ["", "nan", "None", "<NA>", "NaT"])
        if missing.any():
            return (
                f"{missing.sum()} of {dataset.n_cells} cells of {dataset.name} have no label, "
                f"first {dataset.cell_names[int(missing.argmax())]}; label them or leave them out"
            )
        if dataset.n_genes < 2:
            return f"{dataset.name} has one gene; principal components need two"
        k = len(np.unique(labels))
        if k < 2:
            return (
                f"every cell of {dataset.name} is labelled {str(labels[0])!r}; two types are needed"
            )
        if k >= dataset.n_cells:
            return f"{dataset.name} has {k} cell types for {dataset.n_cells} cells; more are needed"
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Show the observed counts without labels; nothing here is random."""
        observed, hidden, convention = observe(dataset, self.library)
        metrics = ["ari", "nmi", "purity", "entropy", "asw", "celltype-asw"]
        left_out = {}
        if dataset.batch is not None:
            if len(np.unique(dataset.batch)) > 1:
                metrics.append("batch-asw")
            else:
                left_out["batch-asw"] = (
                    f"every cell of {dataset.name} is of batch {str(dataset.batch[0])!r}; whether "
                    "batches mix can be asked of two or more: name another column with --batch-key"
                )
        conventions = [convention, self._convention()]
        if (some := _cells_with_widths(dataset.n_cells)) is not None:
            conventions.append(
                f"silhouettes are those of {len(some)} of the cells, drawn at random, each from "
                "its distances to all cells"
            )
        return Problem(observed, hidden, tuple(metrics), tuple(conventions), left_out=left_out)

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``components`` (the coordinates clustered), ``clusters`` and ``silhouettes``.

        Each is computed once. Calling ``components`` raises `InputError` if ``source`` is
        ``"embedding"`` and the method offers none.
        """

        @cache
        def components() -> NDArray[np.float64]:
            points = self._coordinates(problem, imputed)
            return tsne(points, seed) if self.reduction == "tsne" else points

        @cache
        def clusters() -> NDArray[np.int64]:
            labels = problem.hidden.types()
            k = len(np.unique(labels))
            if self.algorithm == "leiden":
                return leiden(components(), k, seed)
            return kmeans(components(), k, self.n_init, seed)

        def widths() -> dict[str, float]:
            groupings = {
                "clusters": clusters(),
                "labels": problem.hidden.labels,
                "batch": problem.hidden.batch,
            }
            given = {name: groups for name, groups in groupings.items() if groups is not None}
            some = _cells_with_widths(len(components()))
            found = silhouettes(components(), list(given.values()), some)
            return dict(zip(given, found, strict=True))

        return {"components": components, "clusters": clusters, "silhouettes": cache(widths)}

    def _coordinates(self, problem: Problem, imputed: Imputed) -> NDArray[np.float64]:
        without = self.source == "either" and imputed.embedding is None
        if self.source == "expression" or without:
            values = transformed(imputed, problem.observed, self.transform)
            return principal_components(values)
        if imputed.embedding is None:
            raise InputError(
                "this method offers no embedding to cluster; use clustering[source=expression]"
            )
        return np.asarray(imputed.embedding, dtype=np.float64)

    def _convention(self) -> str:
        components = (
            "max{2, min(50, N, G)} principal components of the imputed " + WORDS[self.transform]
        )
        space = {
            "expression": components,
            "embedding": "the method's own embedding",
            "either": f"the method's own embedding, or else {components}",
        }[self.source]
        if self.reduction == "tsne":
            space = f"a two-dimensional t-SNE of {space}"
        if self.algorithm == "leiden":
            return f"clusters by Leiden on {space}, resolution searched to give the true k"
        return f"clusters by k-means on {space}, true k, k-means++, best of {self.n_init} starts"


def _cells_with_widths(n_cells: int) -> NDArray[np.intp] | None:
    """Return the cells whose silhouettes are averaged, the same for every method; None: all."""
    if n_cells <= ALL_WIDTHS_UP_TO:
        return None
    return np.random.default_rng(0).choice(n_cells, SOME_WIDTHS, replace=False)
