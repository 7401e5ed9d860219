"""The table of purposes, and what a reader's browser needs to make it anew for some data sets.

``filters.js`` computes from `Filters.data` what `purpose_table` computes from the summary; a test
in a browser holds them together.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from impbench.report.analysis.facets import KINDS, SIZES, TECHNOLOGIES, Facets, facets_of
from impbench.report.analysis.purposes import (
    MIN_DATASETS,
    SPEED,
    beside_rank,
    best_of,
    purposes_of,
    questions_of,
)
from impbench.report.analysis.run import Run
from impbench.report.analysis.worst import marked
from impbench.report.numbers import MISSING, fixed, rank_text
from impbench.report.page.views import Cell, Column, Table, TableRow
from impbench.report.text import counted

OVERALL = "All purposes"


@dataclass(frozen=True)
class FilterChoice:
    """One thing to filter by: its key in the address, its label, and value and text of each."""

    key: str
    label: str
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Filters:
    """The table over all data sets, the choices, and `data` for ``filters.js``, as JSON."""

    table: Table
    choices: tuple[FilterChoice, ...]
    data: str
    least: int = MIN_DATASETS


def filters(run: Run, summary: pd.DataFrame) -> Filters | None:
    """Return what the page filters; None where data sets are too few to be left out."""
    asked = questions_of(run, summary)
    if asked.empty or asked["dataset"].nunique() <= MIN_DATASETS:
        return None
    table = purpose_table(run, summary)
    names = [row.name for row in table.rows]
    datasets = list(run.datasets)
    facets = [facets_of(run.datasets[name]) for name in datasets]
    purposes = list(dict.fromkeys(asked["purpose"]))
    choices = (
        FilterChoice("purpose", "Purpose", tuple((name, name) for name in purposes)),
        *_choices(facets),
    )
    data = {
        "least": MIN_DATASETS,
        "purposes": purposes,
        "speed": purposes.index(SPEED) if SPEED in purposes else -1,
        "methods": [int(name in run.methods) for name in names],
        "datasets": [[facet.technology, facet.size, facet.kind] for facet in facets],
        **_questions(asked, names, datasets, purposes),
    }
    return Filters(table, choices, json.dumps(data, separators=(",", ":"), ensure_ascii=False))


def purpose_table(run: Run, summary: pd.DataFrame) -> Table:
    """Return mean rank and skill of every imputer for every purpose, over the data sets given.

    A purpose with fewer than `MIN_DATASETS` data sets has no ranks. Rows stand by their mean place
    over the purposes that have.
    """
    found = purposes_of(run, summary)
    purposes = list(dict.fromkeys(found["purpose"]))
    enough = {
        str(purpose): int(rows["n_datasets"].max()) >= MIN_DATASETS
        for purpose, rows in found.groupby("purpose")
    }
    ranked = found[found["purpose"].map(enough).astype(bool)]
    places = ranked[ranked["purpose"] != SPEED].groupby("imputer", sort=False)["mean_place"].mean()
    places = places.dropna()
    names = sorted(dict.fromkeys(found["imputer"]), key=lambda name: places.get(name, math.inf))
    cells = {(row.imputer, row.purpose): row for row in ranked.itertuples()}
    best = best_of(run, ranked)
    rows = [
        TableRow(
            name,
            (
                _place(float(places.get(name, math.nan))),
                *(
                    _cell(cells.get((name, purpose)), (name, purpose) in best)
                    for purpose in purposes
                ),
            ),
            "control" if run.imputers[name].is_control else "",
            run.imputers[name].summary or "",
        )
        for name in names
    ]
    heads = [_head(found[found["purpose"] == purpose], purpose) for purpose in purposes]
    overall = Column(OVERALL, "mean place: 0 first, 1 last")
    caption = (
        "Mean rank on the leading score of each question, 1 is best; below it mean skill, or "
        "seconds per imputation, median over datasets. Of each purpose the best method is bold"
    )
    return Table("Purposes", caption, (overall, *heads), tuple(rows))


def _head(rows: pd.DataFrame, purpose: str) -> Column:
    """Say what a purpose's ranks rest on."""
    n_datasets = int(rows["n_datasets"].max())
    asked = "" if purpose == SPEED else f"{counted(int(rows['n_questions'].max()), 'question')}, "
    few = "" if n_datasets >= MIN_DATASETS else ": too few"
    return Column(purpose, f"{asked}{counted(n_datasets, 'dataset')}{few}")


def _place(place: float) -> Cell:
    return Cell(fixed(place, 2), sort=None if math.isnan(place) else place)


def _cell(row: Any | None, best: bool) -> Cell:
    """One row of `purposes_of`; None where nobody is ranked, or the imputer was not asked."""
    if row is None or math.isnan(row.mean_rank):
        return Cell(MISSING)
    text = marked(rank_text(row.mean_rank), row.n_lost)
    return Cell(text, beside_rank(row), row.mean_rank, "best" if best else "")


def _choices(facets: list[Facets]) -> list[FilterChoice]:
    """What data sets can be told apart by here, each value with the number of data sets."""
    found = []
    for key, label, texts in (
        ("technology", "Technology", TECHNOLOGIES),
        ("size", "Size", SIZES),
        ("kind", "Kind of data", KINDS),
    ):
        counts = Counter(getattr(facet, key) for facet in facets)
        if key == "kind":
            counts["real"] = len(facets) - counts["simulated"]
        options = [
            (value, f"{text} ({counts[value]})") for value, text in texts.items() if counts[value]
        ]
        found.append(FilterChoice(key, label, tuple(options)))
    return found


def _questions(
    asked: pd.DataFrame, names: list[str], datasets: list[str], purposes: list[str]
) -> dict[str, Any]:
    """Ranks and skills (of speed, seconds) of every question, in the order of `names`."""
    row_of = {name: i for i, name in enumerate(names)}
    protocols = list(dict.fromkeys(asked["protocol"]))
    questions: list[list[Any]] = []
    lost: list[list[int]] = []
    groups = asked.groupby(["purpose", "dataset", "protocol"], sort=False)
    for key, rows in groups:
        purpose, dataset, protocol = map(str, key)
        ranks: list[float | None] = [None] * len(names)
        values: list[float | None] = [None] * len(names)
        beside = rows["seconds" if purpose == SPEED else "skill"]
        columns = (rows["imputer"], rows["rank"], beside, rows["n_lost"], rows["n_failed"])
        for imputer, rank, value, n_lost, n_failed in zip(*columns, strict=True):
            place = row_of[imputer]
            ranks[place], values[place] = _short(rank), _short(value)
            if n_lost:
                lost.append([len(questions), place, int(n_failed)])
        where = purposes.index(purpose), datasets.index(dataset), protocols.index(protocol)
        questions.append([*where, ranks, values])
    return {"questions": questions, "lost": lost}


def _short(value: float) -> float | None:
    """Nine digits, of a whole number none that it does not need."""
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else float(f"{value:.9g}")
