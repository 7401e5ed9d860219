"""MaskClass, a masked denoising autoencoder: `maskclass-best`, `-balanced` and `-prior`."""

from __future__ import annotations

try:
    from impbench import Imputer, hookimpl
except ModuleNotFoundError:
    # A bare machine (PyTorch, NumPy, SciPy, numba) still imports the model and its engines.
    pass
else:
    from .imputers import MaskClassBalanced, MaskClassBest
    from .prior import MaskClassPrior

    @hookimpl
    def impbench_imputers() -> list[type[Imputer]]:
        """MaskClass best, balanced and its prior."""
        return [MaskClassBest, MaskClassBalanced, MaskClassPrior]
