"""MaskClass as imputers: `maskclass-best` (γ = 0) and `maskclass-balanced` (γ = 1)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError, UnavailableError


@dataclass(frozen=True)
class MaskClassBest(Imputer):
    """Masked denoising autoencoder; γ = 0 gives the lowest error overall."""

    name: ClassVar[str] = "maskclass-best"
    summary: ClassVar[str] = "masked denoising autoencoder, no biozero regulariser"
    citation: ClassVar[str] = (
        "MaskClass: a masked denoising autoencoder for scalable and accurate single-cell RNA-seq "
        "analysis (anonymous authors, under review)"
    )
    stochastic: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
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
    engine: Literal["auto", "fast", "reference"] = parameter(
        "auto", "fast: compiled, CPU; reference: plain PyTorch; auto: fast on CPU."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.quantiles[0] < self.quantiles[1]:
            raise InputError(
                f"{self.name}: quantiles={list(self.quantiles)} must be a lower and an upper "
                "percentile, such as [2, 99.5]"
            )

    def prepare(self, context: Context) -> None:
        """Import PyTorch and compile the engine."""
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
        _check(observed)
        device = choose_device(context.device)
        engine = self._engine(device)
        from .training import TrainingSet

        data = TrainingSet.prepare(observed.counts, observed.lognorm, self.alpha, self.quantiles)
        if engine == "fast":
            from .fast import train

            network, losses = train(data, self._settings(), context.seed, context.progress)
        else:
            from . import reference

            network, losses = reference.train(
                data, self._settings(), context.seed, context.progress, device
            )
        expression, embedding = network.reconstruct(data)
        if self.keep_observed:
            np.copyto(expression, observed.lognorm, where=observed.lognorm > 0)
        if self.clip_negative:
            np.maximum(expression, 0, out=expression)
        info: dict[str, Any] = {
            "engine": engine,
            "device": device,
            "final_loss": losses[-1],
            "k": data.curve.k,
            "x0": data.curve.x0,
        }
        if not _are_integers(observed.counts):
            info["note"] = (
                "counts are not integers: taken as back-transformed log values, 2^x − 1, as the "
                "MaskClass authors do; p_bio was estimated from them"
            )
        return Imputed(expression, "lognorm", embedding=embedding, info=info)

    def _engine(self, device: str) -> str:
        if self.engine == "auto":
            return "fast" if device == "cpu" else "reference"
        if self.engine == "fast" and device != "cpu":
            raise InputError(
                f"{self.name}: engine 'fast' runs on the CPU, but device {device!r} was asked for; "
                "use engine=auto or device cpu"
            )
        return self.engine

    def _settings(self) -> Any:
        from .training import Settings

        return Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})


@dataclass(frozen=True)
class MaskClassBalanced(MaskClassBest):
    """Masked denoising autoencoder; γ = 1 keeps likely biological zeros near zero."""

    name: ClassVar[str] = "maskclass-balanced"
    summary: ClassVar[str] = "masked denoising autoencoder with the biozero regulariser"

    gamma: float = parameter(
        1.0, "Weight of the biozero regulariser, L = L_mask + γ L_bio (2.5).", min=0, symbol="γ"
    )


def choose_device(requested: str) -> str:
    """Resolve ``"auto"`` and make sure that CUDA is there when asked for.

    Raises
    ------
    UnavailableError
        If `requested` is a CUDA device that PyTorch cannot see.
    InputError
        If `requested` is no device MaskClass knows.
    """
    if requested == "cpu":
        return "cpu"
    kind, _, number = requested.partition(":")
    if requested != "auto" and (kind != "cuda" or not (number or "0").isdecimal()):
        raise InputError(f"device {requested!r} is none of auto, cpu, cuda, cuda:N")
    import torch

    if requested == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= n_devices:
        raise UnavailableError(
            f"device {requested!r} was asked for, but PyTorch {torch.__version__} sees {n_devices} "
            "CUDA device(s); use device auto or cpu, or install a CUDA build of PyTorch"
        )
    return requested


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
