"""Lay out the page's tables as rows of cells: text, a second line, and the value to sort by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from impbench.report.analysis.purposes import TIME
from impbench.report.analysis.run import Run
from impbench.report.analysis.shown_metric import ShownMetric
from impbench.report.analysis.tables import Verdict, gain, order
from impbench.report.analysis.worst import lost_text, marked
from impbench.report.numbers import MISSING, interval_text, number, rank_text, skill_text, spread
from impbench.report.text import counted
from impbench.scoring.oddities import IMPOSSIBLE

NONZERO_MEAN = "nonzero-mean"


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
class TableRow:
    """One imputer's row."""

    name: str
    cells: tuple[Cell, ...]
    kind: str = ""
    hover: str = ""


@dataclass(frozen=True)
class Column:
    """A column's head, the line below it, and what the head means."""

    title: str
    note: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """A sortable table with one row per imputer; `meaning` says in plain words what it shows."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    meaning: str = ""


def metric_tables(run: Run, summary: pd.DataFrame) -> dict[tuple[str, str], Table]:
    """Return a table for every protocol and metric.

    It shows mean rank and skill per scope, then every dataset's mean ± sd, rank and skill. In a
    large run only the lead metric's does; the others' scores stand in `dataset_table` alone.
    """
    rows: dict[tuple[str, str], list[Any]] = {}
    for row in summary.itertuples():
        rows.setdefault((str(row.protocol), str(row.metric)), []).append(row)
    means = _means(run, summary)
    return {
        (protocol, metric): _metric_table(run, imputers, rows[protocol, metric], means)
        for protocol in run.protocols
        for imputers in [order(run, summary, protocol)]
        for metric in run.metrics_of(protocol)
    }


def _metric_table(
    run: Run, imputers: list[str], rows: list[Any], means: Mapping[tuple[str, str, str, str], Any]
) -> Table:
    """Return the table of one protocol and metric, whose `rows` of the summary these are."""
    protocol, metric = rows[0].protocol, rows[0].metric
    fact, asked = run.metrics[metric], {row.dataset for row in rows}
    datasets = [name for name in run.datasets if name in asked]
    by_scope = {
        scope: [name for name in datasets if run.scope(name) == scope]
        for scope in ("simulated", "real")
    }
    scopes = {scope: names for scope, names in by_scope.items() if names}
    columns = [
        Column("Mean rank", f"{counted(len(names), f'{scope} dataset')}")
        for scope, names in scopes.items()
    ]
    if run.is_large and metric != run.lead_metric(protocol):
        datasets = []
    columns += [Column(run.datasets[name].title, run.scope(name)) for name in datasets]
    found = {(row.imputer, row.dataset): row for row in rows}
    overall = {}
    for scope, names in scopes.items():
        here = {name: means.get((protocol, metric, scope, name)) for name in imputers}
        known = {name: row for name, row in here.items() if row is not None}
        overall[scope] = _scope_cells(run, known, len(names))
    table_rows = []
    for imputer in imputers:
        cells = [overall[scope].get(imputer, Cell(MISSING)) for scope in scopes]
        for dataset in datasets:
            cells.append(_cell(run, found.get((imputer, dataset)), fact))
        table_rows.append(_row(run, imputer, cells))
    caption = _caption(fact, protocol)
    return Table(fact.title, caption, tuple(columns), tuple(table_rows), fact.explanation)


def dataset_table(run: Run, summary: pd.DataFrame, dataset: str, protocol: str) -> Table:
    """One dataset under one protocol: every metric's mean ± sd, rank and skill.

    Of cost, a large run has the time alone; the rest is in ``tables/scores.csv``.
    """
    asked = (summary["dataset"] == dataset) & (summary["protocol"] == protocol)
    found = {(row.imputer, row.metric): row for row in summary[asked].itertuples()}
    present = {metric for _, metric in found}
    metrics = [name for name in run.metrics_of(protocol) if name in present]
    if run.is_large:
        costs = {name for name in metrics if run.metrics[name].is_cost and name != TIME}
        metrics = [name for name in metrics if name not in costs]
    columns = tuple(
        Column(fact.in_unit, f"{fact.better}{_against(fact)}", fact.explanation)
        for fact in map(run.metrics.__getitem__, metrics)
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
    nonzero_mean = NONZERO_MEAN if NONZERO_MEAN in run.controls else None
    references = (run.nothing, nonzero_mean, run.formula, *run.embedding_controls)
    controls = [name for name in references if name is not None and name in scored]
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
        n_lost = int(rows.loc[rows["imputer"] == method, "n_lost"].sum())
        table_rows.append(_row(run, method, [_gain_cell(values, n_lost) for values in gains]))
    caption = f"Gain in {fact.in_unit}, mean over datasets; positive is better"
    return Table(fact.title, caption, columns, tuple(table_rows))


def _gain_cell(values: list[tuple[float, Verdict | None]], n_lost: int) -> Cell:
    gains = [value for value, _ in values if math.isfinite(value)]
    if not gains:
        return Cell(MISSING)
    mean = float(np.mean(gains))
    verdicts = [verdict for _, verdict in values if verdict is not None]
    text = f"+{number(mean)}" if mean > 0 else number(mean)
    kind = "good" if set(verdicts) == {"better"} else "bad" if mean < 0 else ""
    return Cell(marked(text, n_lost), verdict_text(verdicts), -mean, kind)


def verdict_text(verdicts: Sequence[Verdict]) -> str:
    """Say on how many datasets one is better, worse, and not told apart; ``one seed`` of none."""
    if not verdicts:
        return "one seed"
    counts = Counter(verdicts)
    if len(counts) == 1 and len(verdicts) == 1:
        return verdicts[0]
    kinds: tuple[Verdict, ...] = ("better", "worse", "not told apart")
    shown = [f"{kind} on {counts[kind]}" for kind in kinds if counts[kind]]
    return f"{', '.join(shown)} of {len(verdicts)}"


def _means(run: Run, summary: pd.DataFrame) -> dict[tuple[str, str, str, str], Any]:
    """Mean rank and mean skill over datasets, by protocol, metric, scope and imputer."""
    keys = ["protocol", "metric", "scope", "imputer"]
    scoped = summary.assign(scope=summary["dataset"].map(run.scope))
    groups = scoped.groupby(keys, sort=False).agg(
        rank=("rank", "mean"),
        ranked=("rank", "count"),
        skill=("skill", "mean"),
        lost=("n_lost", "sum"),
        asked=("n_asked", "sum"),
        failed=("n_failed", "sum"),
    )
    found: Iterable[Any] = groups.itertuples()
    return {row.Index: row for row in found}


def _scope_cells(run: Run, rows: Mapping[str, Any], n_datasets: int) -> dict[str, Cell]:
    """Mean rank and mean skill per imputer over the datasets of a scope; see `_means`."""
    whole = {name for name, row in rows.items() if row.ranked == n_datasets and not row.failed}
    first = min((rows[name].rank for name in whole), default=math.nan)
    cells = {}
    for name, row in rows.items():
        partial = 0 < row.ranked < n_datasets
        notes = [f"skill {skill_text(row.skill)}"] if not math.isnan(row.skill) else []
        notes += [f"on {row.ranked} of {n_datasets}"] if partial else []
        best = name in whole and row.rank == first
        counts = not math.isnan(row.rank)
        text = "not ranked" if run.sees_truth(name) else rank_text(row.rank)
        cells[name] = Cell(
            marked(text, row.lost) if counts else text,
            " · ".join(notes),
            row.rank if counts else None,
            "best" if best else "",
            warning=lost_text(row.lost, row.asked) if counts and row.lost else "",
        )
    return cells


def _cell(run: Run, row: Any | None, fact: ShownMetric) -> Cell:
    """One row of `tables.summarise` as a cell; None where the job was not asked."""
    if row is None:
        return Cell(MISSING)
    notes = [] if math.isnan(row.rank) else [f"rank {marked(rank_text(row.rank), row.n_lost)}"]
    if not math.isnan(row.skill):
        notes.append(f"skill {marked(skill_text(row.skill), row.n_lost)}")
    if math.isnan(row.mean):
        if row.status == "ok":
            timed = run.sees_truth(row.imputer) and fact.is_cost
            return Cell(MISSING, "" if timed else "undefined")
        return Cell(row.status, " · ".join(notes), kind="failed", hover=row.reason)
    over_cells = f"over cells {interval_text(row.low, row.high)}" if row.low < row.high else ""
    # Without a spread over seeds, the one over cells is all there is to say how sure a score is.
    if over_cells and not row.sd > 0:
        notes.append(over_cells)
    hover = [row.reason if row.n_lost else "", over_cells and f"95 % interval {over_cells}"]
    text = spread(row.mean, row.sd)
    if not fact.comparable and math.isfinite(row.nothing):
        hover.append(f"loss {text}; no imputation {number(row.nothing)}")
        text = spread(row.mean - row.nothing, row.sd, signed=True)
    odd = () if fact.is_cost else run.notes.get((row.dataset, row.protocol, row.imputer), ())
    warnings = [f"{row.n_asked - row.n_lost} of {row.n_asked} seeds"] if row.n_lost else []
    warnings += [IMPOSSIBLE] if any(note.startswith(IMPOSSIBLE) for note in odd) else []
    return Cell(
        text,
        " · ".join(notes),
        sort=row.mean * (fact.direction or 1),
        kind="best" if row.best else "",
        hover="; ".join(filter(None, [*hover, *odd])),
        warning=" · ".join(warnings),
    )


def _row(run: Run, imputer: str, cells: Iterable[Cell]) -> TableRow:
    facts = run.imputers[imputer]
    kind = "oracle" if facts.needs_truth else "control" if facts.is_control else ""
    return TableRow(imputer, tuple(cells), kind, facts.summary or "")


def _caption(fact: ShownMetric, protocol: str) -> str:
    return (
        f"{fact.in_unit}{_against(fact)}, {fact.better}: mean ± sd over seeds, protocol {protocol}"
    )


def _against(fact: ShownMetric) -> str:
    """Say so where the cells hold differences."""
    return "" if fact.comparable else ", difference to no imputation per cell and gene"
