"""Imputers that ask for an environment of their own; most cannot have it."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from impbench import Context, Imputed, Imputer, Observed, hookimpl

BROKEN = Path(__file__).parents[1] / "environments" / "packages" / "broken"
LIBRARIES = ("anndata", "pandas", "rich", "sklearn", "torch", "tests", "plugins", "datasets")


@dataclass(frozen=True)
class OldPluggy(Imputer):
    """Returns what it gets, and tells what there is to import."""

    name = "old-pluggy"
    summary = "asks for a version that ours conflicts with"
    input_scale = "lognorm"
    requires = ("pluggy==0.13.1",)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        import pluggy

        print("this goes to the job's log")
        seen = [name for name in LIBRARIES if importlib.util.find_spec(name)]
        return Imputed(
            observed.lognorm,
            "lognorm",
            info={"pluggy": pluggy.__version__, "seen": seen, "python": list(sys.version_info[:2])},
        )


@dataclass(frozen=True)
class NoSuchVersion(OldPluggy):
    name = "no-such-version"
    requires = ("pluggy==99.0",)


@dataclass(frozen=True)
class NoSuchPython(OldPluggy):
    name = "no-such-python"
    requires_python = "==3.8.999"


@dataclass(frozen=True)
class NoSpecifier(OldPluggy):
    name = "no-specifier"
    requires = ("pluggy=>1",)


@dataclass(frozen=True)
class Unbuildable(OldPluggy):
    name = "unbuildable"
    requires = (f"broken @ {BROKEN.as_uri()}",)


@dataclass(frozen=True)
class Python38(Imputer):
    """Returns what it gets from the oldest Python there may be."""

    name = "python38"
    summary = "asks for an old interpreter"
    requires_python = ">=3.8,<3.9"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        python = list(sys.version_info[:2])
        return Imputed(observed.dense_counts, "counts", info={"python": python})


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [OldPluggy, NoSuchVersion, NoSuchPython, NoSpecifier, Unbuildable, Python38]
