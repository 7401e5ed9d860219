"""Print the tables of docs/which-imputer.md from the records of a leaderboard.

    python benchmarks/which_imputer.py reports/leaderboard/leaderboard

For each purpose and kind of data: on how many data sets it rests, the methods of best mean place
(`leaderboard_findings`) among those asked of all these sets, on how many questions each did
better, or worse, than leaving the data alone beyond the noise of its seeds, and the simple control
that comes first.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from leaderboard_findings import leading

from impbench.report.analysis.purposes import without_repeats
from impbench.report.analysis.run import Run, make_run
from impbench.report.analysis.tables import gain, summarise
from impbench.results.store import Store

FEWEST = 3
"""Data sets from which a kind of data gets a row."""

SHOWN = 4
"""Methods in a row."""

LARGE = 400
"""Cells from which a set counts as large here."""


def main(folder: Path) -> None:
    """Print a table for each purpose."""
    run = make_run(Store.open(folder).read())
    rows = ranked(run, summarise(run))
    for purpose, about in rows.groupby("purpose", sort=False):
        print(f"### {purpose}\n")
        print("| data | sets | mean place of methods, against doing nothing | first control |")
        print("|---|---:|---|---|")
        for name, part in kinds(run, about):
            if part["dataset"].nunique() >= FEWEST or name == "all real":
                print(f"| {name} | {part['dataset'].nunique()} | {best(run, part)} |")
        print()


def ranked(run: Run, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of leading metrics that have a rank, controls included, with their place."""
    rows = without_repeats(leading(run, summary))
    last = rows.groupby(["dataset", "protocol"])["rank"].transform("max")
    return rows.assign(place=(rows["rank"] - 1) / (last - 1).clip(lower=1))


def kinds(run: Run, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield kinds of data and their rows."""
    real, counted = rows["scope"] == "real", rows["technology"]
    cells = rows["dataset"].map(lambda name: run.datasets[name].n_cells or 0)
    yield "all real", rows[real]
    yield "UMI", rows[real & (counted == "umi")]
    yield "full length", rows[real & (counted == "full-length")]
    yield f"under {LARGE} cells", rows[real & (cells < LARGE)]
    yield f"{LARGE} cells or more", rows[real & (cells >= LARGE)]
    yield "simulated", rows[~real]


def best(run: Run, rows: pd.DataFrame) -> str:
    """Say which methods come first, and which control."""
    table = rows.pivot_table(index="imputer", columns=["dataset", "protocol"], values="place")
    places = table.dropna().mean(axis=1).sort_values(kind="stable")
    methods = [name for name in places.index if name in run.methods][:SHOWN]
    controls = [name for name in places.index if name in run.controls and name != run.nothing]
    # Where only coordinates are asked, the best principal components stand for doing nothing.
    rival = run.nothing if run.nothing in places else next(iter(controls), None)
    cells = []
    for name in methods:
        won, lost = against(run, rows[rows["imputer"] == name], rival)
        cells.append(f"`{name}` {places[name]:.2f} ({won} better, {lost} worse)")
    control = f"{controls[0]} {places[controls[0]]:.2f}" if controls else ""
    return f"{', '.join(cells)} | {control}"


def against(run: Run, rows: pd.DataFrame, rival: str | None) -> tuple[int, int]:
    """Return on how many questions a method did better, and worse, than a control."""
    won = lost = 0
    for row in rows.itertuples():
        if rival is None:
            break
        _, said = gain(run, row.dataset, row.protocol, row.metric, row.imputer, rival)  # type: ignore[arg-type]
        won, lost = won + (said == "better"), lost + (said == "worse")
    return won, lost


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    main(parser.parse_args().run)
