"""Imputers that break one promise each, and two that keep all of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class Good(Imputer):
    """Deterministic, quick, without anything optional."""

    name = "good"
    summary = "Draws every value towards its gene's mean"
    citation = "unpublished"
    input_scale = "lognorm"

    weight: float = parameter(0.5, "Share of the gene's mean.", min=0, max=1)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(self.values(observed, context), "lognorm")

    def values(self, observed: Observed, context: Context) -> Any:
        mean = observed.lognorm.mean(axis=0)
        return (1 - self.weight) * observed.lognorm + self.weight * mean


@dataclass(frozen=True)
class Rich(Good):
    """Stochastic, keeps observed values, and offers everything that is optional."""

    name = "rich"
    stochastic = True
    keeps_observed = True
    requires = ("numpy>=1.26",)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        assert context.scratch is None or not list(context.scratch.iterdir())
        if context.scratch is not None:
            folder = context.scratch / "allowed"
            folder.mkdir()
            (folder / "notes.txt").write_text("here")
            shutil.rmtree(folder)
        for step in range(4):
            context.progress(step, 4)
        rng = np.random.default_rng(context.seed)
        noise = rng.normal(0, 0.2, observed.lognorm.shape)
        zero = observed.lognorm == 0
        values = np.where(zero, self.values(observed, context) + noise, observed.lognorm)
        context.progress(4, 4)
        return Imputed(
            values,
            "lognorm",
            std=np.where(zero, 0.2, 0.0),
            embedding=values[:, :2].copy(),
            info={"noise": 0.2},
        )

    def impute_many(self, observed: Observed, contexts: Sequence[Context]) -> list[Imputed]:
        return [self.impute(observed, context) for context in contexts]


# Declaration


@dataclass(frozen=True)
class NameIsPlain(Good):
    name = "My Method"


@dataclass(frozen=True)
class SummaryIsOneLine(Good):
    summary = "First line\nsecond line"


@dataclass(frozen=True)
class CitationIsGiven(Good):
    citation = ""


@dataclass(frozen=True)
class VersionIsText(Good):
    version: ClassVar[Any] = 2


@dataclass(frozen=True)
class InputScaleIsKnown(Good):
    input_scale: ClassVar[Any] = "log"


@dataclass(frozen=True)
class DevicesAreKnown(Good):
    devices: ClassVar[Any] = ["cpu"]


class FrozenDataclass(Good):
    pass


@dataclass(frozen=True)
class ParametersAreDescribed(Good):
    depth: int = 3


@dataclass(frozen=True)
class ParametersAreValidated(Good):
    def __post_init__(self) -> None:
        pass


@dataclass(frozen=True)
class SpecReadsBack(Good):
    @property
    def spec(self) -> str:
        return f"{self.name}[w={self.weight}]"


def _local_class() -> type[Imputer]:
    @dataclass(frozen=True)
    class PicklesAndCopies(Good):
        pass

    return PicklesAndCopies


PicklesAndCopiesNot = _local_class()


@dataclass(frozen=True)
class RequirementsAreMet(Good):
    requires = ("numpy>=1.26", "numpy<1")


# Outcome


@dataclass(frozen=True)
class ReturnsImputed(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        return self.values(observed, context)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Shape(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return super().values(observed, context)[:, :-1]


@dataclass(frozen=True)
class Dtype(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return np.round(super().values(observed, context)).astype(int)


@dataclass(frozen=True)
class Finite(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        with np.errstate(all="ignore"):
            return np.log(observed.lognorm)


@dataclass(frozen=True)
class ScaleIsTrue(Good):
    """Natural logarithms, the most common mistake."""

    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm * np.log(2)


@dataclass(frozen=True)
class CountsDeclaredLog(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return observed.dense_counts.astype(float)


@dataclass(frozen=True)
class LogDeclaredCounts(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(observed.lognorm.copy(), "counts")


@dataclass(frozen=True)
class NormalisedDeclaredCounts(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(observed.dense_counts / observed.size_factors[:, None], "counts")


@dataclass(frozen=True)
class LogWithoutSizeFactor(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return np.log2(1 + observed.dense_counts)


@dataclass(frozen=True)
class StdIsNonNegative(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        values = self.values(observed, context)
        return Imputed(values, "lognorm", std=values - 1)


@dataclass(frozen=True)
class EmbeddingHasARowPerCell(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        values = self.values(observed, context)
        return Imputed(values, "lognorm", embedding=values[:, :2].T)


@dataclass(frozen=True)
class InfoIsJson(Good):
    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(self.values(observed, context), "lognorm", info={"loss": np.float32(1.5)})


@dataclass(frozen=True)
class KeepsObservedValues(Good):
    keeps_observed = True


@dataclass(frozen=True)
class ResultIsACopy(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm


# Randomness


@dataclass(frozen=True)
class SameSeedSameResult(Good):
    stochastic = True

    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm + np.random.default_rng().normal(0, 0.1, observed.lognorm.shape)


@dataclass(frozen=True)
class SeedIsHonoured(Good):
    stochastic = True

    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm + np.random.default_rng(42).normal(0, 0.1, observed.lognorm.shape)


@dataclass(frozen=True)
class SeedMattersUndeclared(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        noise = np.random.default_rng(context.seed).normal(0, 0.1, observed.lognorm.shape)
        return observed.lognorm + noise


@dataclass(frozen=True)
class AnySeedWorks(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        np.random.default_rng(context.seed - 1)
        return super().values(observed, context)


@dataclass(frozen=True)
class GlobalGeneratorsDoNotMatter(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        state = random.getstate()
        noise = random.gauss(0, 1)
        random.setstate(state)
        return super().values(observed, context) + noise


@dataclass(frozen=True)
class ThreadsDoNotMatter(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        parts = np.array_split(observed.lognorm, context.threads)
        return np.concatenate([part + part.mean(axis=0) for part in parts])


@dataclass(frozen=True)
class ManySeedsEqualSingleSeeds(Rich):
    def impute_many(self, observed: Observed, contexts: Sequence[Context]) -> list[Imputed]:
        return [self.impute(observed, contexts[0]) for _ in contexts]


# Symmetry


@dataclass(frozen=True)
class CellOrder(Good):
    """Smooths over cells that stand next to each other in the file."""

    def values(self, observed: Observed, context: Context) -> Any:
        return (observed.lognorm + np.roll(observed.lognorm, 1, axis=0)) / 2


@dataclass(frozen=True)
class CellsSortedStochastic(SeedMattersUndeclared):
    """Returns the cells by library size; the noise is small beside that."""

    stochastic = True

    def values(self, observed: Observed, context: Context) -> Any:
        order = np.argsort(observed.size_factors, kind="stable")
        return super().values(observed, context)[order]


@dataclass(frozen=True)
class CellsSmoothedInOrderStochastic(SeedMattersUndeclared):
    stochastic = True

    def values(self, observed: Observed, context: Context) -> Any:
        return (super().values(observed, context) + np.roll(observed.lognorm, 1, axis=0)) / 2


@dataclass(frozen=True)
class GeneOrder(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return observed.lognorm * np.linspace(0.5, 1.5, observed.n_genes)


@dataclass(frozen=True)
class SparseEqualsDense(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        counts = observed.counts
        mean = np.sum(counts, axis=0) / np.asarray([counts.size / observed.n_genes])
        return observed.lognorm + np.asarray(mean).ravel()


@dataclass(frozen=True)
class IntegersEqualFloats(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        is_float = observed.counts.dtype.kind == "f"
        return super().values(observed, context) * (1.01 if is_float else 1.0)


@dataclass(frozen=True)
class NamesDoNotMatter(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        spike_in = np.array([name.startswith("ERCC") for name in observed.gene_names])
        return np.where(spike_in, 0.0, super().values(observed, context))


# Edge cases: each fails where a guard is missing.


def _no_guard(message: str, where: Any) -> None:
    """Fail as code without a guard does."""
    if np.any(where):
        raise ZeroDivisionError(message)


@dataclass(frozen=True)
class ConstantGene(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        counts = observed.dense_counts
        _no_guard("gene's standard deviation", (counts.std(axis=0) == 0) & (counts.max() > 0))
        return super().values(observed, context)


@dataclass(frozen=True)
class SilentGene(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        with np.errstate(all="ignore"):
            return observed.lognorm / observed.lognorm.mean(axis=0)


@dataclass(frozen=True)
class EmptyCell(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        with np.errstate(all="ignore"):
            return observed.lognorm / observed.lognorm.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class IdenticalCells(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        distinct = len(np.unique(observed.dense_counts, axis=0))
        _no_guard("distance to the nearest cell", distinct < observed.n_cells)
        return super().values(observed, context)


@dataclass(frozen=True)
class TwentyCells(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        neighbours = np.argpartition(observed.lognorm, 30, axis=0)
        return super().values(observed, context) + 0 * neighbours


@dataclass(frozen=True)
class ThreeGenes(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        components = np.linalg.svd(observed.lognorm)[2][9]
        return super().values(observed, context) + 0 * components


@dataclass(frozen=True)
class LargeCounts(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        with np.errstate(all="ignore"):
            return np.log2(1 + np.log(np.exp(observed.dense_counts)))


@dataclass(frozen=True)
class NoZeros(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        imputed_before = observed.lognorm[observed.dense_counts == 0].max()
        return super().values(observed, context) + imputed_before


@dataclass(frozen=True)
class AllZeros(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        counts = observed.dense_counts
        return super().values(observed, context) + 0 * np.quantile(counts[counts > 0], 0.5)


@dataclass(frozen=True)
class FractionalCounts(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        histogram = np.zeros(int(observed.dense_counts.max()) + 1)
        if observed.counts.dtype.kind == "f" and (observed.dense_counts % 1).any():
            histogram[observed.dense_counts[0]] += 1
        return super().values(observed, context)


@dataclass(frozen=True)
class Batches(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        if observed.batch is not None:
            observed.batch.astype(int)
        return super().values(observed, context)


@dataclass(frozen=True)
class UnknownNumberOfGroups(Good):
    def values(self, observed: Observed, context: Context) -> Any:
        return super().values(observed, context) + 0 * np.zeros(observed.n_groups)[0]  # type: ignore[operator]


@dataclass(frozen=True)
class Refuses(Good):
    """Has limits and names them: no violation."""

    def values(self, observed: Observed, context: Context) -> Any:
        if observed.n_cells < 50:
            raise InputError(f"needs at least 50 cells, got {observed.n_cells}")
        return super().values(observed, context)


# Conduct


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
