"""Head-to-head benchmarks of imputation methods for single-cell RNA-seq.

The names below are the public interface; they load on first use, so that importing impbench costs
nothing where only the imputer contract is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from impbench.version import __version__

if TYPE_CHECKING:
    from impbench.api import get_imputer as get_imputer
    from impbench.api import run as run
    from impbench.apply.adata import impute as impute
    from impbench.context import Context as Context
    from impbench.data.simulate import simulate as simulate
    from impbench.hookspecs import hookimpl as hookimpl
    from impbench.imputer import Imputed as Imputed
    from impbench.imputer import Imputer as Imputer
    from impbench.imputer import Observed as Observed
    from impbench.inspection.inspect import inspect as inspect
    from impbench.metrics.metric import metric as metric
    from impbench.page_figure import figure as figure
    from impbench.parameters import parameter as parameter

_HOME = {
    "Context": "impbench.context",
    "Imputed": "impbench.imputer",
    "Imputer": "impbench.imputer",
    "Observed": "impbench.imputer",
    "figure": "impbench.page_figure",
    "get_imputer": "impbench.api",
    "hookimpl": "impbench.hookspecs",
    "impute": "impbench.apply.adata",
    "inspect": "impbench.inspection.inspect",
    "metric": "impbench.metrics.metric",
    "parameter": "impbench.parameters",
    "run": "impbench.api",
    "simulate": "impbench.data.simulate",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name == "testing":
        return importlib.import_module("impbench.testing")
    raise AttributeError(f"module 'impbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
