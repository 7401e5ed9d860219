"""A single-file plugin of imputers that say where they run."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from impbench import Context, Imputed, Imputer, Observed, hookimpl


@dataclass(frozen=True)
class Looks(Imputer):
    """Looks for everything it can find beside the view it was given."""

    name = "looks"
    summary = "Says what lies about."

    def impute(self, observed: Observed, context: Context) -> Imputed:
        *_, folder = Path(sys.argv[1]).parents[:4]
        lying = [
            str(Path(place, name).relative_to(folder))
            for place, _, names in os.walk(folder)
            for name in names
        ]
        told = {"lying": lying, "folder": folder.name}
        return Imputed(observed.lognorm, "lognorm", info=told)


class _Tells(Imputer):
    """Takes its time, and says where it was and when."""

    summary = "Says which device it was given."

    def impute(self, observed: Observed, context: Context) -> Imputed:
        began = time.time()
        time.sleep(0.6)
        told = {
            "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "device": context.device,
            "began": began,
            "ended": time.time(),
        }
        return Imputed(observed.lognorm, "lognorm", info=told)


@dataclass(frozen=True)
class TellsGpu(_Tells):
    name = "tells-gpu"
    devices = ("cpu", "cuda")


@dataclass(frozen=True)
class TellsCpu(_Tells):
    name = "tells-cpu"


@dataclass(frozen=True)
class Waits(Imputer):
    name = "waits"
    summary = "Is still there when something happens to the process that started its own."

    def impute(self, observed: Observed, context: Context) -> Imputed:
        time.sleep(60)
        raise AssertionError


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [Looks, TellsGpu, TellsCpu, Waits]
