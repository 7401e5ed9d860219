"""List the R packages installed here, without starting R in this process."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

RPY2 = "pip install 'impbench[r]'"
CRAN = "https://cloud.r-project.org"

_DECIDING = ("PATH", "HOME", "R_HOME", "R_LIBS", "R_LIBS_USER", "R_LIBS_SITE", "R_ENVIRON_USER")
"""Environment variables that R's library folders depend on."""


@dataclass(frozen=True)
class RPackage:
    """An R package, and how to get it.

    Attributes
    ----------
    name
        As ``library()`` takes it.
    source
        ``"CRAN"``, ``"Bioconductor"``, or ``"owner/repository"`` on GitHub.
    """

    name: str
    source: str = "CRAN"

    @property
    def install(self) -> str:
        """The one line for a shell that installs the package."""
        if self.source == "CRAN":
            steps = f'install.packages("{self.name}", repos = "{CRAN}")'
        elif self.source == "Bioconductor":
            steps = (
                f'install.packages("BiocManager", repos = "{CRAN}"); '
                f'BiocManager::install("{self.name}", ask = FALSE)'
            )
        else:
            steps = (
                f'install.packages("remotes", repos = "{CRAN}"); '
                f'remotes::install_github("{self.source}")'
            )
        return f"Rscript -e '{steps}'"

    def lack(self) -> str | None:
        """Say what is missing, rpy2, R or the package, and the line that installs it; or None."""
        if lack := lack_of_r():
            return lack
        if self.version() is None:
            return f"R has no package {self.name}: {self.install}"
        return None

    def version(self) -> str | None:
        """Return the version that is installed, or None."""
        for library in library_folders():
            description = library / self.name / "DESCRIPTION"
            if description.is_file():
                text = description.read_text(encoding="utf-8", errors="replace")
                found = re.search(r"^Version:\s*(\S+)", text, re.MULTILINE)
                return found[1] if found else None
        return None


def lack_of_r() -> str | None:
    """Say that rpy2 or R is missing, and how to get it; or None."""
    if importlib.util.find_spec("rpy2") is None:
        return f"rpy2 is not installed: {RPY2}"
    if r_program() is None:
        return "R is not installed: see https://www.r-project.org (Debian: apt install r-base)"
    return None


def library_folders() -> tuple[Path, ...]:
    """Return the folders that R looks for packages in, in its order; none without R."""
    return _library_folders(*(os.environ.get(name) for name in _DECIDING))


@lru_cache(maxsize=8)
def _library_folders(*deciding: str | None) -> tuple[Path, ...]:
    """Ask R itself, because Renviron files can add folders; base alone starts in a tenth second."""
    program = r_program()
    if program is None:
        return ()
    command = [program, "--no-echo", "--no-restore", "--no-save", "-e", "writeLines(.libPaths())"]
    answer = subprocess.run(
        command,
        env={**os.environ, **ENVIRONMENT, "R_DEFAULT_PACKAGES": "NULL"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return tuple(Path(line) for line in answer.stdout.splitlines() if line)


def r_program() -> str | None:
    """Return where R is, or None without R."""
    home = os.environ.get("R_HOME")
    return shutil.which(str(Path(home) / "bin" / "R")) if home else shutil.which("R")


ENVIRONMENT = {
    # A user's start-up file can print, load packages and change options.
    "R_PROFILE_USER": os.devnull,
    # Sorting, and so what some packages compute, follows the locale.
    "LC_ALL": "",
    "LC_COLLATE": "C",
    "LC_CTYPE": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
    "LANGUAGE": "en",
    # R's packages share work between processes; threads of BLAS in each would multiply with them.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Environment variables of every R that impbench starts."""
