"""Write the report of a run: one self-contained HTML page, with figures and tables beside it."""

from __future__ import annotations

import base64
import functools
import gc
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from impbench.report import numbers
from impbench.report.analysis.advice import Advice, advise
from impbench.report.analysis.failures import MAX_GROUPS, failures
from impbench.report.analysis.findings import find
from impbench.report.analysis.heading import heading, own_name
from impbench.report.analysis.left_out import left_out
from impbench.report.analysis.run import Run, make_run
from impbench.report.analysis.trust import reads_note
from impbench.report.analysis.worst import MARK, RULE
from impbench.report.figures.gallery import draw_all
from impbench.report.figures.scene import Scene
from impbench.report.page.batch_section import batch_sections
from impbench.report.page.export import export
from impbench.report.page.filters import filters
from impbench.report.page.views import Table, dataset_table, gain_table, metric_tables
from impbench.report.text import counted, listed
from impbench.results.store import StoredRun
from impbench.version import __version__
from impbench.write_atomically import write_atomically


@contextmanager
def _leaving_garbage() -> Iterator[None]:
    """Look for no garbage meanwhile: that is a tenth of the time of a page, to save 40 MB."""
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()


@_leaving_garbage()
def write_report(stored: StoredRun, png: bool = False) -> Path:
    """Write ``report.html``, ``figures/`` and ``tables/`` into the run's folder.

    Figures and tables of an earlier report are replaced. With `png`, figures are written as PNG
    too, beside SVG.

    Returns
    -------
    Path of the page.
    """
    run, store = make_run(stored), stored.store
    # Maps of cells and genes show the same pictures.
    scene = Scene.of(run, functools.cache(store.picture))
    summary, purposes = scene.summary, scene.purposes
    failed, answered = failures(run), advise(run, summary, scene.comparisons)
    folders = {name: _fresh(store.folder / name) for name in ("figures", "tables")}
    drawings = draw_all(scene, folders["figures"], png)
    tables = metric_tables(run, summary)
    files = export(
        run, summary, scene.board, scene.comparisons, purposes, failed, tables, folders["tables"]
    )
    context = {
        "run": run,
        "manifest": run.manifest,
        "overview": _overview(run),
        "findings": find(run, summary),
        "heading": heading(run),
        "answers": answered,
        "commands": {item.choice: item.command for item in answered if item.command},
        "explained": {item.purpose: _explained(run, item) for item in answered},
        "left_out": left_out(run),
        "filters": filters(run, summary),
        "batch_sections": batch_sections(run, summary),
        "protocols": [_protocol(run, summary, tables, name) for name in run.protocols],
        "bases": _bases(run, summary),
        "seeing": [name for name in run.imputers if run.sees_truth(name)],
        "any_lost": bool(summary["n_lost"].any()),
        "any_exact": bool(((summary["sd"] == 0) & summary["low"].notna()).any()),
        "any_differences": not all(fact.comparable for fact in run.metrics.values()),
        "mark": MARK,
        "mark_text": f"{MARK} {RULE}.",
        "dataset_tables": _dataset_tables(run, summary),
        "comparisons": scene.comparisons,
        "failures": failed[:MAX_GROUPS],
        "n_failures": len(failed),
        "files": [path.relative_to(store.folder).as_posix() for path in files],
        "version": __version__,
        "is_large": run.is_large,
        # Last: whatever a stranger's figure does to a table, the page has it as it was.
        "gallery": drawings(),
        "png": png,
    }
    path = store.folder / "report.html"
    write_atomically(path, render(context).encode("utf-8"))
    return path


_ISOLATION = {
    "landlock": "a method can open its own packages and files, and nothing else of the machine",
    "same": "separate processes, without Landlock: a method could read the user's files",
    "none": "separate processes and nothing more: a method could read what the runner can",
}


def _isolation(name: str) -> str:
    """Say what the isolation in force means; see docs/isolation.md."""
    meaning = _ISOLATION.get(str(name).partition(" ")[0])
    return f"{name}: {meaning}" if meaning else str(name)


def render(
    context: Mapping[str, Any],
    template: str = "page.html.j2",
    scripts: tuple[str, ...] = ("sort.js", "filters.js"),
) -> str:
    """Fill a template; everything is escaped but our own style, scripts and figures.

    The page's security policy lets no script run but this very one, and loads nothing.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("impbench.report.page", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written: dict[str, Callable[..., str]] = {
        "number": numbers.number,
        "bound": numbers.bound,
        "p": numbers.p_text,
        "memory": numbers.memory_text,
        "rank": numbers.rank_text,
        "skill": numbers.skill_text,
        "counted": counted,
        "listed": listed,
        "when": _when,
        "isolation": _isolation,
    }
    environment.filters.update(written)
    script = "".join(map(_asset, scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        **context,
        style=Markup(_asset("style.css")),
        script=Markup(script),
        script_hash=digest,
    )


def _asset(name: str) -> str:
    return (resources.files("impbench.report.page") / name).read_text(encoding="utf-8")


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _explained(run: Run, answer: Advice) -> list[str]:
    """What was asked for a purpose, and what its leading scores say."""
    said = []
    for protocol in answer.asked:
        metric = run.metrics[run.lead_metric(protocol) or ""]
        said.append(f"{protocol}: {run.meaning(protocol)} {metric.title}: {metric.explanation}")
    return said


def _overview(run: Run) -> list[tuple[str, str]]:
    """The run in a few numbers."""
    jobs = run.results.drop_duplicates("key")
    n_ok = int((jobs["status"] == "ok").sum())
    n_simulated = sum(facts.simulated for facts in run.datasets.values())
    own = [about for about in run.datasets.values() if about.own]
    size = f"{own[0].n_cells} cells × {own[0].n_genes} genes" if len(own) == 1 else ""
    return [
        *([(size, own_name(own[0]))] if size else []),
        *([(counted(len(run.datasets), "dataset"), f"{n_simulated} simulated")] if not own else []),
        (
            counted(len(run.methods), "method"),
            f"and {len(run.imputers) - len(run.methods)} controls",
        ),
        (counted(len(run.protocols), "protocol"), listed(run.protocols, 3)),
        (counted(run.n_seeds, "seed"), "repeats of every job"),
        (f"{n_ok} of {len(jobs) + run.n_missing} jobs", "gave scores"),
    ]


def _protocol(
    run: Run, summary: pd.DataFrame, tables: Mapping[tuple[str, str], Table], name: str
) -> dict[str, Any]:
    """One protocol's part of the leaderboard, for the template."""
    about = run.about_protocol(name)
    lead = run.lead_metric(name)
    conventions: dict[str, list[str]] = {}
    for problem in run.problems.values():
        for sentence in problem.conventions if problem.protocol == name else ():
            conventions.setdefault(sentence, []).append(run.datasets[problem.dataset].title)
    others = [metric for metric in run.metrics_of(name) if metric != lead]
    return {
        "name": name,
        "summary": about.summary or "",
        "meaning": about.meaning,
        "reference": about.reference or "",
        "conventions": conventions,
        "lead": tables[name, lead] if lead else None,
        "others": [tables[name, metric] for metric in others],
        "gains": gain_table(run, summary, name, lead) if lead else None,
        "warning": " ".join(reads_note(run, name) or ()),
    }


def _dataset_tables(run: Run, summary: pd.DataFrame) -> dict[str, dict[str, Table]]:
    tables: dict[str, dict[str, Table]] = {dataset: {} for dataset in run.datasets}
    # A protocol that a dataset misleads comes last there.
    for dataset, protocol in sorted(run.problems, key=lambda pair: pair[0] in run.misled(pair[1])):
        tables[dataset][protocol] = dataset_table(run, summary, dataset, protocol)
    return tables


def _bases(run: Run, summary: pd.DataFrame) -> list[dict[str, str]]:
    """Say for which metrics, and where, skill 1 is attainable, the ideal, or there is no skill."""
    quality = summary[~summary["metric"].isin([m.name for m in run.metrics.values() if m.is_cost])]
    notes = []
    for basis in ("attainable", "ideal", "none"):
        rows = quality[quality["basis"] == basis]
        datasets = [run.datasets[name].title for name in rows["dataset"].unique()]
        metrics = [run.metrics[name].title for name in rows["metric"].unique()]
        if datasets:
            where = listed(datasets)
            notes.append({"basis": basis, "metrics": listed(metrics, 8), "where": where})
    return notes


def _when(text: str | None) -> str:
    """Return an ISO time as a reader writes it."""
    if not text:
        return numbers.MISSING
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{time:%d %B %Y, %H:%M} {time:%Z}".strip()
