"""How DeepImpute's networks are trained, side by side until one early stop, and then predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from impbench_plugins.keras_adam import adam
from impbench_plugins.keras_pace import Pace

from .network import Float32, Network

_CELLS_PER_BLOCK = 1024


@dataclass(frozen=True)
class Schedule:
    """When and how fast to learn; the defaults are the published ones."""

    epochs: int = 500
    batch_size: int = 64
    learning_rate: float = 1e-4
    early_stop: int = 5

    @property
    def reduce_lr(self) -> int:
        """Never: the learning rate stays."""
        return self.epochs + 1


def train(
    networks: Sequence[Network],
    log_counts: Float32,
    n_validating: int,
    schedule: Schedule,
    rng: np.random.Generator,
    progress: Callable[[int, int], None],
) -> list[float]:
    """Train in place; return the validation loss, a sum over the networks, after each epoch.

    `n_validating` cells, drawn at random, validate. The last weights stand, not the best.
    `progress` may raise to stop.

    Parameters
    ----------
    log_counts
        ln(1 + count), (cells, genes).
    """
    drawn = rng.permutation(len(log_counts))
    validating, training = log_counts[drawn[:n_validating]], drawn[n_validating:]
    averages = [np.zeros((2, network.parameters.flat.size), np.float32) for network in networks]
    pace, losses, step = Pace(schedule), [], 0
    for epoch in range(schedule.epochs):
        order = rng.permutation(training)
        for start in range(0, len(order), schedule.batch_size):
            batch = log_counts[order[start : start + schedule.batch_size]]
            step += 1
            for network, (m, v) in zip(networks, averages, strict=True):
                network.backpropagate(batch)
                adam(network.parameters.flat, network.gradients.flat, m, v, step, pace.rate)
        losses.append(sum(network.loss(validating) for network in networks))
        progress(epoch + 1, schedule.epochs)
        if not pace.goes_on_after(losses[-1]):
            break
    return losses


def predict(networks: Sequence[Network], log_counts: Float32) -> Float32:
    """Return the predicted counts of the networks' targets and the observed ones of other genes.

    A gene that is predicted more than once gets the mean. Predictions of ln(1 + count) above twice
    the largest observed one become 0.

    Parameters
    ----------
    log_counts
        ln(1 + count), (cells, genes).

    Returns
    -------
    (cells, genes) float32.
    """
    targets = np.concatenate([network.block.targets for network in networks])
    times = np.bincount(targets, minlength=log_counts.shape[1])
    predicted = np.flatnonzero(times)
    # Products with it take the mean of what is predicted for a gene.
    weights = (1 / times[targets]).astype(np.float32)
    to_genes = sp.csr_matrix((weights, (np.arange(len(targets)), targets)))[:, predicted]
    limit = 2 * log_counts.max()
    result = log_counts.copy()
    for start in range(0, len(log_counts), _CELLS_PER_BLOCK):
        cells = slice(start, start + _CELLS_PER_BLOCK)
        outputs = np.hstack([network.predict(log_counts[cells]) for network in networks])
        means = outputs @ to_genes
        result[cells, predicted] = np.where(means <= limit, means, 0)
    return np.expm1(result, out=result)
