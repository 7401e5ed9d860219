"""Truths that a card finds in its file, put where impbench looks for them in any file.

``mixture = {A = "a_cells", B = "b_cells"}`` are columns of `obs` with the parts of pure components
(to ``obsm["mixture"]``); ``technical = {key, value}`` says which cells are technical controls (to
``obs["technical"]``); ``bulk = {"type" = "column"}`` are columns of the data frame ``uns["bulk"]``,
one row per gene (to ``varm["bulk"]``); ``smfish`` is the key of `uns` with molecules counted under
the microscope (to ``var["reference_gini"]``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impbench.data.card import Card
from impbench.data.known_columns import BULK, GINI, MIXTURE, TECHNICAL
from impbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

AREA = "Area"
"""Column with the area of the cell under the microscope; all others are genes."""


def add_truths(data: AnnData, card: Card, label_key: str, where: str) -> None:
    """Add to `data` what `card` says that its file knows.

    Parameters
    ----------
    label_key
        Column of `obs` with the labels; bulk and smFISH go by their names.
    where
        File, for messages.

    Raises
    ------
    InputError
        If the file lacks what the card names; says what.
    """
    import pandas as pd

    if card.mixture:
        parts = {name: _column(data.obs, key, where) for name, key in card.mixture.items()}
        data.obsm[MIXTURE] = pd.DataFrame(parts, index=data.obs_names)
    if card.technical is not None:
        column = _column(data.obs, card.technical.key, where).astype(str)
        data.obs[TECHNICAL] = (column == card.technical.value).to_numpy(dtype=np.bool_)
    if card.bulk:
        table = _held(data, BULK, where)
        bulk = {label: _column(table, key, where) for label, key in card.bulk.items()}
        data.varm[BULK] = pd.DataFrame(bulk).set_axis(data.var_names, axis=0)
    if card.smfish:
        cells = ~data.obs[TECHNICAL] if TECHNICAL in data.obs else slice(None)
        labels = _column(data.obs, label_key, where)[cells].astype(str)
        shares = {str(k): float(v) for k, v in labels.value_counts(normalize=True).items()}
        found = smfish_gini(_held(data, card.smfish, where), shares, where)
        data.var[GINI] = pd.Series(found, dtype=np.float64).reindex(data.var_names)


def smfish_gini(
    tables: Mapping[str, Mapping[str, pd.DataFrame]], shares: Mapping[str, float], where: str
) -> dict[str, float]:
    """Return the Gini coefficient of each gene's molecules per area, over the cells of all labels.

    A cell twice as large holds about twice the molecules of everything. Size factors take that out
    of sequenced cells, and the area, over the mean area of the same table, out of these: between
    tables areas differ for other reasons, such as how flat cells lie. Where several tables of a
    label hold a gene, each is brought to their common mean. The cells under the microscope are
    weighted so that each label has its share of the sequenced cells: differences
    between labels count as much in the one as in the other.

    Parameters
    ----------
    tables
        By label, then by pair of probes: one row per cell, molecules per gene and ``Area``.
    shares
        Of each label among the sequenced cells.

    Returns
    -------
    By gene; genes that were not measured in every label are left out.

    Raises
    ------
    InputError
        If a label has no tables, or a table no area.
    """
    measured: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
    for label in shares:
        if label not in tables:
            raise InputError(
                f"{where}: there is no smFISH of {label!r}, but of {', '.join(tables)}"
            )
        for table in tables[label].values():
            area = _column(table, AREA, where).to_numpy(dtype=np.float64)
            for gene in table.columns.drop(AREA):
                density = table[gene].to_numpy(dtype=np.float64) / (area / area.mean())
                measured.setdefault(str(gene), {}).setdefault(label, []).append(density)
    found = {}
    for gene, by_label in measured.items():
        if set(by_label) == set(shares):
            joined = {label: _to_one_mean(parts) for label, parts in by_label.items()}
            weights = [np.full(len(joined[label]), shares[label] / len(joined[label]))
                       for label in joined]  # fmt: skip
            found[gene] = weighted_gini(np.concatenate([*joined.values()]), np.concatenate(weights))
    return found


def _to_one_mean(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    means = np.array([part.mean() for part in parts])
    factors = np.divide(means.mean(), means, out=np.ones_like(means), where=means > 0)
    return np.concatenate([part * factor for part, factor in zip(parts, factors, strict=True)])


def weighted_gini(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return Σ_i Σ_j w_i w_j |x_i - x_j| / (2 Σ w · Σ w x); NaN where all are 0.

    With equal weights the Gini coefficient of `impbench.protocols.gene_spread`.
    """
    order = np.argsort(values)
    x, w = values[order], weights[order] / weights.sum()
    total = float(w @ x)
    # The half of the double sum in which x_j ≤ x_i, with the weight before i less that after it.
    below = np.cumsum(w) - w
    above = 1 - below - w
    return float((w * x * (below - above)).sum() / total) if total > 0 else float("nan")


def _held(data: AnnData, key: str, where: str) -> Any:
    if key not in data.uns:
        raise InputError(f"{where} lacks uns[{key!r}], which the card of this data set names")
    return data.uns[key]


def _column(table: pd.DataFrame, key: str, where: str) -> pd.Series:
    if key not in table:
        raise InputError(
            f"{where} lacks the column {key!r}, which the card of this data set names; there are "
            f"{', '.join(map(str, table.columns))}"
        )
    return table[key]
