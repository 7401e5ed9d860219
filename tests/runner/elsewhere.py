"""A single-file plugin of imputers that say where they run."""

from __future__ import annotations

import json
import os
import signal
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
        view = Path(json.loads(Path(sys.argv[1]).read_text())["view"])
        folder = view.parents[1]
        lying = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
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
class EndsWorker(Imputer):
    name = "ends-worker"
    summary = "Kills the process that started its own."

    def impute(self, observed: Observed, context: Context) -> Imputed:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
        raise AssertionError


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [Looks, TellsGpu, TellsCpu, EndsWorker]
