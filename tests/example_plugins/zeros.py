"""A single-file plugin: the imputer that every faulty metric trips over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl


@dataclass(frozen=True)
class Zeros(Imputer):
    name = "zeros"
    summary = "Returns nothing but zeros."
    input_scale = "lognorm"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(np.zeros_like(observed.lognorm), "lognorm")


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [Zeros]
