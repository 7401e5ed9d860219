"""Imputers that disturb their surroundings."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from violators.good import Good

from impbench import Context, Observed


@dataclass(frozen=True)
class InputIsNotModified(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        values = super().values(observed, context)
        observed.size_factors[0] *= 2
        return values


@dataclass(frozen=True)
class SparseInputModified(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        values = super().values(observed, context)
        if not isinstance(observed.counts, np.ndarray):
            observed.counts.data[:] = 1
        return values


@dataclass(frozen=True)
class ProgressIsReported(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        for step in (1, 3, 2):
            context.progress(step, 3)
        return super().values(observed, context)


@dataclass(frozen=True)
class ProgressPastTheTotal(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        context.progress(11, 10)
        return super().values(observed, context)


@dataclass(frozen=True)
class SlowInSilence(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        time.sleep(2.1)
        return super().values(observed, context)


@dataclass(frozen=True)
class CancelIsObeyed(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        try:
            context.progress(1, 2)
        except Exception as error:
            print("ignored", error)
        return super().values(observed, context)


@dataclass(frozen=True)
class WritesOnlyToScratch(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        assert context.scratch is not None
        (context.scratch.parent / "impbench-violator.txt").write_text("mine")
        (context.scratch.parent / "impbench-violator.txt").unlink()
        return super().values(observed, context)


@dataclass(frozen=True)
class ChildWritesToTheWorkingFolder(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        subprocess.run(["touch", "left-behind.txt"], check=True)
        return super().values(observed, context)


@dataclass(frozen=True)
class NoNetwork(Good):
    """Falls back quietly when the network is closed; the attempt is what counts."""

    def values(self, observed: Observed, context: Context) -> Any:
        with contextlib.suppress(OSError):
            urllib.request.urlopen("https://example.org/weights.bin", timeout=5)
        return super().values(observed, context)


@dataclass(frozen=True)
class CallsAnAddress(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        with socket.socket() as connection:
            connection.settimeout(1)
            connection.connect(("192.0.2.1", 80))
        return super().values(observed, context)


@dataclass(frozen=True)
class QuietStdout(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        print("Calculating MAGIC...")
        return super().values(observed, context)


@dataclass(frozen=True)
class CompiledCodePrints(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        ctypes.CDLL(None).printf(b"Epoch 1\n")
        return super().values(observed, context)


@dataclass(frozen=True)
class LeavesNoProcess(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        subprocess.Popen(["sleep", "600"])
        return super().values(observed, context)


@dataclass(frozen=True)
class SurroundingsAreRestored(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        np.random.seed(context.seed)  # noqa: NPY002
        return super().values(observed, context)


@dataclass(frozen=True)
class WorkingFolderChanged(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        os.chdir("/")
        return super().values(observed, context)


@dataclass(frozen=True)
class PrepareCanBeRepeated(Good):
    seeds: ClassVar[list[int]] = []

    def prepare(self, context: Context) -> None:
        self.seeds.append(context.seed)

    def values(self, observed: Observed, context: Context) -> Any:
        return super().values(observed, context) + len(self.seeds)


@dataclass(frozen=True)
class WorksWithoutScratch(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        folder = context.scratch or Path("scratch")
        folder.mkdir(exist_ok=True)
        np.save(folder / "values.npy", observed.lognorm)
        return super().values(observed, context)


@dataclass(frozen=True)
class RemovesAFolderElsewhere(Good):
    """Uses file names relative to an open folder, as shutil.rmtree does."""

    def values(self, observed: Observed, context: Context) -> Any:
        assert context.scratch is not None
        folder = context.scratch.parent / "impbench-violator"
        folder.mkdir()
        shutil.rmtree(folder)
        return super().values(observed, context)
