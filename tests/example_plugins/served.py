"""A single-file plugin of imputers that look at the process they run in."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass

from threadpoolctl import threadpool_info

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter

seen: list[int] = []


class _Looks(Imputer):
    summary = "Tells of its process."
    stochastic = True

    def impute(self, observed: Observed, context: Context) -> Imputed:
        seen.append(context.seed)
        info = {"parent": os.getppid(), "process": os.getpid(), "seen": list(seen)}
        info["cells"] = observed.n_cells
        return Imputed(observed.lognorm, "lognorm", info={**info, "folder": os.getcwd()})


@dataclass(frozen=True)
class Looks(_Looks):
    name = "tells-of-itself"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        print(f"seed {context.seed}")
        return super().impute(observed, context)


@dataclass(frozen=True)
class SaysHow(_Looks):
    name = "says-how"
    how: str = parameter("so", "Comes back in the info.")

    def impute(self, observed: Observed, context: Context) -> Imputed:
        imputed = super().impute(observed, context)
        return Imputed(imputed.expression, "lognorm", info={**imputed.info, "how": self.how})


@dataclass(frozen=True)
class CountsThreads(_Looks):
    name = "counts-threads"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        imputed = super().impute(observed, context)
        pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        return Imputed(imputed.expression, "lognorm", info={**imputed.info, "pools": pools})


@dataclass(frozen=True)
class Lacks(_Looks):
    name = "lacks-something"

    @classmethod
    def unavailable(cls) -> str | None:
        return "needs something"


@dataclass(frozen=True)
class HasThread(_Looks):
    name = "has-thread"

    def prepare(self, context: Context) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()


@dataclass(frozen=True)
class FailsToPrepare(_Looks):
    name = "fails-to-prepare"

    def prepare(self, context: Context) -> None:
        raise ValueError("no licence found")


@dataclass(frozen=True)
class DiesPreparing(_Looks):
    name = "dies-preparing"

    def prepare(self, context: Context) -> None:
        print("about to prepare", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)


@dataclass(frozen=True)
class PreparesForever(_Looks):
    name = "prepares-forever"

    def prepare(self, context: Context) -> None:
        threading.Event().wait()


@dataclass(frozen=True)
class Crashes(_Looks):
    name = "crashes-once"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        if context.seed == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().impute(observed, context)


@dataclass(frozen=True)
class KillsItsParent(_Looks):
    name = "kills-its-parent"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        if context.seed == 2:
            os.kill(os.getppid(), signal.SIGKILL)
            threading.Event().wait()
        return super().impute(observed, context)


@dataclass(frozen=True)
class ClosesAll(HasThread):
    name = "closes-all"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        os.closerange(3, 64)
        threading.Event().wait()
        raise AssertionError


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [
        Looks,
        SaysHow,
        Lacks,
        CountsThreads,
        HasThread,
        FailsToPrepare,
        DiesPreparing,
        PreparesForever,
        Crashes,
        KillsItsParent,
        ClosesAll,
    ]
