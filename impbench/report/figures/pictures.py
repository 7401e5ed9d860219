"""Which figures a run gets: bars for every dataset, maps and genes as far as a page can carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import pandas as pd

from impbench.report.analysis.run import ATTAINABLE, ORACLE, Run
from impbench.report.analysis.statistics import Comparison
from impbench.report.analysis.tables import order
from impbench.report.figures.answers import draw_answers
from impbench.report.figures.bars import draw_bars
from impbench.report.figures.clouds import Picture, draw_genes, draw_maps
from impbench.report.figures.coverage import draw_coverage
from impbench.report.figures.diagram import draw_diagram
from impbench.report.figures.drawing import Drawing, style
from impbench.report.figures.heatmap import draw_heatmap
from impbench.report.figures.palette import Look, looks
from impbench.report.figures.purpose_map import draw_purposes
from impbench.report.figures.scaling import draw_scaling, sizes_of
from impbench.report.figures.tradeoff import MAX_PANELS, draw_tradeoff
from impbench.report.numbers import fixed
from impbench.report.text import counted, listed, slug, unique_slugs

MAX_BARS = 12
"""Datasets whose scores are drawn as bars; the tables hold all."""

MAX_MAPS = 18
MAX_GENE_ROWS = 8
"""Imputers per dataset whose cells and genes are drawn."""

MAX_ALL_MAPS = 72
"""Over all datasets: a page that does not open helps nobody."""


@dataclass
class DatasetFigures:
    """The figures of one dataset; `bars` by protocol, `left_out` says what is not drawn."""

    bars: dict[str, Drawing] = field(default_factory=dict)
    maps: Drawing | None = None
    genes: Drawing | None = None
    protocol: str = ""
    left_out: list[str] = field(default_factory=list)


@dataclass
class Figures:
    """Every figure of the page."""

    purposes: Drawing | None = None
    skill: Drawing | None = None
    rank: Drawing | None = None
    answers: dict[str, Drawing] = field(default_factory=dict)
    """By the first spec of each protocol."""
    coverage: dict[str, Drawing] = field(default_factory=dict)
    """By protocol; stands for `answers` there."""
    scaling: dict[str, Drawing] = field(default_factory=dict)
    """By dataset source."""
    tradeoffs: dict[str, Drawing] = field(default_factory=dict)
    diagrams: dict[str, Drawing] = field(default_factory=dict)
    datasets: dict[str, DatasetFigures] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def draw(
    run: Run,
    summary: pd.DataFrame,
    board: pd.DataFrame,
    comparisons: list[Comparison],
    purposes: pd.DataFrame,
    picture: Callable[[str], Picture | None],
    folder: Path,
) -> Figures:
    """Draw everything into `folder`; `picture` returns the arrays stored under a record's key."""
    figures = Figures()
    if summary.empty or not summary["n_scored"].any():
        return figures
    styles = looks(run)
    protocols, datasets = unique_slugs(run.protocols), unique_slugs(list(run.datasets))
    with style():
        figures.purposes = draw_purposes(run, purposes, styles, folder)
        figures.skill = draw_heatmap(run, board, styles, "mean_skill", folder)
        figures.rank = draw_heatmap(run, board, styles, "mean_rank", folder)
        for source, cells in sizes_of(run).items():
            name = f"scaling-{slug(source)}"
            drawing = draw_scaling(run, summary, styles, cells, folder, name)
            if drawing is not None:
                figures.scaling[source] = drawing
        for protocol, name in protocols.items():
            drawing = draw_coverage(run, summary, styles, protocol, folder, f"coverage-{name}")
            if drawing is not None:
                figures.coverage[protocol] = drawing
        by_name = groupby(sorted(protocols, key=_bare_name), key=_bare_name)
        for specs in (list(group) for _, group in by_name):
            if specs[0] in figures.coverage:
                continue
            name = f"answers-{protocols[specs[0]]}"
            drawing = draw_answers(run, summary, styles, specs, folder, name)
            if drawing is not None:
                figures.answers[specs[0]] = drawing
        for protocol, name in protocols.items():
            drawing = draw_tradeoff(run, summary, styles, protocol, folder, f"tradeoff-{name}")
            if drawing is not None:
                figures.tradeoffs[protocol] = drawing
            if len(run.datasets_of(protocol)) > MAX_PANELS:
                figures.left_out.append(
                    f"accuracy against time shows the first {MAX_PANELS} datasets of {protocol}"
                )
        for comparison in comparisons:
            name = f"ranks-{protocols[comparison.protocol]}"
            drawing = draw_diagram(run, comparison, styles, folder, name)
            if drawing is not None:
                figures.diagrams[comparison.protocol] = drawing
        n_maps, unseen = 0, list[str]()
        for i, (dataset, name) in enumerate(datasets.items()):
            found = figures.datasets[dataset] = DatasetFigures()
            if i >= MAX_BARS:
                found.left_out.append(f"bars are drawn for the first {MAX_BARS} datasets")
            for protocol, protocol_name in protocols.items() if i < MAX_BARS else ():
                bars = draw_bars(
                    run,
                    summary,
                    styles,
                    dataset,
                    protocol,
                    folder,
                    f"bars-{name}-{protocol_name}",
                )
                if bars is not None:
                    found.bars[protocol] = bars
            if n_maps >= MAX_ALL_MAPS:
                unseen.append(run.datasets[dataset].title)
                continue
            n_maps += _draw_clouds(run, summary, styles, dataset, picture, folder, name, found)
        if unseen:
            figures.left_out.append(f"cells and genes are not drawn for {listed(unseen)}")
    return figures


def _bare_name(protocol: str) -> str:
    return protocol.partition("[")[0]


def _draw_clouds(
    run: Run,
    summary: pd.DataFrame,
    styles: dict[str, Look],
    dataset: str,
    picture: Callable[[str], Picture | None],
    folder: Path,
    name: str,
    found: DatasetFigures,
) -> int:
    """Draw the maps and genes of a dataset, for the protocol that has most pictures; count maps."""
    by_protocol: dict[str, dict[str, Picture]] = {}
    keys = run.results[(run.results["dataset"] == dataset) & (run.results["status"] == "ok")]
    for protocol, imputer, key in (keys.drop_duplicates("key").sort_values("seed", kind="stable"))[
        ["protocol", "imputer", "key"]
    ].itertuples(index=False):
        shown = by_protocol.setdefault(protocol, {})
        if imputer not in shown:
            arrays = picture(key)
            if arrays is not None:
                shown[imputer] = arrays
    if not any(by_protocol.values()):
        return 0
    labelled = {
        protocol: sum("labels" in arrays for arrays in shown.values()) + len(shown)
        for protocol, shown in by_protocol.items()
    }
    protocol = max(labelled, key=lambda item: labelled[item])
    shown = by_protocol[protocol]
    found.protocol = protocol
    title = run.datasets[dataset].title
    names = [item for item in (run.nothing, ORACLE) if item in shown]
    ranked = [item for item in order(run, summary, protocol) if item in shown]
    names += [item for item in ranked if item not in names and item in run.methods]
    names += [item for item in ranked if item not in names]
    if len(names) > MAX_MAPS:
        found.left_out.append(
            f"maps of {counted(len(names) - MAX_MAPS, 'lower-ranked imputer')} are not drawn"
        )
    notes = _notes(run, summary, dataset)
    found.maps = draw_maps(
        {
            _caption(run, item, styles): (notes.get(item, ""), shown[item])
            for item in names[:MAX_MAPS]
        },
        title,
        folder,
        f"cells-{name}",
    )
    rows = [item for item in names if item in run.methods or item == run.formula]
    if len(rows) > MAX_GENE_ROWS:
        found.left_out.append(
            f"genes are drawn for the {MAX_GENE_ROWS} best-ranked of {len(rows)} imputers"
        )
    if rows:
        shown_rows = {styles[item].label: shown[item] for item in rows[:MAX_GENE_ROWS]}
        found.genes = draw_genes(shown_rows, title, folder, f"genes-{name}")
    return len(names[:MAX_MAPS])


def _caption(run: Run, imputer: str, styles: dict[str, Look]) -> str:
    named = {
        run.nothing: "raw (no imputation)",
        ORACLE: "truth (oracle)",
        ATTAINABLE: "attainable (sees truth)",
    }
    return named.get(imputer, styles[imputer].label)


def _notes(run: Run, summary: pd.DataFrame, dataset: str) -> dict[str, str]:
    """ARI per imputer, where a protocol measured it on this dataset."""
    rows = summary[(summary["dataset"] == dataset) & (summary["metric"] == "ari")]
    rows = rows.dropna(subset=["mean"]).drop_duplicates("imputer")
    return {
        imputer: f"ARI {fixed(mean, 2)}"
        for imputer, mean in rows[["imputer", "mean"]].itertuples(index=False)
    }
