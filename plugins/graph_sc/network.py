"""graph-sc's network and its loss (Ciortan & Defrance 2022; as published in code).

    H = ReLU( d_in^-½ ∘ ((W̃ (F_g ∘ d_out^-½) + F_c) A) )        graph convolution, its bias added
    Z = H B + c                                                 the embedding
    the loss asks that σ(Z Zᵀ) be the adjacency among the cells of the mini-batch

W̃, d_in and d_out are those of the mini-batch: d_out counts its cells that express a gene, d_in the
genes that a cell expresses and one for itself. As no cell sends to another, the adjacency is the
identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .graph import CellGraph


@dataclass(frozen=True)
class Block:
    """A mini-batch of cells and the genes that they express.

    Attributes
    ----------
    weights
        W̃, (cells, genes of the block).
    features
        Of the cells, then of the genes, (cells + genes, components).
    gene_scale
        d_out^-½, (genes, 1).
    cell_scale
        d_in^-½, (cells, 1).
    """

    weights: Tensor
    features: Tensor
    gene_scale: Tensor
    cell_scale: Tensor

    @classmethod
    def of(cls, graph: CellGraph, cells: NDArray[np.intp], device: str) -> Block:
        """Cut the block of these cells out of the graph."""
        rows = graph.weights[cells]
        genes, n_cells = np.unique(rows.indices, return_counts=True)
        features = np.concatenate([graph.cell_features[cells], graph.gene_features[genes]])
        gene_scale = n_cells.astype(np.float32)[:, None] ** -0.5
        cell_scale = (np.diff(rows.indptr) + 1).astype(np.float32)[:, None] ** -0.5
        arrays = (rows[:, genes].toarray(), features, gene_scale, cell_scale)
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))


@dataclass(frozen=True)
class GraphWeights:
    """A (components, hidden), its bias (hidden,), B (embedding, hidden) and c (embedding,)."""

    convolution: Tensor
    convolution_bias: Tensor
    linear: Tensor
    linear_bias: Tensor

    @classmethod
    def draw(
        cls, widths: tuple[int, int, int], generator: torch.Generator, device: str
    ) -> GraphWeights:
        """Draw A as Glorot does, B and c as PyTorch does; in the program's order, from one stream.

        Parameters
        ----------
        widths
            Components, hidden, embedding.
        """
        components, hidden, embedding = widths
        glorot, bound = (6 / (components + hidden)) ** 0.5, hidden**-0.5

        def uniform(shape: tuple[int, ...], bound: float) -> Tensor:
            return torch.empty(shape).uniform_(-bound, bound, generator=generator)

        drawn = (
            uniform((components, hidden), glorot),
            torch.zeros(hidden),
            uniform((embedding, hidden), bound),
            uniform((embedding,), bound),
        )
        return cls(*(weights.to(device) for weights in drawn))

    def all(self) -> list[Tensor]:
        """Return all four."""
        return [self.convolution, self.convolution_bias, self.linear, self.linear_bias]

    def of_nothing(self) -> Tensor:
        """Return the coordinates of a cell without a gene, (embedding,)."""
        hidden = functional.relu(self.convolution_bias)
        return functional.linear(hidden, self.linear, self.linear_bias)

    def copy(self) -> GraphWeights:
        """Return the same weights in tensors of their own."""
        return GraphWeights(*(weights.clone() for weights in self.all()))


def encode(block: Block, weights: GraphWeights, kept: Tensor | None = None) -> Tensor:
    """Return Z, (cells of the block, embedding).

    Parameters
    ----------
    kept
        What dropout multiplies the features by, of their shape; None outside training.
    """
    features = block.features if kept is None else block.features * kept
    cells, genes = features[: len(block.cell_scale)], features[len(block.cell_scale) :]
    received = block.weights @ (genes * block.gene_scale) + cells
    convolved = received @ weights.convolution * block.cell_scale
    hidden = functional.relu(convolved + weights.convolution_bias)
    return functional.linear(hidden, weights.linear, weights.linear_bias)


def reconstruction_loss(logits: Tensor) -> Tensor:
    """Cross-entropy of Z Zᵀ and the identity, its positives weighed m − 1, times m / (2 (m − 1)).

    Parameters
    ----------
    logits
        (m, m), m the cells of the mini-batch. Of one cell nothing is asked: the loss is 0.
    """
    m = len(logits)
    norm = m / (2 * (m - 1)) if m > 1 else 1.0
    target = torch.eye(m, device=logits.device)
    positives = torch.tensor(float(m - 1), device=logits.device)
    return norm * functional.binary_cross_entropy_with_logits(logits, target, pos_weight=positives)
