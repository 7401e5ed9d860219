"""Records name the versions of what determines a result, as methods declare it."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from impbench.registry import registry
from impbench.worker.imputation import _versions

PLUGINS = Path(__file__).parents[2] / "plugins"

IMPORTED = {
    "numba": "numba",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "magic": "magic-impute",
    "scanpy": "scanpy",
}
"""Packages by the module of theirs that our methods import."""

BEFORE = {
    "alra": {"scikit-learn"},
    "autoclass": {"numba", "scikit-learn"},
    "autoimpute": {"numba"},
    "ccimpute": {"numba"},
    "ccimpute-bioc": {"numba"},
    "cnnimpute": {"numba", "torch"},
    "cnnimpute-nl": {"numba", "torch"},
    "dca": {"numba"},
    "deepimpute": {"numba"},
    "drimpute": {"numba"},
    "knn-smoothing": {"scikit-learn"},
    "magic": {"magic-impute", "numba", "scikit-learn"},
    "maskclass-balanced": {"numba", "torch"},
    "maskclass-best": {"numba", "torch"},
    "saver": {"numba"},
    "scimpute": {"numba", "scikit-learn"},
    "scmae": {"numba", "scikit-learn", "torch"},
    "zipo": {"torch"},
    "zipo-zinb": {"torch"},
}
"""What records of our methods told, besides NumPy and SciPy, when the worker had a list of
packages of its own; they must not tell less."""


@pytest.mark.parametrize("name", sorted(registry().imputers))
def test_records_of_our_methods_tell_at_least_what_they_told(name: str) -> None:
    imputer = registry().imputer(name)
    found = _versions(imputer, [])
    assert {"python", name, "numpy", "scipy", *BEFORE.get(name, ())} <= set(found)
    for package in {*found} - {"python", name}:
        assert found[package] == importlib.metadata.version(package)


@pytest.mark.parametrize("name", sorted(registry().imputers))
def test_our_methods_declare_what_the_files_of_their_folder_import(name: str) -> None:
    """A new import of numba, say, comes with a declaration by somebody in the folder."""
    kind = registry().imputers[name]
    folder = PLUGINS / kind.__module__.split(".")[1]
    if folder.name in ("r_originals", "maskclass") and not kind.packages:
        return  # of R, rpy2 tells; the prior needs none of what the networks do
    # Of the published packages each has a file and an environment to itself.
    alone = folder / f"{kind.__module__.split('.')[-1]}.py"
    files = [alone] if folder.name == "originals" else folder.rglob("*.py")
    imported = {
        IMPORTED[top]
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for module in _modules(node)
        if (top := module.partition(".")[0]) in IMPORTED
    }
    assert imported <= set(kind.packages), f"{name}: {imported - set(kind.packages)}"


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def test_versions_of_every_imputer_need_no_import_of_the_packages() -> None:
    code = (
        "import sys; from impbench_plugins.scmae import Scmae;"
        "from impbench.worker.imputation import _versions; found = _versions(Scmae(), []);"
        "assert 'torch' in found; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
