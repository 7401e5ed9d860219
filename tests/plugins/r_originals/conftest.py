"""Stand-ins for the R packages, installed as any R package into a library of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from impbench.external.r import RPackage

STAND_INS = Path(__file__).parents[2] / "data" / "r_packages"


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a library with all packages, and one with ccImpute in its new interface."""
    needed = (RPackage(name) for name in ("SingleCellExperiment", "BiocParallel", "Matrix"))
    if lack := next(filter(None, (package.lack() for package in needed)), None):
        pytest.skip(lack)
    folder = tmp_path_factory.mktemp("libraries")
    contents = {
        "old": ("SAVER", "scImpute", "ccImpute_matrix", "splatter", "ALRA", "DrImpute", "bayNorm"),
        "new": ("ccImpute_sce",),
    }
    for library, packages in contents.items():
        (folder / library).mkdir()
        options = ("--no-docs", "--no-test-load", "--no-byte-compile", "-l", folder / library)
        subprocess.run(
            ["R", "CMD", "INSTALL", *options, *packages],
            cwd=STAND_INS,
            check=True,
            capture_output=True,
        )
    return {library: folder / library for library in contents}


@pytest.fixture
def stand_ins(libraries: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let R find the stand-ins, ccImpute with its old interface."""
    monkeypatch.setenv("R_LIBS", str(libraries["old"]))


@pytest.fixture
def new_ccimpute(libraries: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let R find ccImpute's stand-in with its new interface."""
    monkeypatch.setenv("R_LIBS", str(libraries["new"]))
