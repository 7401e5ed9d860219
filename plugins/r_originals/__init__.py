"""The originals in R, through rpy2, for whoever has them: three imputers and a simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from impbench import Imputer, hookimpl

if TYPE_CHECKING:
    from impbench.data.dataset import Source


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer SAVER, scImpute and ccImpute as their authors wrote them."""
    from .ccimpute import CcImputeR
    from .saver import SaverR
    from .scimpute import ScImputeR

    return [SaverR, ScImputeR, CcImputeR]


@hookimpl
def impbench_datasets() -> list[type[Source]]:
    """Offer splatter's simulations; imported here, because workers need no datasets."""
    from .splatter import Splatter

    return [Splatter]
