"""The originals in R, through rpy2, for whoever has them: six imputers and a simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from impbench import Imputer, hookimpl

if TYPE_CHECKING:
    from impbench.data.dataset import Source


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer what its authors wrote in R."""
    from .alra import AlraR
    from .baynorm import BayNormR
    from .ccimpute import CcImputeR
    from .drimpute import DrImputeR
    from .saver import SaverR
    from .scimpute import ScImputeR

    return [SaverR, ScImputeR, CcImputeR, AlraR, DrImputeR, BayNormR]


@hookimpl
def impbench_datasets() -> list[type[Source]]:
    """Offer splatter's simulations; imported here, because workers need no datasets."""
    from .splatter import Splatter

    return [Splatter]
