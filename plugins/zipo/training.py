"""How ZiPo is trained (II-D, II-G): the penalised loss, the falling learning rate, when to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from impbench_plugins.shared.torch_networks import draw_weights, single_thread
from numpy.typing import NDArray
from torch import Tensor

from impbench import Context

from .likelihood import log_likelihood
from .network import Heads, ZipoNetwork, below, weight_ratio

DECAY = 0.9
PLATEAU_FACTOR = 0.1
PLATEAU_MIN_GAIN = 1e-3
SPARSE = 1e-4
_CELLS_PER_BLOCK = 512


@dataclass(frozen=True)
class ZipoSettings:
    """Hyper-parameters; see the parameters of the imputers."""

    negative_binomial: bool = False
    encoder: tuple[int, ...] = (2048, 1024, 512, 256, 128)
    residuals: bool = True
    library_layers: tuple[int, ...] = (16, 4)
    input: str = "counts"
    library_start: str = "mean"
    alpha_z: float = 0.1
    alpha_w: float = 0.1
    alpha_theta: float = 0.0
    alpha_l: float = 0.0
    prune: float = 0.0
    epochs: int = 200
    batch_size: int = 64
    validation: float = 0.1
    learning_rate: float = 0.0212
    final_rate: float = 1e-3
    reduce_lr: int = 15
    early_stop: int = 30


@dataclass(frozen=True)
class ZipoFit:
    """What training leaves.

    Attributes
    ----------
    rates
        l μ, (cells, genes) float32, count scale.
    latents
        U, (cells, latents) float32.
    facts
        JSON-ready: epochs, validation_loss, log_likelihood, zero_inflation, sparsity, and that the
        seed gives these on one build of PyTorch alone (build_bound).
    """

    rates: NDArray[np.float32]
    latents: NDArray[np.float32]
    facts: dict[str, Any]


class ZipoPace:
    """The learning rate and when to stop, judged by the validation loss after each epoch.

    The rate falls by a tenth every epoch until it reaches `final_rate` (at epoch 30 with the
    published numbers), and besides to a tenth after `reduce_lr` epochs without a gain of 0.1 %.
    """

    def __init__(self, settings: ZipoSettings) -> None:
        self._settings = settings
        self._epoch, self._factor = 0, 1.0
        self._best = self._plateau = np.inf
        self._waited = self._waited_on_plateau = 0
        self.improved = True

    @property
    def rate(self) -> float:
        """Learning rate of the coming epoch."""
        s = self._settings
        falling = s.learning_rate * DECAY**self._epoch
        return self._factor * max(falling, min(s.final_rate, s.learning_rate))

    def goes_on_after(self, loss: float) -> bool:
        """Take note of an epoch's validation loss; return whether there should be another."""
        self._epoch += 1
        if loss < self._plateau * (1 - PLATEAU_MIN_GAIN):
            self._plateau, self._waited_on_plateau = loss, 0
        else:
            self._waited_on_plateau += 1
            if self._waited_on_plateau > self._settings.reduce_lr:
                self._factor, self._waited_on_plateau = self._factor * PLATEAU_FACTOR, 0
        self.improved = loss < self._best
        self._best, self._waited = (loss, 0) if self.improved else (self._best, self._waited + 1)
        return self._waited < self._settings.early_stop


def run(
    counts: NDArray[Any], known: NDArray[np.float32], settings: ZipoSettings, context: Context
) -> ZipoFit:
    """Train, then predict the rates of all cells; on one thread.

    Parameters
    ----------
    counts
        (cells, genes), dense.
    known
        U′, (cells, covariates).
    context
        Gives the seed and gets the epochs done; its `progress` may raise to stop.
    """
    generator = torch.Generator().manual_seed(context.seed)
    x, known_ = torch.from_numpy(counts.astype(np.float32)), torch.from_numpy(known)
    inputs = torch.log1p(x) if settings.input == "log" else x
    s = settings
    network = ZipoNetwork(
        x.shape[1], known.shape[1], s.encoder, s.library_layers, s.residuals, s.negative_binomial
    )
    draw_weights(network, generator)
    with single_thread():
        losses = _train(network, x, inputs, known_, settings, generator, context)
        with torch.no_grad():
            weights = network.first_weights
            sparsity = below(weights, SPARSE).double().mean().item()
            weights[below(weights, s.prune)] = 0
        rates, latents, facts = _predict(network, x, inputs, known_)
    facts |= {"epochs": len(losses), "validation_loss": min(losses), "sparsity": sparsity}
    # A rounding in the first steps moves the loss by a tenth within a few epochs: at the start each
    # batch norm multiplies differences by 5 to 9, the first one, where units hardly vary, by up to
    # 1 / √ε = 316, and Adam takes large steps. float64 delays it by an epoch at most.
    facts["build_bound"] = True
    return ZipoFit(rates, latents, facts)


def _train(
    network: ZipoNetwork,
    x: Tensor,
    inputs: Tensor,
    known: Tensor,
    settings: ZipoSettings,
    generator: torch.Generator,
    context: Context,
) -> list[float]:
    """Train in place, to the weights with the best validation loss; return that of each epoch."""
    order = torch.randperm(len(x), generator=generator)
    n_validation = min(max(1, round(settings.validation * len(x))), len(x) - 2)
    held_out, training = order[:n_validation], order[n_validation:]
    # Batches of equal size, because batch norm cannot learn from a single cell left over.
    n_steps = max(1, round(len(training) / settings.batch_size))
    if settings.library_start == "mean":
        mean = x[training].sum(dim=1).mean()
        torch.nn.init.constant_(network.library[-1].bias, float(mean.clamp(min=1).log()))  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, fused=True)
    pace, losses = ZipoPace(settings), list[float]()
    best = [tensor.clone() for tensor in network.state_dict().values()]
    for epoch in range(settings.epochs):
        for group in optimizer.param_groups:
            group["lr"] = pace.rate
        shuffled = training[torch.randperm(len(training), generator=generator)]
        network.train()
        for cells in shuffled.tensor_split(n_steps):
            optimizer.zero_grad()
            heads = network(inputs[cells], known[cells])
            loss(heads, x[cells].double(), network.first_weights, settings).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        losses.append(_validate(network, x, inputs, known, held_out, settings))
        context.progress(epoch + 1, settings.epochs)
        goes_on = pace.goes_on_after(losses[-1])
        if pace.improved:
            for kept, tensor in zip(best, network.state_dict().values(), strict=True):
                kept.copy_(tensor)
        if not goes_on:
            break
    for kept, tensor in zip(best, network.state_dict().values(), strict=True):
        tensor.copy_(kept)
    return losses


def loss(heads: Heads, x: Tensor, first_weights: Tensor, settings: ZipoSettings) -> Tensor:
    """Return the loss of II-E, with the penalty of III-F for the negative binomial.

    The log-likelihood of a cell is the sum over its genes; E is the mean over cells or entries.

    Parameters
    ----------
    heads
        The network's output for these cells.
    x
        Their counts, (cells, genes) float64.
    first_weights
        W, (neurons, genes).
    """
    r = heads.r.double()
    theta = None if heads.theta is None else heads.theta.double()
    total = -log_likelihood(x, r, heads.log_m, theta).sum(dim=1).mean()
    total = total + settings.alpha_z * torch.sigmoid(r).square().mean()
    total = total + settings.alpha_w * weight_ratio(first_weights)
    if theta is not None:
        total = total + settings.alpha_theta * theta.square().mean()
        difference = heads.log_l.double().exp().squeeze(1) - x.sum(dim=1)
        total = total + settings.alpha_l * difference.square().mean()
    return total


def _validate(
    network: ZipoNetwork,
    x: Tensor,
    inputs: Tensor,
    known: Tensor,
    cells: Tensor,
    settings: ZipoSettings,
) -> float:
    network.eval()
    total = 0.0
    with torch.no_grad():
        for block in cells.split(_CELLS_PER_BLOCK):  # type: ignore[no-untyped-call]
            heads = network(inputs[block], known[block])
            value = loss(heads, x[block].double(), network.first_weights, settings)
            total += value.item() * len(block)
    return total / len(cells)


def _predict(
    network: ZipoNetwork, x: Tensor, inputs: Tensor, known: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Any]]:
    network.eval()
    rates, latents = torch.empty_like(x), []
    likelihood = inflation = 0.0
    with torch.no_grad():
        for cells in torch.arange(len(x)).split(_CELLS_PER_BLOCK):  # type: ignore[no-untyped-call]
            heads = network(inputs[cells], known[cells])
            rates[cells], r = heads.log_m.exp().float(), heads.r.double()
            latents.append(heads.latents)
            theta = None if heads.theta is None else heads.theta.double()
            likelihood += log_likelihood(x[cells].double(), r, heads.log_m, theta).sum().item()
            inflation += torch.sigmoid(r).sum().item()
    facts = {"log_likelihood": likelihood / len(x), "zero_inflation": inflation / x.numel()}
    return rates.numpy(), torch.cat(latents).numpy(), facts
