"""ZiPo's network: residual encoder, library-size head and linear decoder (II-C, Fig. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax


@dataclass(frozen=True)
class Heads:
    """What the network says of some cells.

    Attributes
    ----------
    latents
        U, (cells, latents).
    log_l
        ln l, the predicted library size, (cells, 1).
    r
        logit z, the probability of zero inflation, (cells, genes).
    log_mu
        ln μ, the genes' shares, which sum to 1 in every cell, (cells, genes).
    theta
        θ, (cells, genes), or None for Poisson.
    """

    latents: Tensor
    log_l: Tensor
    r: Tensor
    log_mu: Tensor
    theta: Tensor | None

    @property
    def log_m(self) -> Tensor:
        """The expected counts: ln m = ln l + ln μ, (cells, genes) float64."""
        return self.log_l.double() + self.log_mu.double()


class ZipoNetwork(nn.Module):
    """Encoder blocks of Linear, sigmoid and batch norm; every head is linear in the latents.

    With residuals, the last block's linear layer sums up linear maps of the outputs of all earlier
    blocks instead of the last one alone. Added behind the batch norm of the latents U, they would
    leave U unbounded and the log-softmax with one gene. Known covariates U′ stand beside the
    latents: V = [U, U′].

    Parameters
    ----------
    n_genes, n_known
        Genes, and known covariates.
    encoder
        Widths of the encoder's blocks, the last that of the latents.
    library_layers
        Widths of the layers before the library size; batch norm and sigmoid follow each.
    """

    def __init__(
        self,
        n_genes: int,
        n_known: int,
        encoder: Sequence[int],
        library_layers: Sequence[int],
        residuals: bool,
        negative_binomial: bool,
    ) -> None:
        super().__init__()
        widths = [n_genes, *encoder]
        self.linear = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in encoder)
        self.residuals = nn.ModuleList(
            nn.Linear(width, encoder[-1], bias=False) for width in encoder[:-2] if residuals
        )
        n_encoded = encoder[-1] + n_known
        widths = [n_encoded, *library_layers]
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.Sigmoid()]
        self.library = nn.Sequential(*layers, nn.Linear(widths[-1], 1))
        self.zero_inflation = nn.Linear(n_encoded, n_genes)
        self.rates = nn.Linear(n_encoded, n_genes)
        self.theta = nn.Linear(n_encoded, n_genes) if negative_binomial else None

    def forward(self, inputs: Tensor, known: Tensor) -> Heads:
        """Return the heads for inputs of (cells, genes) and covariates of (cells, n_known)."""
        outputs: list[Tensor] = []
        for linear, norm in zip(self.linear, self.norms, strict=True):
            inputs = linear(inputs)
            if len(outputs) == len(self.norms) - 1:
                for layer, output in zip(self.residuals, outputs, strict=False):
                    inputs = inputs + layer(output)
            inputs = norm(torch.sigmoid(inputs))
            outputs.append(inputs)
        latents = outputs[-1]
        v = torch.cat([latents, known], dim=1)
        return Heads(
            latents,
            self.library(v),
            self.zero_inflation(v),
            log_softmax(self.rates(v), dim=1),
            None if self.theta is None else self.theta(v),
        )

    @property
    def first_weights(self) -> Tensor:
        """W of the first layer, (neurons, genes)."""
        return self.linear[0].weight  # type: ignore[return-value]


def weight_ratio(weights: Tensor) -> Tensor:
    """L1 / L2 of every neuron's weights, the mean over neurons (II-E).

    It does not change when a neuron's weights are scaled, which batch norm would undo; it is 1 for
    equal weights and 1/√G where one gene alone counts.

    Parameters
    ----------
    weights
        W, (neurons, genes).
    """
    return _WeightRatio.apply(weights)  # type: ignore[no-any-return, no-untyped-call]


class _WeightRatio(torch.autograd.Function):
    """The ratio with its gradient written out: autograd passes over the weights thrice as often."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor) -> Tensor:
        l1, l2 = (torch.linalg.vector_norm(weights, order, dim=1, keepdim=True) for order in (1, 2))
        ctx.save_for_backward(weights, l1, l2)
        ratio: Tensor = (l1 / l2).mean() / sqrt(weights.shape[1])
        return ratio

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        weights, l1, l2 = ctx.saved_tensors
        scale = gradient / (weights.shape[0] * sqrt(weights.shape[1]))
        slope: Tensor = torch.copysign(scale / l2, weights)
        return slope.addcmul_(weights, -scale * l1 / l2**3)


def below(weights: Tensor, share: float) -> Tensor:
    """Tell which weights lie below a share δ of their neuron's largest, (neurons, genes)."""
    magnitude = weights.abs()
    return magnitude < share * magnitude.amax(dim=1, keepdim=True)
