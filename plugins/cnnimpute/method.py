"""cnnImpute from counts to imputed counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from impbench_plugins.maskclass.network import single_thread
from numpy.typing import NDArray

from .blocks import Block, make_blocks
from .dropouts import dropout_matrix
from .groups import find_groups
from .network import Network, Shape
from .training import Schedule, predict, train


@dataclass(frozen=True)
class Settings:
    """The parameters of the imputer, see there."""

    n_clusters: int | None
    logarithm: bool
    threshold: float
    max_missing: float
    n_correlated: int
    block_size: int
    pooling: Literal["average", "max"]
    output: Literal["relu", "linear"]
    dropout_rate: float
    epochs: int
    batch_size: int
    learning_rate: float
    early_stop: int


@dataclass(frozen=True)
class Done:
    """What came of it.

    Attributes
    ----------
    counts, imputed
        (cells, genes), the counts after imputation and which were imputed.
    labels, coordinates
        (cells,) groups and (cells, 3) t-SNE.
    n_targets
        Genes with a dropout.
    blocks, losses
        The blocks and each one's validation losses, by epoch.
    """

    counts: NDArray[np.float64]
    imputed: NDArray[np.bool_]
    labels: NDArray[np.intp]
    coordinates: NDArray[np.float64]
    n_targets: int
    blocks: list[Block]
    losses: list[list[float]]


def impute_counts(
    counts: NDArray[Any],
    settings: Settings,
    seed: int,
    progress: Callable[[int, int], None],
) -> Done:
    """Impute; no cell is empty.

    Parameters
    ----------
    counts
        (cells, genes).
    seed
        For t-SNE, the first weights, the order of the cells and the dropout layer.
    progress
        Gets done and total steps, and may raise to stop.
    """
    per_million = counts * (1e6 / counts.sum(axis=1, dtype=np.float64))[:, None]
    values = np.log1p(per_million)
    progress(0, 100)
    labels, coordinates = find_groups(values, settings.n_clusters, seed)
    progress(10, 100)
    missing = dropout_matrix(counts, labels) > settings.threshold
    if not settings.logarithm:
        values = per_million
    blocks = make_blocks(
        values, missing, settings.block_size, settings.n_correlated, settings.max_missing
    )
    filled, imputed, losses = values.copy(), np.zeros(missing.shape, dtype=bool), []
    generator = torch.Generator().manual_seed(seed)
    with single_thread():
        for i, block in enumerate(blocks):

            def trained(epoch: int, before: int = i * settings.epochs) -> None:
                progress(10 + 90 * (before + epoch) // (len(blocks) * settings.epochs), 100)

            predicted, validation_losses = _predict_block(
                values, missing, block, settings, generator, trained
            )
            here = missing[:, block.targets]
            imputed[:, block.targets] = here
            filled[:, block.targets] = np.where(here, predicted, filled[:, block.targets])
            losses.append(validation_losses)
    progress(100, 100)
    if settings.logarithm:
        filled = np.expm1(np.minimum(filled, np.log1p(1e6)))
    # No gene has less than no count, or more than all of them.
    back = np.clip(filled, 0, 1e6) * (counts.sum(axis=1, dtype=np.float64) / 1e6)[:, None]
    return Done(
        counts=np.where(imputed, back, counts),
        imputed=imputed,
        labels=labels,
        coordinates=coordinates,
        n_targets=int(missing.any(axis=0).sum()),
        blocks=blocks,
        losses=losses,
    )


def _predict_block(
    values: NDArray[np.float64],
    missing: NDArray[np.bool_],
    block: Block,
    settings: Settings,
    generator: torch.Generator,
    progress: Callable[[int], None],
) -> tuple[NDArray[np.float32], list[float]]:
    """Train the block's network; return predictions of its targets, and validation losses."""
    shape = Shape(
        input_length=block.input_length,
        n_inputs=len(block.inputs),
        n_targets=block.size,
        pooling=settings.pooling,
        output=settings.output,
        dropout_rate=settings.dropout_rate,
    )
    schedule = Schedule(**{f.name: getattr(settings, f.name) for f in fields(Schedule)})
    network = Network(shape, generator)
    inputs = torch.from_numpy(block.input_values(values))
    targets = torch.from_numpy(block.target_values(values, missing))
    losses = train(network, inputs, targets, schedule, generator, progress)
    return predict(network, inputs)[:, : len(block.targets)], losses
