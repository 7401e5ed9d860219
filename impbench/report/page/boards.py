"""Show a run outside the page: the answer in the terminal, the leaderboard as a data frame."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from impbench.report.analysis.advice import Advice, advise
from impbench.report.analysis.batches import batch_answers, both_ways, partners
from impbench.report.analysis.heading import heading
from impbench.report.analysis.left_out import left_out
from impbench.report.analysis.purposes import TIME
from impbench.report.analysis.run import Run, make_run, run_of_results
from impbench.report.analysis.shown_metric import ShownMetric
from impbench.report.analysis.statistics import compare
from impbench.report.analysis.tables import leaderboard_of, summarise
from impbench.report.analysis.worst import MARK, RULE, marked
from impbench.report.numbers import MISSING, number, rank_text, skill_text
from impbench.report.text import counted, shorten
from impbench.results.manifest import RunManifest
from impbench.results.store import StoredRun

MAX_METRICS = 3
SCALES = (
    "  score: mean over seeds and datasets (↓ lower, ↑ higher is better); rank: 1 is best; "
    "skill: 0 is leaving the data alone, 1 the best that can be reached"
)


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


def terminal_report(stored: StoredRun) -> Iterator[Table | Text]:
    """Yield heading, answers, command, what was left out, and the tables of scores.

    Lines of text are for a terminal to wrap, so that a command can be copied; names come from
    data, so nothing in them is read as markup.
    """
    run = make_run(stored)
    summary = summarise(run)
    title = heading(run)
    yield Text(f"\n{title.title}", style="bold")
    yield from map(Text, title.lead)
    told = advise(run, summary, compare(run, summary)) if len(summary) else []
    for answer in told:
        yield from _answer(run, answer)
    for choice, command in {a.choice: a.command for a in told if a.command}.items():
        yield Text(f"\nTo impute all genes of your data with {choice}:")
        yield Text(f"  {command}", style="bold")
    yield from map(Text, _batches(run, summary))
    yield from _left_out(run)
    yield Text("")
    yield from _tables(run, summary)


def _answer(run: Run, answer: Advice) -> Iterator[Text]:
    sure = f" ({answer.sure})" if answer.sure else ""
    yield Text.assemble(f"\nFor {answer.purpose}: ", (answer.verdict, "bold"), sure)
    yield from (Text(f"  {reason}") for reason in answer.reasons)
    for protocol in answer.asked:
        # The page has the other sentences.
        meaning = re.split(r"(?<=[.?!]) ", run.meaning(protocol), maxsplit=1)[0]
        yield Text(f"  {protocol}: {meaning}", style="dim")


def _left_out(run: Run) -> Iterator[Text]:
    """Say what a user's own data could not be asked; of others, the page does."""
    found = left_out(run)
    own = [item for item in found if item.own]
    if own:
        yield Text("")
    for item in own:
        yield Text(f"Not asked: {item.what}, because {item.reason}")
    if others := len(found) - len(own):
        yield Text(f"{counted(others, 'question')} could not be asked; the page says why")


def _tables(run: Run, summary: pd.DataFrame) -> Iterator[Table | Text]:
    """Yield one table per protocol and kind of data, each followed by what its scores say.

    Score and rank of the first three metrics are shown, the skill of the first, and time; the
    report has all. Names come from data, so nothing in them is read as markup.
    """
    board = leaderboard_of(run, summary)
    for (protocol, scope), rows in board.groupby(["protocol", "scope"], sort=False):
        metrics = _shown(run, str(protocol), set(rows["metric"]))
        yield _table(run, str(protocol), str(scope), metrics, rows)
        for fact in metrics:
            against = "" if fact.comparable else " Shown: the difference to no imputation."
            yield Text(f"  {fact.title}: {fact.explanation}{against}", style="dim")
    if len(board):
        yield Text(SCALES, style="dim")


def _batches(run: Run, summary: pd.DataFrame) -> list[str]:
    """Say whether batches are imputed together or apart; nothing where none ran both ways."""
    if not partners(run):
        return []
    answers = batch_answers(run, both_ways(run, summary))
    lines = [
        f"{found.topic}: {' '.join([found.lead, *found.details])}"
        for found in (answer.finding for answer in answers)
    ]
    told = [run.datasets[name] for name in dict.fromkeys(answer.dataset for answer in answers)]
    return [*lines, *(f"{about.title}: {about.warning}" for about in told if about.warning)]


def _shown(run: Run, protocol: str, present: set[str]) -> list[ShownMetric]:
    facts = [run.metrics[name] for name in run.metrics_of(protocol) if name in present]
    return [fact for fact in facts if not fact.is_cost and fact.direction][:MAX_METRICS]


def _table(
    run: Run, protocol: str, scope: str, metrics: list[ShownMetric], rows: pd.DataFrame
) -> Table:
    n_datasets = counted(int(rows["n_datasets"].max()), f"{scope} dataset")
    table = Table(
        title=Text(f"{protocol}, {n_datasets}"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    if rows["n_lost"].any():
        table.caption, table.caption_justify = Text(f"{MARK} {RULE}"), "left"
    # Long names fold, numbers must not.
    table.add_column("imputer", overflow="fold", min_width=15)
    skills = rows.loc[rows["metric"].isin([fact.name for fact in metrics[:1]]), "mean_skill"]
    has_skill = bool(skills.notna().any())
    for i, fact in enumerate(metrics):
        unit = f" {fact.unit}" if fact.unit else ""
        columns = "score (rank) skill" if i == 0 and has_skill else "score (rank)"
        title = textwrap.fill(f"{fact.title}{unit} {fact.arrow}", len(columns) + 3)
        table.add_column(Text(f"{title}\n{columns}"), justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    found: dict[tuple[str, str], Any] = {
        (str(row.imputer), str(row.metric)): row for row in rows.itertuples()
    }
    best = {
        fact.name: min(
            (row.mean_rank for key, row in found.items() if key[1] == fact.name and not row.n_lost),
            default=0.0,
        )
        for fact in metrics
    }
    for imputer in dict.fromkeys(rows["imputer"]):
        control = run.imputers[imputer].is_control
        cells = [Text(shorten(imputer, 36), style="dim" if control else "")]
        for i, fact in enumerate(metrics):
            row = found[(imputer, fact.name)]
            rank = marked(rank_text(row.mean_rank), row.n_lost)
            sign = "+" if not fact.comparable and row.mean_score > 0 else ""
            text = f"{sign}{number(row.mean_score)} {f'({rank})':>4}"
            text += f" {skill_text(row.mean_skill):>5}" if i == 0 and has_skill else ""
            is_best = row.mean_rank == best[fact.name] and not row.n_lost
            cells.append(Text(text, style="bold" if is_best else "dim" if control else ""))
        time = found.get((imputer, TIME))
        seconds = math.nan if time is None else time.median
        text = f"{number(seconds, 2)} s" if math.isfinite(seconds) else MISSING
        cells.append(Text(text if time is None else marked(text, time.n_lost * (seconds > 0))))
        table.add_row(*cells)
    return table
