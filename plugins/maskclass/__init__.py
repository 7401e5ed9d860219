"""MaskClass, a masked denoising autoencoder: `maskclass-best`, `-balanced` and `-prior`.

The imputers load on first use, so that the model and its engines import where only NumPy, SciPy,
numba and PyTorch are installed.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "MaskClassBalanced": ".imputers",
    "MaskClassBest": ".imputers",
    "MaskClassPrior": ".prior",
    "impbench_imputers": ".imputers",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_HOME)
