"""Show the leaderboard outside the page: as a data frame, and in the terminal after a run."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from impbench.report.analysis.batches import batch_answers, both_ways, partners
from impbench.report.analysis.run import Run, make_run, run_of_results
from impbench.report.analysis.tables import leaderboard_of, summarise
from impbench.report.analysis.worst import MARK, RULE, marked
from impbench.report.numbers import MISSING, number, rank_text, skill_text
from impbench.report.text import counted, shorten
from impbench.results.manifest import RunManifest
from impbench.results.store import StoredRun

MAX_METRICS = 3
TIME = "wall-seconds"


def leaderboard(
    source: StoredRun | pd.DataFrame, manifest: RunManifest | None = None
) -> pd.DataFrame:
    """Return mean rank and mean skill per protocol, kind of data, imputer and metric.

    Parameters
    ----------
    source
        A finished run, or its tidy results (see `impbench.results.table.tidy`).
    manifest
        What was run; needed with results alone, a run has its own.

    Returns
    -------
    Columns as in `impbench.report.analysis.tables.leaderboard_of`.
    """
    if isinstance(source, StoredRun):
        run = make_run(source)
    else:
        run = run_of_results(source, manifest or RunManifest())
    return leaderboard_of(run, summarise(run))


def terminal_leaderboard(stored: StoredRun) -> list[Table]:
    """Return one table per protocol and kind of data: mean rank and skill per metric, and time.

    The first three metrics of a protocol are shown; the report has all. Names come from data, so
    nothing in them is read as markup.
    """
    run = make_run(stored)
    board = leaderboard_of(run, summarise(run))
    if board.empty:
        return []
    groups = board.groupby(["protocol", "scope"], sort=False)
    return [_table(run, str(key[0]), str(key[1]), rows) for key, rows in groups]


def terminal_batches(stored: StoredRun) -> list[str]:
    """Say whether batches are imputed together or apart; nothing where none ran both ways."""
    run = make_run(stored)
    if not partners(run):
        return []
    answers = batch_answers(run, both_ways(run, summarise(run)))
    lines = [
        f"{found.topic}: {' '.join([found.lead, *found.details])}"
        for found in (answer.finding for answer in answers)
    ]
    told = [run.datasets[name] for name in dict.fromkeys(answer.dataset for answer in answers)]
    return [*lines, *(f"{about.title}: {about.warning}" for about in told if about.warning)]


def _table(run: Run, protocol: str, scope: str, rows: pd.DataFrame) -> Table:
    present = set(rows["metric"])
    metrics = [
        name
        for name in run.metrics_of(protocol)
        if name in present and not run.metrics[name].is_cost and run.metrics[name].direction
    ][:MAX_METRICS]
    n_datasets = counted(int(rows["n_datasets"].max()), f"{scope} dataset")
    table = Table(title=Text(f"{protocol}, {n_datasets}"), title_justify="left")
    if rows["n_lost"].any():
        table.caption, table.caption_justify = Text(f"{MARK} {RULE}"), "left"
    table.add_column("imputer")
    for name in metrics:
        table.add_column(Text(f"{run.metrics[name].title}\nrank  skill"), justify="right")
    table.add_column("time", justify="right")
    found: dict[tuple[str, str], Any] = {
        (str(row.imputer), str(row.metric)): row for row in rows.itertuples()
    }
    best = {
        name: min(
            (row.mean_rank for key, row in found.items() if key[1] == name and not row.n_lost),
            default=0.0,
        )
        for name in metrics
    }
    for imputer in dict.fromkeys(rows["imputer"]):
        control = run.imputers[imputer].is_control
        cells = [Text(shorten(imputer, 36), style="dim" if control else "")]
        for name in metrics:
            row = found[(imputer, name)]
            rank = marked(rank_text(row.mean_rank), row.n_lost)
            text = f"{rank}  {skill_text(row.mean_skill):>6}"
            is_best = row.mean_rank == best[name] and not row.n_lost
            style = "bold" if is_best else "dim" if control else ""
            cells.append(Text(MISSING if run.sees_truth(imputer) else text, style=style))
        time = found.get((imputer, TIME))
        seconds = math.nan if time is None else time.median
        text = f"{number(seconds, 2)} s" if math.isfinite(seconds) else MISSING
        cells.append(Text(text if time is None else marked(text, time.n_lost * (seconds > 0))))
        table.add_row(*cells)
    return table
