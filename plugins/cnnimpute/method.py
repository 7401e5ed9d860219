"""cnnImpute from counts to imputed counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from impbench_plugins.shared.keras_training import KerasSchedule
from impbench_plugins.shared.same_fields import same_fields
from impbench_plugins.shared.torch_networks import single_thread
from numpy.typing import NDArray

from .blocks import ConvolutionBlock, make_blocks
from .dropouts import dropout_matrix
from .groups import find_groups
from .network import CnnImputeNetwork, Shape
from .training import predict, train


@dataclass(frozen=True)
class CnnImputeSettings:
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
    blocks: list[ConvolutionBlock]
    losses: list[list[float]]


def impute_counts(
    counts: NDArray[Any],
    settings: CnnImputeSettings,
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

            def trained(epoch: int, most: int, i: int = i) -> None:
                progress(10 + 90 * (i * most + epoch) // (len(blocks) * most), 100)

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
    block: ConvolutionBlock,
    settings: CnnImputeSettings,
    generator: torch.Generator,
    progress: Callable[[int, int], None],
) -> tuple[NDArray[np.float32], list[float]]:
    """Train the block's network; return predictions of its targets, and validation losses."""
    shape = same_fields(
        Shape,
        settings,
        input_length=block.input_length,
        n_inputs=len(block.inputs),
        n_targets=block.size,
    )
    network = CnnImputeNetwork(shape, generator)
    inputs = torch.from_numpy(block.input_values(values))
    targets = torch.from_numpy(block.target_values(values, missing))
    schedule = same_fields(KerasSchedule, settings)
    losses = train(network, inputs, targets, schedule, generator, progress)
    return predict(network, inputs)[:, : len(block.targets)], losses
