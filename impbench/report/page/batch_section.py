"""The page's section on batches: for each dataset the answers in words, the figure, the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from impbench.report.analysis.batches import BothWays, batch_answers, both_ways
from impbench.report.analysis.findings import Finding
from impbench.report.analysis.run import Run
from impbench.report.numbers import MISSING, number
from impbench.report.page.views import Cell, Column, Table, TableRow


@dataclass(frozen=True)
class BatchSection:
    """One dataset's part."""

    dataset: str
    title: str
    batches: str
    """Such as ``A (60 cells), B (4 cells)``."""
    findings: tuple[Finding, ...]
    """One per protocol, on its lead score."""
    table: Table
    """Every score of every imputer that ran both ways."""


def batch_sections(run: Run, summary: pd.DataFrame) -> list[BatchSection]:
    """Return one part per dataset on which an imputer ran both ways."""
    pairs = both_ways(run, summary)
    answers = batch_answers(run, pairs)
    sections = []
    for dataset in dict.fromkeys(answer.dataset for answer in answers):
        about = run.datasets[dataset]
        cells = [f"{name} ({n})" for name, n in about.batches.items()]
        more = f" and {len(cells) - 20} more" if len(cells) > 20 else ""
        sections.append(
            BatchSection(
                dataset,
                about.title,
                f"{', '.join(cells[:20])}{more}",
                tuple(answer.finding for answer in answers if answer.dataset == dataset),
                _table(run, [pair for pair in pairs if pair.dataset == dataset]),
            )
        )
    return sections


def _table(run: Run, pairs: Sequence[BothWays]) -> Table:
    found = {(pair.imputer, pair.protocol, pair.metric): pair for pair in pairs}
    scores = list(dict.fromkeys((pair.protocol, pair.metric) for pair in pairs))
    rows = [
        TableRow(
            imputer,
            tuple(_cell(found.get((imputer, *score))) for score in scores),
            "control" if run.imputers[imputer].is_control else "",
        )
        for imputer in dict.fromkeys(pair.imputer for pair in pairs)
    ]
    columns = [Column(run.metrics[metric].title, protocol) for protocol, metric in scores]
    caption = "Gain where each batch is imputed alone; above 0 is better apart, below it together"
    return Table("Together or apart", caption, tuple(columns), tuple(rows))


def _cell(pair: BothWays | None) -> Cell:
    if pair is None:
        return Cell(MISSING)
    if pair.failure:
        return Cell("failed", kind="failed", hover=pair.failure)
    if math.isnan(pair.gain):
        return Cell(MISSING, "undefined")
    text = f"{'+' if pair.gain > 0 else ''}{number(pair.gain)}"
    hover = f"{number(pair.together)} together, {number(pair.apart)} apart"
    return Cell(text, pair.answer or "one seed", -pair.gain, hover=hover)
