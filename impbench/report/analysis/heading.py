"""Say what a run is about: a user's own data, a suite as it is, or what took a suite's place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from impbench.report.analysis.run import Run
from impbench.report.text import counted, listed
from impbench.results.manifest import AboutDataset


@dataclass(frozen=True)
class Heading:
    """What stands above all else, on the page and in the terminal."""

    title: str
    lead: tuple[str, ...]


def heading(run: Run) -> Heading:
    """Return title and sentences; a suite's own words only where the run is that suite."""
    own = [about for about in run.datasets.values() if about.own]
    suite = run.manifest.suite
    if own:
        title = f"Does imputation help {listed([own_name(about) for about in own])}?"
        return Heading(title, (*map(_described, own), _asked(run)))
    if not suite.replaced:
        return Heading(
            suite.title or "Imputation benchmark", tuple(filter(None, [suite.description]))
        )
    if run.manifest.merged:
        missing = listed(list(suite.replaced))
        part = f"A part of the suite {suite.name}: of its {missing} not all have been run."
        return Heading(f"{suite.title or suite.name}, in part", (_asked(run), part))
    methods = listed(run.methods, 3) or "Controls"
    titles = [about.title for about in run.datasets.values()]
    replaced = listed([f"its {part}" for part in suite.replaced])
    verb = "was" if len(suite.replaced) == 1 and suite.replaced != ("seeds",) else "were"
    changed = f"Not the suite {suite.name} as it is: {replaced} {verb} replaced."
    return Heading(f"{methods} on {listed(titles, 3) or 'no dataset'}", (_asked(run), changed))


def own_name(about: AboutDataset) -> str:
    """Name a user's own data as the user does: a file by its name."""
    path = Path(str(about.parameters.get("path", "")))
    if not path.name:
        return "your AnnData"
    # Of a file of several parts, such as my.h5mu/rna, a part alone says little.
    return f"{path.parent.name}/{path.name}" if "." in path.parent.name else path.name


def _described(about: AboutDataset) -> str:
    size = f"{about.n_cells} cells × {about.n_genes} genes"
    name = own_name(about).replace("your ", "Your ", 1)
    return f"{name}: {size}{''.join(f'; {step}' for step in about.steps)}."


def _asked(run: Run) -> str:
    questions = [f"{run.purpose(name)} ({name})" for name in run.protocols]
    controls = counted(len(run.imputers) - len(run.methods), "control")
    who = f"{listed(run.methods, 12)}, beside {controls}" if run.methods else controls
    seeds = f", {counted(run.n_seeds, 'seed')} each" if run.n_seeds else ""
    return f"Asked: {listed(questions, 12) or 'nothing'}. Answered by: {who}{seeds}."
