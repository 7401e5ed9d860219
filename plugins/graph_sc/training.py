"""How graph-sc is trained, and its coordinates of the cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from impbench_plugins.shared.torch_networks import single_thread
from numpy.typing import NDArray
from torch import Tensor

from .graph import CellGraph
from .network import Block, GraphWeights, encode, reconstruction_loss


@dataclass(frozen=True)
class GraphSettings:
    """Hyper-parameters; the defaults are the published code's."""

    hidden: int = 200
    embedding: int = 300
    dropout: float = 0.1
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-5


@dataclass(frozen=True)
class GraphFit:
    """What training leaves.

    Attributes
    ----------
    embedding
        (cells of the graph, embedding) float32.
    of_nothing
        (embedding,) float32, what a cell without a gene gets.
    losses
        Mean over the mini-batches of each epoch.
    training_effect
        How far training moved the embedding from what the first weights give for the same
        mini-batches: Frobenius norm of the difference over that of the embedding.
    """

    embedding: NDArray[np.float32]
    of_nothing: NDArray[np.float32]
    losses: list[float]
    training_effect: float


def run(
    graph: CellGraph,
    settings: GraphSettings,
    seed: int,
    device: str,
    progress: Callable[[int, int], None],
) -> GraphFit:
    """Train, then encode all cells; on one thread, or on a GPU.

    Every random number is drawn on the CPU. First weights and mini-batches come from the program's
    generators in its order, so that a seed starts where it starts there; its dropouts are other
    ones.

    Parameters
    ----------
    device
        ``"cpu"`` or one of CUDA.
    progress
        Gets the epochs done and their total, and may raise to stop.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = _Shuffled(len(graph.cells), settings.batch_size, seed)
    widths = (graph.gene_features.shape[1], settings.hidden, settings.embedding)
    weights = GraphWeights.draw(widths, generator, device)
    first, losses = weights.copy(), []
    # The runs that ours is held against look at the cells once before they train.
    shuffled.batches()
    trained = [tensor.requires_grad_() for tensor in weights.all()]
    optimizer = torch.optim.Adam(trained, lr=settings.learning_rate)
    with single_thread():
        for epoch in range(settings.epochs):
            found = []
            for cells in shuffled.batches():
                block = Block.of(graph, cells, device)
                kept = _dropout(block.features.shape, settings.dropout, generator, device)
                z = encode(block, weights, kept)
                z = z * _dropout(z.shape, settings.dropout, generator, device)
                loss = reconstruction_loss(z @ z.T)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                found.append(float(loss.detach()))
            losses.append(float(np.mean(found)))
            progress(epoch + 1, settings.epochs)
        embedding = np.empty((len(graph.cells), settings.embedding), np.float32)
        untrained = np.empty_like(embedding)
        with torch.no_grad():
            for cells in shuffled.batches():
                block = Block.of(graph, cells, device)
                embedding[cells] = encode(block, weights).cpu().numpy()
                untrained[cells] = encode(block, first).cpu().numpy()
            of_nothing = weights.of_nothing().cpu().numpy()
    effect = np.linalg.norm(embedding - untrained) / max(np.linalg.norm(embedding), 1e-30)
    return GraphFit(embedding, of_nothing, losses, float(effect))


class _Shuffled:
    """Mini-batches in an order that is shuffled on for each pass; the last may be smaller."""

    def __init__(self, n_cells: int, batch_size: int, seed: int) -> None:
        self._rng = np.random.RandomState(seed % 2**32)
        self._order = np.arange(n_cells)
        self._batch_size = batch_size

    def batches(self) -> list[NDArray[np.intp]]:
        self._rng.shuffle(self._order)
        steps = range(0, len(self._order), self._batch_size)
        return [self._order[start : start + self._batch_size].copy() for start in steps]


def _dropout(
    shape: torch.Size | tuple[int, ...], share: float, generator: torch.Generator, device: str
) -> Tensor:
    """Draw what dropout multiplies by: 0 for a share of the entries, 1 / (1 − share) otherwise."""
    kept = torch.empty(shape).bernoulli_(1 - share, generator=generator)
    return (kept / (1 - share)).to(device)
