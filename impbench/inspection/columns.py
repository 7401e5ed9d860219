"""Which columns of the table of cells name cell types, and which batches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

LABELS = (
    *("celltype", "celllabel", "cellontologyclass", "celltypes", "celltype1", "celltypemajor"),
    *("annotation", "annotations", "cellannotation", "finalannotation", "celltypist"),
    *("label", "labels", "cellclass", "subclass", "class", "cellsubtype", "phenotype", "type"),
)
"""Without case and punctuation, the surest first."""

CLUSTERS = ("leiden", "louvain", "seuratclusters", "cluster", "kmeans", "phenograph")
"""Made from the counts themselves, so that agreeing with them shows nothing."""

BATCHES = (
    *("batch", "batchid", "donor", "donorid", "patient", "patientid", "individual", "subject"),
    *("sample", "sampleid", "samplename", "origident", "library", "libraryid", "channel", "run"),
    *("replicate", "plate", "dataset", "study", "mouse", "mouseid", "experiment", "chemistry"),
)

MOST_TYPES = 200
MOST_BATCHES = 500


@dataclass(frozen=True)
class GroupColumn:
    """A column that names groups of cells."""

    name: str
    """As in the file."""
    n_groups: int
    """Different values."""
    missing: int
    """Cells without one."""
    examples: tuple[str, ...]
    """The most frequent values."""


@dataclass(frozen=True)
class ColumnFacts:
    """Columns worth naming, the surest first."""

    labels: tuple[GroupColumn, ...]
    clusters: tuple[GroupColumn, ...]
    batches: tuple[GroupColumn, ...]


def look_at_columns(cells: pd.DataFrame) -> ColumnFacts:
    """Find them by their names, and leave out those that no run could use."""
    return ColumnFacts(
        labels=_found(cells, LABELS, MOST_TYPES),
        clusters=_found(cells, CLUSTERS, MOST_TYPES),
        batches=tuple(
            column for column in _found(cells, BATCHES, MOST_BATCHES) if not column.missing
        ),
    )


def _found(cells: pd.DataFrame, known: Sequence[str], most: int) -> tuple[GroupColumn, ...]:
    ranked = []
    for name in map(str, cells.columns):
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        exact = [i for i, word in enumerate(known) if plain == word]
        # Longer names that hold a long one, such as predicted_celltype_l2 or leiden_0.5.
        inside = [i for i, word in enumerate(known) if len(word) > 5 and word in plain]
        rank = (0, exact[0]) if exact else (1, inside[0]) if inside else None
        column = _column(cells[name], name)
        if rank and column and 2 <= column.n_groups <= min(most, max(2, len(cells) // 2)):
            ranked.append((rank, column))
    return tuple(column for _, column in sorted(ranked, key=lambda item: item[0]))


def _column(values: pd.Series, name: str) -> GroupColumn | None:
    if isinstance(values, pd.DataFrame):  # two columns of one name
        return None
    if pd.api.types.is_float_dtype(values):
        present = values.dropna()
        if (present != present.round()).any():
            return None
    counted = values.astype(object).value_counts()
    counted = counted[(counted > 0) & (counted.index.astype(str) != "")]
    examples = tuple(map(str, counted.index[:3]))
    return GroupColumn(name, len(counted), int(len(values) - counted.sum()), examples)
