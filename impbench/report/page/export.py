"""Write tables for papers and analysis: CSV in full, Markdown and LaTeX of the leaderboards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from impbench.report.analysis.failures import FailureGroup
from impbench.report.analysis.run import Run
from impbench.report.analysis.statistics import Comparison
from impbench.report.page.views import Cell, Table
from impbench.report.text import slug, unique_slugs

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "²": r"\textsuperscript{2}",
    "·": r"\textperiodcentered{}",
    "—": "---",
    "…": r"\dots{}",
}


def export(
    run: Run,
    summary: pd.DataFrame,
    board: pd.DataFrame,
    comparisons: Sequence[Comparison],
    purposes: pd.DataFrame,
    failed: list[FailureGroup],
    tables: Mapping[tuple[str, str], Table],
    folder: Path,
) -> list[Path]:
    """Write every table and return the paths.

    ``scores`` has one row per dataset, protocol, imputer and metric, ``leaderboard`` one per
    protocol, kind of data, imputer and metric, ``purposes`` one per purpose and imputer, ``tests``
    one per pair of imputers; ``failures`` lists jobs without a result. Per protocol, the table of
    its lead metric, among `tables`, is written as Markdown and LaTeX too.
    """
    frames = {
        "scores": summary,
        "leaderboard": board,
        "purposes": purposes,
        "failures": pd.DataFrame(failed, columns=list(FailureGroup.__dataclass_fields__)).drop(
            columns="log"
        ),
        "tests": _tests(comparisons),
    }
    paths = []
    for name, frame in frames.items():
        paths.append(folder / f"{name}.csv")
        frame.to_csv(paths[-1], index=False)
    for protocol, name in unique_slugs(run.protocols).items():
        metric = run.lead_metric(protocol)
        if metric is None:
            continue
        table = tables[protocol, metric]
        stem = f"{name}-{slug(metric)}"
        writers: dict[str, Callable[[Table], str]] = {".md": markdown, ".tex": latex}
        for suffix, write in writers.items():
            paths.append(folder / f"{stem}{suffix}")
            paths[-1].write_text(write(table), encoding="utf-8")
    return paths


def markdown(table: Table) -> str:
    """Return the table as GitHub-flavoured Markdown, best scores in bold."""
    head = ["imputer", *(f"{column.title} ({column.note})" for column in table.columns)]
    lines = [f"{_md(table.caption)}", "", _md_row([_md(text) for text in head])]
    lines.append(_md_row(["---", *["---:"] * len(table.columns)]))
    for row in table.rows:
        cells = [_bold(_md(_text(cell)), cell.kind, "**", "**") for cell in row.cells]
        lines.append(_md_row([_md(row.name), *cells]))
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    r"""Return the table as a LaTeX ``table`` (needs ``booktabs``), best scores in bold."""
    head = ["Imputer", *(f"{column.title} ({column.note})" for column in table.columns)]
    lines = [
        r"\begin{table}",
        rf"\caption{{{_tex(table.caption)}}}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        f"{' & '.join(_tex(text) for text in head)} \\\\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = [_bold(_tex(_text(cell)), cell.kind, r"\textbf{", "}") for cell in row.cells]
        lines.append(f"{' & '.join([_tex(row.name), *cells])} \\\\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _tests(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    columns = ["protocol", "metric", "datasets", "friedman_p", "better", "worse", "median_gain"]
    rows = []
    for test in comparisons:
        asked = (test.protocol, test.metric, test.n_datasets, test.p_value)
        for pair in test.pairs:
            found = test.nemenyi
            nemenyi = None if found is None else found.loc[pair.better, pair.worse]
            told = (pair.better, pair.worse, pair.median_gain, nemenyi, pair.p_holm)
            rows.append((*asked, *told))
    return pd.DataFrame(rows, columns=[*columns, "nemenyi_p", "wilcoxon_p_holm"])


def _text(cell: Cell) -> str:
    notes = "; ".join(filter(None, [cell.note, cell.warning]))
    return f"{cell.text} ({notes})" if notes else cell.text


def _bold(text: str, kind: str, before: str, after: str) -> str:
    return f"{before}{text}{after}" if "best" in kind.split() else text


def _md(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#$])", r"\\\1", text)


def _md_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _tex(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in text)
