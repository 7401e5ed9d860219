"""MaskClass as imputers: `maskclass-best` (γ = 0) and `maskclass-balanced` (γ = 1)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from impbench_plugins.shared.torch_device import choose_device
from numpy.typing import NDArray

from impbench import Context, Imputed, Imputer, Observed, large, parameter
from impbench.errors import InputError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class MaskClassBest(Imputer):
    """Masked denoising autoencoder; γ = 0 gives the lowest error overall."""

    name: ClassVar[str] = "maskclass-best"
    summary: ClassVar[str] = "masked denoising autoencoder, no biozero regulariser"
    citation: ClassVar[str] = (
        "MaskClass: a masked denoising autoencoder for scalable and accurate single-cell RNA-seq "
        "analysis (anonymous authors, under review)"
    )
    gives: ClassVar[tuple[str, ...]] = ("expression", "embedding")
    version: ClassVar[str] = "2"
    stochastic: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    packages: ClassVar[tuple[str, ...]] = ("numba", "torch")
    keeps_observed: ClassVar[bool] = True

    gamma: float = parameter(
        0.0, "Weight of the biozero regulariser, L = L_mask + γ L_bio (2.5).", min=0, symbol="γ"
    )
    p_zero: float = parameter(
        0.01, "Rate at which zeros are masked, times p_bio (2.5).", min=0, max=1, symbol="p_zero"
    )
    p_nonzero: float = parameter(
        0.30, "Rate at which non-zeros are masked (2.5).", min=0, max=1, symbol="p_nonzero"
    )
    nu: float = parameter(
        0.2, "Masked zeros become log2(1 + η c_max), η from U(0, ν) (2.5).", min=0, symbol="ν"
    )
    alpha: float = parameter(
        0.3, "Strength of the cell sparsity adjustment of p_bio (2.6).", min=0, max=1, symbol="α"
    )
    w_bio: float = parameter(2.0, "Weight of masked zeros in L_mask (2.5).", min=0, symbol="w_bio")
    w_nz: float = parameter(
        1.0, "Weight of masked non-zeros in L_mask (2.5).", min=0, symbol="w_nz"
    )
    learning_rate: float = parameter(1e-4, "Adam's learning rate (2.7).", min=0)
    batch_size: int = parameter(32, "Cells per mini-batch (2.7).", min=1)
    epochs: int = parameter(300, "Passes over all cells (2.7).", min=1)
    hidden: int = parameter(64, "Width of the hidden layers (2.3).", min=1)
    bottleneck: int = parameter(32, "Width of the bottleneck (2.3).", min=1, symbol="d")
    quantiles: tuple[float, float] = parameter(
        (2.0, 99.5), "Winsorising percentiles of each gene (2.4).", min=0, max=100, symbol="q"
    )
    keep_observed: bool = parameter(
        True, "Put observed non-zeros back (2.9, line 13); false returns the reconstruction."
    )
    clip_negative: bool = parameter(
        False, "Clip reconstructed values at 0, which the published method does not."
    )
    engine: Literal["auto", "fast", "batched", "reference"] = parameter(
        "auto",
        "fast: compiled, CPU; batched: many seeds at once, for a GPU; reference: plain PyTorch; "
        "auto: fast on a CPU, batched on a GPU.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.quantiles[0] < self.quantiles[1]:
            raise InputError(
                f"{self.name}: quantiles={list(self.quantiles)} must be a lower and an upper "
                "percentile, such as [2, 99.5]"
            )

    def prepare(self, context: Context) -> None:
        """Compile the engine; the one for a CPU needs no PyTorch, which takes seconds to import."""
        self._settings()  # Imports what each imputation would import again.
        device = choose_device(context.device)
        if self._engine(device) == "fast":
            from .fast import compile_kernels

            compile_kernels()

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed` and reconstruct it.

        Returns
        -------
        Log-scale expression, the bottleneck as embedding, and in `info` the engine, the device, the
        loss of the last epoch and the dropout curve (k, x0).

        Raises
        ------
        InputError
            If the data hold no cells, no genes or no counts, or the engine cannot use the device.
        UnavailableError
            If CUDA is asked for and absent.
        """
        return self.impute_many(observed, [context])[0]

    def impute_many(self, observed: Observed, contexts: Sequence[Context]) -> list[Imputed]:
        """Impute once per context; what does not depend on the seed is computed once.

        On a GPU the seeds train side by side, as many at a time as fit its memory. Returns and
        raises what `impute` does; `info` also says how many seeds trained together.
        """
        _check(observed)
        device = choose_device(contexts[0].device)
        engine = self._engine(device)
        from .training import MaskClassData

        data = MaskClassData.prepare(observed.counts, observed.lognorm, self.alpha, self.quantiles)
        settings = self._settings()
        if engine == "batched":
            trained = _train_together(data, settings, contexts, device)
        elif engine == "fast":
            from .fast import train

            trained = ((*train(data, settings, c.seed, c.progress), 1) for c in contexts)
        else:
            from . import reference

            trained = (
                (*reference.train(data, settings, c.seed, c.progress, device), 1) for c in contexts
            )
        facts = {"engine": engine, "device": device, "k": data.curve.k, "x0": data.curve.x0}
        if not _are_integers(observed.counts):
            facts["note"] = (
                "counts are not integers: taken as back-transformed log values, 2^x − 1, as the "
                "MaskClass authors do; p_bio was estimated from them"
            )
        return [
            self._imputed(
                observed,
                network.reconstruct(data),
                facts | {"final_loss": losses[-1], "seeds_together": together},
            )
            for network, losses, together in trained
        ]

    def _imputed(
        self,
        observed: Observed,
        reconstructed: tuple[NDArray[np.float32], NDArray[np.float32]],
        info: dict[str, Any],
    ) -> Imputed:
        expression, embedding = reconstructed
        for cells in large.some_rows(expression, observed.lognorm):
            some, seen = expression[cells], observed.lognorm[cells]
            if self.keep_observed:
                np.copyto(some, seen, where=seen > 0)
            if self.clip_negative:
                np.maximum(some, 0, out=some)
        return Imputed(expression, "lognorm", embedding=embedding, info=info)

    def _engine(self, device: str) -> str:
        if self.engine == "auto":
            return "fast" if device == "cpu" else "batched"
        if self.engine == "fast" and device != "cpu":
            raise InputError(
                f"{self.name}: engine 'fast' runs on the CPU, but device {device!r} was asked for; "
                "use engine=auto or device cpu"
            )
        return self.engine

    def _settings(self) -> Any:
        from impbench_plugins.shared.same_fields import same_fields

        from .training import MaskClassSettings

        return same_fields(MaskClassSettings, self)


@dataclass(frozen=True)
class MaskClassBalanced(MaskClassBest):
    """Masked denoising autoencoder; γ = 1 keeps likely biological zeros near zero."""

    name: ClassVar[str] = "maskclass-balanced"
    summary: ClassVar[str] = "masked denoising autoencoder with the biozero regulariser"

    gamma: float = parameter(
        1.0, "Weight of the biozero regulariser, L = L_mask + γ L_bio (2.5).", min=0, symbol="γ"
    )


def _train_together(
    data: Any, settings: Any, contexts: Sequence[Context], device: str
) -> Iterator[tuple[Any, list[float], int]]:
    """Train all seeds at once, or in halves where the GPU's memory does not hold them all."""
    import torch

    from .batched import train_many

    def progress(done: int, total: int) -> None:
        for context in contexts:
            context.progress(done, total)

    try:
        trained = train_many(data, settings, [c.seed for c in contexts], progress, device)
    except torch.OutOfMemoryError:
        if len(contexts) == 1:
            raise
        half = len(contexts) // 2
        _LOG.warning("%d seeds do not fit %s together; training %d at a time",
                     len(contexts), device, len(contexts) - half)  # fmt: skip
    else:
        yield from ((network, losses, len(contexts)) for network, losses in trained)
        return
    torch.cuda.empty_cache()
    yield from _train_together(data, settings, contexts[:half], device)
    yield from _train_together(data, settings, contexts[half:], device)


def _check(observed: Observed) -> None:
    if observed.n_cells == 0 or observed.n_genes == 0:
        raise InputError(
            f"MaskClass needs cells and genes; got {observed.n_cells} × {observed.n_genes}"
        )
    if observed.counts.sum() == 0:
        raise InputError("all counts are 0: MaskClass has nothing to learn from")


def _are_integers(counts: Any) -> bool:
    values = counts.data if sp.issparse(counts) else counts
    return values.dtype.kind in "iub" or bool((values == np.floor(values)).all())
