"""Write an index of runs: one page, fit for any static host, that leads to the runs' pages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from impbench.errors import InputError
from impbench.report.numbers import memory_text
from impbench.report.page.page import render
from impbench.report.text import counted, plain, plain_tree
from impbench.results.manifest import AboutMachine, RunManifest
from impbench.results.store import Store
from impbench.version import __version__
from impbench.write_atomically import write_atomically

CITATION = "CITATION.cff"


@dataclass(frozen=True)
class ListedRun:
    """One run as the index shows it; `place` is its folder, seen from the index."""

    place: str
    title: str
    href: str
    manifest: RunManifest
    machine: str
    downloads: list[dict[str, str]]
    """Files: the name, where each lies seen from the index, and its size."""

    @property
    def date(self) -> str:
        """When it was finished, or else begun: ``2026-01-31``."""
        return (self.manifest.finished or self.manifest.started or "")[:10]

    @property
    def n_methods(self) -> int:
        """Imputers that are no controls."""
        return sum(not about.is_control for about in self.manifest.imputers.values())


def write_index(folder: Path) -> Path:
    """Write ``index.html`` into `folder`, over every run below it that has a page.

    ``CITATION.cff`` is written beside it where there is none; one that is there stays as it is, so
    that a DOI, once there is one, is added by hand.

    Returns
    -------
    Path of the index.

    Raises
    ------
    InputError
        If no run below `folder` has a page, or a manifest cannot be read; names the place.
    """
    runs = [
        _listed(path.parent, folder)
        for path in sorted(folder.rglob("manifest.json"))
        if (path.parent / "report.html").is_file()
    ]
    if not runs:
        raise InputError(
            f"{folder} holds no run with a page (a manifest.json beside a report.html); give a "
            "folder above those that `impbench run --out` or `impbench report` wrote"
        )
    runs.sort(key=lambda run: run.date, reverse=True)
    citation = folder / CITATION
    if not citation.is_file():
        write_atomically(citation, _citation(runs[0]).encode("utf-8"))
    context = {
        "runs": runs,
        "citation": citation.read_text(encoding="utf-8", errors="replace"),
        "version": __version__,
    }
    path = folder / "index.html"
    page = render(context, "index.html.j2", ("sort.js",))
    write_atomically(path, page.encode("utf-8"))
    return path


def _listed(run: Path, folder: Path) -> ListedRun:
    manifest: RunManifest = plain_tree(Store(run).manifest())
    place = run.relative_to(folder).as_posix()
    names = ["results.parquet", "records.parquet", "manifest.json"]
    names += sorted(path.relative_to(run).as_posix() for path in (run / "tables").glob("*.csv"))
    found = [name for name in names if (run / name).is_file()]
    return ListedRun(
        place=plain(place),
        title=manifest.suite.title or manifest.suite.name or plain(run.resolve().name),
        href=quote(f"{place}/report.html"),
        manifest=manifest,
        machine=_machine(manifest.environment),
        downloads=[
            {"name": plain(name), "href": quote(f"{place}/{name}"), "size": _size(run / name)}
            for name in found
        ],
    )


def _machine(env: AboutMachine) -> str:
    """Processor, cores, memory and device in one line, of what is known."""
    parts = [
        env.cpu,
        counted(env.cores, "core") if env.cores else "",
        f"{memory_text(env.memory_bytes)} of memory" if env.memory_bytes else "",
        env.device if env.device and env.device not in ("cpu", "auto") else "",
    ]
    return ", ".join(filter(None, parts)) or "not said"


def _size(path: Path) -> str:
    n_bytes = path.stat().st_size
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 100_000 else f"{max(1, n_bytes // 1000)} kB"


def _citation(run: ListedRun) -> str:
    """What there is to cite, as the Citation File Format wants it; strings as in JSON, a part."""
    lines = [
        "cff-version: 1.2.0",
        "message: If you use these results, please cite them and the methods they are about.",
        f"title: {json.dumps(f'{run.title}: results of a run of impbench', ensure_ascii=False)}",
        "type: dataset",
        "authors:",
        "  - name: The impbench developers",
        f"version: {json.dumps(run.manifest.environment.impbench or __version__)}",
        *([f"date-released: {json.dumps(run.date)}"] if run.date else []),
        "# doi: the number that an archive gives to a copy of this folder",
    ]
    return "\n".join(lines) + "\n"
