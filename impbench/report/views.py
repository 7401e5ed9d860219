"""The page's tables as rows of cells: text, a second line, and the value to sort by."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from impbench.report.numbers import MISSING, number, rank_text, skill_text, spread
from impbench.report.run import ORACLE, PRIOR, SEES_TRUTH, MetricFacts, Run
from impbench.report.tables import gain, order
from impbench.report.text import counted
from impbench.runner.oddities import IMPOSSIBLE

REFERENCE_CONTROLS = ("no-imputation", "nonzero-mean", PRIOR)


@dataclass(frozen=True)
class Cell:
    """One cell; `sort` is what its column sorts by, better first; cells without it go last."""

    text: str
    note: str = ""
    sort: float | None = None
    kind: str = ""
    hover: str = ""
    warning: str = ""


@dataclass(frozen=True)
class Row:
    """One imputer's row."""

    name: str
    cells: tuple[Cell, ...]
    kind: str = ""
    hover: str = ""


@dataclass(frozen=True)
class Column:
    """A column's head and the line below it."""

    title: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A sortable table with one row per imputer."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def metric_table(run: Run, summary: pd.DataFrame, protocol: str, metric: str) -> Table:
    """One metric: mean rank and skill per scope, then every dataset's mean ± sd, rank and skill."""
    fact = run.metrics[metric]
    rows = summary[(summary["protocol"] == protocol) & (summary["metric"] == metric)]
    datasets = [name for name in run.datasets if name in set(rows["dataset"])]
    by_scope = {
        scope: [name for name in datasets if run.scope(name) == scope]
        for scope in ("simulated", "real")
    }
    scopes = {scope: names for scope, names in by_scope.items() if names}
    columns = [
        Column("Mean rank", f"{counted(len(names), f'{scope} dataset')}")
        for scope, names in scopes.items()
    ]
    columns += [Column(run.datasets[name].title, run.scope(name)) for name in datasets]
    found = {(row.imputer, row.dataset): row for row in rows.itertuples()}
    means = {scope: _scope_cells(rows, names) for scope, names in scopes.items()}
    table_rows = []
    for imputer in order(run, summary, protocol):
        cells = [means[scope].get(imputer, Cell(MISSING)) for scope in scopes]
        for dataset in datasets:
            cells.append(_cell(run, found.get((imputer, dataset)), fact))
        table_rows.append(_row(run, imputer, cells))
    return Table(fact.title, _caption(fact, protocol), tuple(columns), tuple(table_rows))


def dataset_table(run: Run, summary: pd.DataFrame, dataset: str, protocol: str) -> Table:
    """One dataset under one protocol: every metric's mean ± sd, rank and skill."""
    asked = (summary["dataset"] == dataset) & (summary["protocol"] == protocol)
    found = {(row.imputer, row.metric): row for row in summary[asked].itertuples()}
    present = {metric for _, metric in found}
    metrics = [name for name in run.metrics_of(protocol) if name in present]
    columns = tuple(
        Column(f"{run.metrics[name].title}{_unit(run.metrics[name])}", _arrow(run.metrics[name]))
        for name in metrics
    )
    imputers = {imputer for imputer, _ in found}
    rows = tuple(
        _row(
            run,
            imputer,
            [_cell(run, found.get((imputer, name)), run.metrics[name]) for name in metrics],
        )
        for imputer in order(run, summary, protocol)
        if imputer in imputers
    )
    title = run.datasets[dataset].title
    return Table(title, f"{title}, protocol {protocol}: mean ± sd over seeds", columns, rows)


def gain_table(run: Run, summary: pd.DataFrame, protocol: str, metric: str) -> Table | None:
    """What each method adds over simple rules; None without methods or without such controls."""
    fact = run.metrics[metric]
    rows = summary[(summary["protocol"] == protocol) & (summary["metric"] == metric)]
    scored = set(rows.loc[rows["n_scored"] > 0, "imputer"])
    controls = [name for name in REFERENCE_CONTROLS if name in scored]
    methods = [name for name in order(run, summary, protocol) if name in run.methods]
    if not controls or not methods:
        return None
    known = rows.drop_duplicates("dataset").dropna(subset=["control"])
    best = dict(zip(known["dataset"], known["control"], strict=True))
    columns = (
        *(Column(f"over {name}") for name in controls),
        Column("over the best control", "of each dataset"),
    )
    datasets = list(best)
    table_rows = []
    for method in methods:
        rivals = [*([(d, name) for d in datasets] for name in controls), list(best.items())]
        gains = [
            [gain(run, d, protocol, metric, method, rival) for d, rival in pairs]
            for pairs in rivals
        ]
        table_rows.append(_row(run, method, [_gain_cell(values) for values in gains]))
    caption = f"Gain in {fact.title}{_unit(fact)}, mean over datasets; positive is better"
    return Table(fact.title, caption, columns, tuple(table_rows))


def _gain_cell(values: list[tuple[float, bool | None]]) -> Cell:
    gains = [value for value, _ in values if math.isfinite(value)]
    if not gains:
        return Cell(MISSING)
    mean = float(np.mean(gains))
    known = [verdict for _, verdict in values if verdict is not None]
    text = f"+{number(mean)}" if mean > 0 else number(mean)
    note = f"beyond noise on {sum(known)} of {len(known)}" if known else "one seed"
    kind = "good" if known and all(known) else "bad" if mean < 0 else ""
    return Cell(text, note, -mean, kind)


def _scope_cells(rows: pd.DataFrame, datasets: list[str]) -> dict[str, Cell]:
    """Mean rank and mean skill per imputer over `datasets`."""
    here = rows[rows["dataset"].isin(datasets)]
    groups = here.groupby("imputer", sort=False).agg(
        rank=("rank", "mean"), ranked=("rank", "count"), skill=("skill", "mean")
    )
    whole = groups[groups["ranked"] == len(datasets)]["rank"]
    cells = {}
    for name, rank, ranked, skill in groups.itertuples():
        partial = 0 < ranked < len(datasets)
        notes = [f"skill {skill_text(skill)}"] if not math.isnan(skill) else []
        notes += [f"on {ranked} of {len(datasets)}"] if partial else []
        best = not partial and len(whole) > 0 and rank == whole.min()
        text = "not ranked" if name in SEES_TRUTH else rank_text(rank)
        cells[str(name)] = Cell(
            text, " · ".join(notes), None if math.isnan(rank) else rank, "best" if best else ""
        )
    return cells


def _cell(run: Run, row: Any | None, fact: MetricFacts) -> Cell:
    """One row of `impbench.report.tables.summarise` as a cell; None where the job was not asked."""
    if row is None:
        return Cell(MISSING)
    rank = [] if math.isnan(row.rank) else [f"rank {rank_text(row.rank)}"]
    if math.isnan(row.mean):
        if row.status == "ok":
            return Cell(MISSING, "" if row.imputer in SEES_TRUTH and fact.is_cost else "undefined")
        return Cell(row.status, "".join(rank), kind="failed", hover=row.reason)
    notes = rank + ([] if math.isnan(row.skill) else [f"skill {skill_text(row.skill)}"])
    partial = row.n_scored < row.n_jobs
    odd = () if fact.is_cost else run.notes.get((row.dataset, row.protocol, row.imputer), ())
    warnings = [f"{row.n_scored} of {row.n_jobs} seeds"] if partial else []
    warnings += [IMPOSSIBLE] if any(note.startswith(IMPOSSIBLE) for note in odd) else []
    return Cell(
        spread(row.mean, row.sd),
        " · ".join(notes),
        sort=row.mean * (fact.direction or 1),
        kind="best" if row.best else "",
        hover="; ".join([*([row.reason] if partial else []), *odd]),
        warning=" · ".join(warnings),
    )


def _row(run: Run, imputer: str, cells: Iterable[Cell]) -> Row:
    facts = run.imputers[imputer]
    kind = "oracle" if imputer == ORACLE else "control" if facts.is_control else ""
    return Row(imputer, tuple(cells), kind, facts.summary)


def _caption(fact: MetricFacts, protocol: str) -> str:
    return f"{fact.title}{_unit(fact)}, {_arrow(fact)}: mean ± sd over seeds, protocol {protocol}"


def _unit(fact: MetricFacts) -> str:
    return f" ({fact.unit})" if fact.unit else ""


def _arrow(fact: MetricFacts) -> str:
    return {1: "lower is better", -1: "higher is better", 0: "direction unknown"}[fact.direction]
