"""Say in the terminal what the page says: the answer first, then what it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from impbench.report.analysis.advice import Advice, advise
from impbench.report.analysis.heading import heading
from impbench.report.analysis.left_out import left_out
from impbench.report.analysis.run import Run, make_run
from impbench.report.analysis.statistics import compare
from impbench.report.analysis.tables import summarise
from impbench.report.page.boards import terminal_batches, terminal_tables
from impbench.report.text import counted
from impbench.results.store import StoredRun


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
    yield from map(Text, terminal_batches(run, summary))
    yield from _left_out(run)
    yield Text("")
    yield from terminal_tables(run, summary)


def _answer(run: Run, answer: Advice) -> Iterator[Text]:
    sure = f" ({answer.sure})" if answer.sure else ""
    yield Text.assemble(f"\nFor {answer.purpose}: ", (answer.verdict, "bold"), sure)
    yield from (Text(f"  {reason}") for reason in answer.reasons)
    for protocol in answer.asked:
        yield Text(f"  {protocol}: {_first_sentence(run.meaning(protocol))}", style="dim")


def _first_sentence(text: str) -> str:
    """The page has the others."""
    return re.split(r"(?<=[.?!]) ", text, maxsplit=1)[0]


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
