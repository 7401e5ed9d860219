"""How DeepImpute's networks are trained, side by side until one early stop, and then predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
from impbench_plugins.shared.flat_weights import Float32
from impbench_plugins.shared.keras_training import CELLS_PER_BLOCK, KerasSchedule, train_by_epochs
from numpy.typing import NDArray

from .network import DeepImputeNetwork


def train(
    networks: Sequence[DeepImputeNetwork],
    log_counts: Float32,
    n_validating: int,
    schedule: KerasSchedule,
    rng: np.random.Generator,
    progress: Callable[[int, int], None],
) -> list[float]:
    """Train in place; return the validation loss, a sum over the networks, after each epoch.

    `n_validating` cells, drawn at random, validate. For `progress`, see `train_by_epochs`.

    Parameters
    ----------
    log_counts
        ln(1 + count), (cells, genes).
    """
    drawn = rng.permutation(len(log_counts))
    validating, training = log_counts[drawn[:n_validating]], drawn[n_validating:]

    def step(cells: NDArray[np.intp], rate: float) -> None:
        batch = log_counts[cells]
        for network in networks:
            network.backpropagate(batch)
            network.descend(rate)

    return train_by_epochs(
        schedule,
        lambda: rng.permutation(training),
        step,
        lambda: sum(network.loss(validating) for network in networks),
        progress,
    )


def predict(networks: Sequence[DeepImputeNetwork], log_counts: Float32) -> Float32:
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
    for start in range(0, len(log_counts), CELLS_PER_BLOCK):
        cells = slice(start, start + CELLS_PER_BLOCK)
        outputs = np.hstack([network.predict(log_counts[cells]) for network in networks])
        means = outputs @ to_genes
        result[cells, predicted] = np.where(means <= limit, means, 0)
    return np.expm1(result, out=result)
