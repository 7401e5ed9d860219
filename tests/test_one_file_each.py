"""What is added is one file, its test and its page: nothing else in impbench names it.

Each exception below is a name that the core still knows. The list must only shrink: an entry that
is not needed any more fails too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from impbench.registry import registry

ROOT = Path(__file__).parents[1]
CORE = ROOT / "impbench"

EXCEPTIONS = {
    # Costs: what every run measures, under names of its own in figures and findings.
    "wall-seconds": {
        "report/analysis/purposes.py",
        "report/figures/scaling.py",
        "scoring/score.py",
    },
    "cpu-seconds": {"report/figures/bars.py", "scoring/score.py"},
    "peak-memory": {"report/figures/scaling.py", "scoring/score.py"},
    # The picture of the cells tells how well they cluster.
    "ari": {"report/figures/cells.py"},
    # What the report warns of: reads for molecules, and where the two disagree.
    "masking": {"report/analysis/run.py"},
    "thinning": {"report/analysis/run.py"},
    # A card whose file is inside a package, and so has a reader of its own.
    "pbmc68k-reduced": {"data/bundled.py"},
    # Where jobs run unless the user says otherwise, and what the older options stand for.
    "local": {"api.py", "run_options.py"},
    "dask": {"executors/batch_jobs.py"},
    # Roles of runs that were stored before there were roles.
    "no-imputation": {"results/manifest.py"},
    "gene-mean": {"results/manifest.py"},
    "nonzero-mean": {"report/page/views.py", "results/manifest.py"},
    "permuted": {"results/manifest.py"},
    "maskclass-prior": {"regress/runtime.py", "results/manifest.py"},
}
"""Name → files of impbench, besides its own, that may hold it."""


def parts() -> Iterator[tuple[str, str, Any]]:
    """Yield kind, name and the object of everything that is ours."""
    known = registry()
    for kind in ("metrics", "protocols", "imputers", "datasets", "executors"):
        for item in known.parts(kind).ours():
            yield kind, item.name, item


NAMES = {f"{kind[:-1]} {name}": (kind, name, item) for kind, name, item in parts()}


@cache
def held() -> dict[str, frozenset[str]]:
    """Return every text in the source of impbench that is no docstring, by file."""
    return {
        str(path.relative_to(CORE)): frozenset(_texts(ast.parse(path.read_text("utf-8"))))
        for path in sorted(CORE.rglob("*.py"))
    }


def _texts(tree: ast.AST) -> Iterator[str]:
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def naming(name: str) -> set[str]:
    """Return the files that hold the name, alone or with parameters."""
    return {
        file
        for file, texts in held().items()
        if name in texts or any(text.startswith(f"{name}[") for text in texts)
    }


def home(item: Any) -> str:
    """Return the file of impbench that defines it; empty for what lies outside.

    By the module's name: the package under test may be an installed copy of this source.
    """
    package, *rest = getattr(item, "function", item).__module__.split(".")
    file = Path(*rest).with_suffix(".py") if rest else Path("__init__.py")
    return str(file) if package == "impbench" and (CORE / file).is_file() else ""


WORDS = ("dataset file", "imputer pca", "protocol mixture")
"""Also words: `file` is a user's own data, `pca` a way to reduce dimensions, `mixture` a key of
`obsm` and of cards."""


@pytest.mark.parametrize("part", [part for part in NAMES if part not in WORDS])
def test_nothing_else_in_impbench_names_it(part: str) -> None:
    """A protocol names its metrics, by design."""
    kind, name, item = NAMES[part]
    found = naming(name) - {home(item)} - EXCEPTIONS.get(name, set())
    if kind == "metrics":
        found = {file for file in found if not file.startswith("protocols/")}
    assert not found, f"{part} is named by {sorted(found)}, besides its own file"


@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_every_exception_is_still_needed(name: str) -> None:
    gone = EXCEPTIONS[name] - naming(name)
    assert not gone, f"{name!r} stands no more in {sorted(gone)}: delete these from EXCEPTIONS"


def test_evidence_stands_where_it_is_offered_and_in_no_list() -> None:
    """A protocol's evidence is named by protocols and metrics alone, as arguments and keys."""
    for offer in registry().offers():
        files = {file for file in naming(offer) if not file.startswith(("protocols/", "metrics/"))}
        # The map of the cells is drawn of the coordinates that were clustered.
        assert files <= ({"scoring/score.py"} if offer == "components" else set()), (offer, files)


def test_nothing_outside_the_figures_imports_one() -> None:
    """Their names are everyday words, such as `cells`; what counts is who needs their files."""
    known = registry().figures
    homes = {known[name].draw.__module__ for name in known}
    assert {"impbench.report.figures.bars", "impbench.report.figures.cells"} <= homes
    for path in CORE.rglob("*.py"):
        if path.parent != CORE / "report" / "figures":
            assert not homes & set(_imported(ast.parse(path.read_text("utf-8")))), path


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_distributions_are_listed_where_they_are_needed_only() -> None:
    """The worker and the manifest know no package by name, but what every imputer needs."""
    declared = {name for item in registry().imputers.ours() for name in item.packages}
    texts = held()["worker/imputation.py"] | held()["runner/describe_run.py"]
    assert not declared & texts
