"""Warn before ranks are believed: counts that are reads, and masking beside thinning."""

from __future__ import annotations

import math

import pandas as pd

from impbench.report.analysis.run import MASKING, THINNING, Run
from impbench.report.numbers import fixed
from impbench.report.text import listed

SHOWN = 0.9
"""Share of the molecules that thinning shows where the manifest does not say."""


def reads_note(run: Run, protocol: str) -> tuple[str, str] | None:
    """Say that `protocol` deals reads as if they were molecules, and why that matters.

    Returns
    -------
    What is so, and what of it; None where no dataset looks like reads.
    """
    names = run.misled(protocol)
    if not names:
        return None
    medians = [f"{run.datasets[name].median_count:g}" for name in names]
    titles = listed([run.datasets[name].title for name in names])
    where = "this dataset" if len(names) == 1 else "these datasets"
    return (
        f"The counts of {titles} look like reads, not molecules.",
        f"Half of the non-zero ones are {listed(medians)} or more; of molecules that is 1 to 3. "
        "Reads are copies: those of one molecule fall on both sides of a deal, so what was shown "
        "predicts what was set aside, and leaving the data alone looks better than it is. Believe "
        f"other questions more on {where}.",
    )


def opposite_note(run: Run, summary: pd.DataFrame) -> tuple[str, str] | None:
    """Say why masking and thinning disagree, where both stand on the page.

    Returns
    -------
    That they may, and why; None where one of them was not asked.
    """
    bare = {name: name.partition("[")[0] for name in run.protocols}
    masking = [name for name, kind in bare.items() if kind == MASKING]
    thinning = [name for name, kind in bare.items() if kind == THINNING]
    if not masking or not thinning:
        return None
    shown = float(run.about_protocol(thinning[0]).params.get("train", SHOWN))
    why = (
        "Masking takes whole counts away, non-zero ones alone, and scores nothing else, so filling "
        f"every zero and changing what was seen is never punished; thinning shows {shown:.0%} of "
        "every count and scores all entries, zeros too, by the molecules to be expected there, so "
        "what is filled in too high and what is changed for the worse both cost."
    )
    agreement = _agreement(run, summary, masking[0], thinning[0])
    if not math.isnan(agreement):
        why += f" Here the mean ranks of imputers correlate by ρ = {fixed(agreement, 2)}."
    return "Masking and thinning may rank methods nearly oppositely.", why


def _agreement(run: Run, summary: pd.DataFrame, a: str, b: str) -> float:
    """Spearman's ρ of the mean ranks, over the datasets that were asked both; NaN below three."""
    both = set(run.datasets_of(a)) & set(run.datasets_of(b))
    ranks = []
    for protocol in (a, b):
        metric = run.lead_metric(protocol)
        rows = summary[(summary["protocol"] == protocol) & (summary["metric"] == metric)]
        rows = rows[rows["dataset"].isin(both)]
        ranks.append(rows.groupby("imputer")["rank"].mean())
    table = pd.concat(ranks, axis=1).dropna()
    if len(table) < 3:
        return math.nan
    first, second = (table.iloc[:, i].rank() for i in (0, 1))
    return float(first.corr(second))
