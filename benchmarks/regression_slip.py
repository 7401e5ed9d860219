"""MaskClass balanced with a slip: a real change that costs 5 % of MSE, for `regression_reruns.py`.

The filled zeros come out a few percent too small; the observed values are kept, as in the method.
"""

from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, get_imputer, hookimpl

SHRINKAGE = 0.955
"""Of 5 seeds (2001 to 2005) of ``sim_rare[n_cells=200]``, the mean MSE is 5.0 % higher."""


@dataclass(frozen=True)
class Slip(Imputer):
    """Fills zeros as `maskclass-balanced` does, times `SHRINKAGE`."""

    name = "maskclass-balanced-slip"
    summary = "MaskClass balanced, its filled zeros too small."
    input_scale = "counts"
    stochastic = True
    keeps_observed = True

    def prepare(self, context: Context) -> None:
        """Prepare the method itself, once per worker."""
        get_imputer("maskclass-balanced").prepare(context)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Return log-scale expression."""
        good = get_imputer("maskclass-balanced").impute(observed, context).expression
        return Imputed(np.where(observed.lognorm > 0, good, SHRINKAGE * good), "lognorm")


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer the slip."""
    return [Slip]
