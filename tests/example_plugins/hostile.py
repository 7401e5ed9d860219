"""A single-file plugin of imputers that misbehave, each in one way."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter


class _Hostile(Imputer):
    summary = "Misbehaves on purpose."


@dataclass(frozen=True)
class Fine(_Hostile):
    name = "fine"
    offset: float = parameter(0.0, "Added to every value.")
    stochastic = True

    def impute(self, observed: Observed, context: Context) -> Imputed:
        noise = np.random.default_rng(context.seed).normal(0, 0.1, observed.lognorm.shape)
        return Imputed(observed.lognorm + self.offset + noise, "lognorm", info={"fine": True})


@dataclass(frozen=True)
class Raises(_Hostile):
    name = "raises"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        print("about to fail")
        raise ValueError("the matrix displeases me")


@dataclass(frozen=True)
class Exits(_Hostile):
    name = "exits"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        sys.exit(0)


@dataclass(frozen=True)
class Crashes(_Hostile):
    name = "crashes"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        ctypes.string_at(0)
        raise AssertionError


@dataclass(frozen=True)
class Hangs(_Hostile):
    name = "hangs"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        # A child in a session of its own would outlive a kill of the group alone.
        subprocess.Popen(["sleep", "12345"], start_new_session=True)
        time.sleep(3600)
        raise AssertionError


@dataclass(frozen=True)
class Hoards(_Hostile):
    name = "hoards"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        hoard = []
        while True:
            hoard.append(np.ones(10_000_000))
            time.sleep(0.02)


@dataclass(frozen=True)
class Allocates(_Hostile):
    name = "allocates"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        np.ones(100 * 2**30 // 8)
        raise AssertionError


@dataclass(frozen=True)
class Forks(_Hostile):
    name = "forks"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        if os.fork() == 0:
            # Leaves the group and the session, and outlives the worker.
            os.setsid()
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(0)
        return Imputed(observed.lognorm.copy(), "lognorm")


@dataclass(frozen=True)
class Cheats(_Hostile):
    name = "cheats"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(observed.true_counts, "counts")  # type: ignore[attr-defined]


@dataclass(frozen=True)
class NaN(_Hostile):
    name = "nan"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        values = observed.lognorm.copy()
        values[3, 5] = np.nan
        return Imputed(values, "lognorm")


@dataclass(frozen=True)
class WrongShape(_Hostile):
    name = "wrong-shape"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(observed.lognorm.T, "lognorm")


@dataclass(frozen=True)
class Chatters(_Hostile):
    name = "chatters"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        for _ in range(20_000):
            print("x" * 100)
        return Imputed(observed.lognorm, "lognorm")


@dataclass(frozen=True)
class Deletes(_Hostile):
    name = "deletes"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        assert context.scratch is not None
        os.rmdir(context.scratch)
        return Imputed(observed.lognorm, "lognorm")


@dataclass(frozen=True)
class Scribbles(_Hostile):
    name = "scribbles"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        observed.lognorm[:] = 0
        observed.size_factors[:] = 0
        return Imputed(observed.lognorm, "lognorm")


@dataclass(frozen=True)
class Returns(_Hostile):
    name = "returns-list"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return [1, 2, 3]  # type: ignore[return-value]


@dataclass(frozen=True)
class Slow(_Hostile):
    name = "slow"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        time.sleep(1.0)
        return Imputed(observed.lognorm, "lognorm")


@dataclass(frozen=True)
class Daemonises(_Hostile):
    name = "daemonises"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        # Out of the session, orphaned, and without the mark in its environment.
        subprocess.run(["setsid", "-f", "sleep", "54321"], env={"PATH": os.environ["PATH"]})
        return Imputed(observed.lognorm, "lognorm")


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return list(_Hostile.__subclasses__())
