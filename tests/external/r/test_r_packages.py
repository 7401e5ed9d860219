"""What is installed is known without starting R here, and what is not comes with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from impbench.external.r import RPackage
from impbench.external.r.packages import library_folders


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("CRAN", 'install.packages("x", repos = "https://cloud.r-project.org")'),
        ("Bioconductor", 'BiocManager::install("x", ask = FALSE)'),
        ("someone/x", 'remotes::install_github("someone/x")'),
    ],
)
def test_every_source_has_one_line_that_installs(source: str, line: str) -> None:
    install = RPackage("x", source).install
    assert line in install
    assert install.startswith("Rscript -e '")
    assert install.count("'") == 2
    assert "\n" not in install


@pytest.mark.r
def test_package_is_found_where_r_looks_as_soon_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("R_LIBS", str(tmp_path))
    assert library_folders()[0] == tmp_path
    package = RPackage("nope")
    assert package.version() is None
    (tmp_path / "nope").mkdir()
    (tmp_path / "nope" / "DESCRIPTION").write_text("Package: nope\nVersion: 1.2-3\nTitle: å\n")
    assert package.version() == "1.2-3"
    assert package.lack() is None


@pytest.mark.r
def test_packages_that_come_with_r_are_found() -> None:
    assert RPackage("stats").lack() is None


@pytest.mark.r
def test_library_named_in_a_users_renviron_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "my library"
    library.mkdir()
    (tmp_path / "Renviron").write_text(f'R_LIBS="{library}"\n')
    monkeypatch.setenv("R_ENVIRON_USER", str(tmp_path / "Renviron"))
    monkeypatch.delenv("R_LIBS", raising=False)
    assert library in library_folders()
