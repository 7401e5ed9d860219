"""How scMAE exchanges values between cells, and how it is trained (section 2.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from impbench_plugins.shared.torch_networks import draw_weights, single_thread
from numpy.typing import NDArray
from torch import Tensor

from .network import ScmaeNetwork, mask_loss, reconstruction_loss

_CELLS_PER_BLOCK = 1024
_GENES_PER_BLOCK = 64


@dataclass(frozen=True)
class ScmaeSettings:
    """Hyper-parameters; the defaults are the published code's."""

    p_mask: float = 0.4
    shuffle: str = "batch"
    target: str = "changed"
    mask_loss: str = "binary"
    mask_input: str = "logits"
    masked_weight: float = 0.75
    mask_loss_weight: float = 0.7
    hidden: int = 256
    latent: int = 128
    epochs: int = 81
    batch_size: int = 256
    few_cells: str = "one-batch"
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class ScmaeFit:
    """What training leaves.

    Attributes
    ----------
    reconstruction, embedding
        Of the unchanged cells, (cells, genes) and (cells, latent) float32.
    steps
        Mini-batches trained on.
    reconstruction_loss, mask_loss
        L_r and L_m, means over the last epoch; None without a step.
    """

    reconstruction: NDArray[np.float32]
    embedding: NDArray[np.float32]
    steps: int
    reconstruction_loss: float | None
    mask_loss: float | None


def run(
    values: NDArray[np.float32],
    training: NDArray[np.integer[Any]],
    settings: ScmaeSettings,
    seed: int,
    progress: Callable[[int, int], None],
) -> ScmaeFit:
    """Train, then encode and decode the unchanged cells; on one thread.

    Parameters
    ----------
    values
        X, (cells, genes), scaled.
    training
        Indices of the cells to train on.
    progress
        Gets the epochs done and their total, and may raise to stop.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(values)
    network = ScmaeNetwork(
        x.shape[1], settings.hidden, settings.latent, settings.mask_input == "probabilities"
    )
    draw_weights(network, generator)
    with single_thread():
        steps, *losses = _train(
            network, x[torch.from_numpy(training)], settings, generator, progress
        )
        reconstruction, embedding = _apply(network, x)
    return ScmaeFit(reconstruction, embedding, steps, *losses)


def _train(
    network: ScmaeNetwork,
    x: Tensor,
    settings: ScmaeSettings,
    generator: torch.Generator,
    progress: Callable[[int, int], None],
) -> tuple[int, float | None, float | None]:
    gamma, losses = settings.mask_loss_weight, torch.zeros(2)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, fused=True)
    batch_size = settings.batch_size
    if settings.few_cells == "one-batch":
        batch_size = min(batch_size, len(x))
    n_steps = len(x) // batch_size
    for epoch in range(settings.epochs):
        losses.zero_()
        shuffled = shuffle_genes(x, generator) if settings.shuffle == "genes" else None
        order = torch.randperm(len(x), generator=generator)
        for step in range(n_steps):
            cells = order[step * batch_size : (step + 1) * batch_size]
            batch = x[cells]
            if shuffled is None:
                other = batch[torch.randperm(batch_size, generator=generator)]
            else:
                other = shuffled[cells]
            corrupted, mask = exchange(batch, other, settings.p_mask, settings.target, generator)
            _, logits, reconstruction = network(corrupted)
            loss_r = reconstruction_loss(batch, reconstruction, mask, settings.masked_weight)
            loss_m = mask_loss(logits, mask, settings.mask_loss == "masked")
            loss = (1 - gamma) * loss_r + gamma * loss_m  # Equation (7).
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses += torch.stack([loss_r.detach(), loss_m.detach()])
        progress(epoch + 1, settings.epochs)
    if n_steps == 0:  # Published: no batch was ever full.
        return 0, None, None
    loss_r, loss_m = (losses / n_steps).tolist()
    return n_steps * settings.epochs, loss_r, loss_m


def shuffle_genes(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return X′: every gene's values in an order of their own, (cells, genes)."""
    shuffled = torch.empty_like(x)
    for start in range(0, x.shape[1], _GENES_PER_BLOCK):
        genes = slice(start, start + _GENES_PER_BLOCK)
        order = torch.rand(x[:, genes].shape, generator=generator).argsort(dim=0)
        shuffled[:, genes] = x[:, genes].gather(0, order)
    return shuffled


def exchange(
    x: Tensor, other: Tensor, p: float, target: str, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Put values of X′ in the place of a share of X, equations (1) and (2).

    Parameters
    ----------
    x, other
        X and X′, (cells, genes).
    p
        Chance of each entry to be drawn.
    target
        ``"drawn"``: the mask holds all entries drawn; ``"changed"``: those whose value changed.

    Returns
    -------
    X_M and the mask, 0 or 1, in the type of `x`.
    """
    drawn = torch.rand(x.shape, generator=generator) < p
    corrupted = torch.where(drawn, other, x)
    mask = drawn if target == "drawn" else corrupted != x
    return corrupted, mask.to(x.dtype)


def _apply(network: ScmaeNetwork, x: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with torch.no_grad():
        blocks = [network(block) for block in x.split(_CELLS_PER_BLOCK)]  # type: ignore[no-untyped-call]
        return (
            torch.cat([reconstruction for _, _, reconstruction in blocks]).numpy(),
            torch.cat([embedding for embedding, _, _ in blocks]).numpy(),
        )
