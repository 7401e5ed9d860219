"""cnnImpute from counts to imputed counts, one group of cells after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from impbench_plugins.shared.dropout_mixture import log_cpm
from impbench_plugins.shared.keras_training import KerasSchedule
from impbench_plugins.shared.same_fields import same_fields
from impbench_plugins.shared.torch_networks import single_thread
from numpy.typing import NDArray

from impbench.errors import InputError

from .blocks import BlockRules, ConvolutionBlock, make_blocks
from .dropouts import cluster_dropouts
from .network import Shape
from .training import Trainee, predict

FEWEST_GENES = 11
"""With fewer valid genes in a group the program fails."""
MILLION = 1e6
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CnnImputeSettings:
    """The parameters of the imputer, see there."""

    logarithm: bool
    network_input: Literal["counts", "cpm"]
    network: Literal["cluster", "block"]
    repeats: bool
    halve: bool
    nonzeros: bool
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
    blocks, losses
        The blocks of all groups, and each one's validation losses by epoch.
    """

    counts: Floats
    imputed: NDArray[np.bool_]
    blocks: list[ConvolutionBlock]
    losses: list[list[float]]


def impute_counts(
    counts: NDArray[Any],
    labels: NDArray[np.intp],
    settings: CnnImputeSettings,
    seed: int,
    progress: Callable[[int, int], None],
) -> Done:
    """Impute each group of cells by itself; no cell is empty.

    Parameters
    ----------
    counts
        (cells, genes).
    labels
        (cells,) groups from 0, none empty.
    seed
        For the first weights, the order of the cells and the dropout layer.
    progress
        Gets done and total steps, and may raise to stop.

    Raises
    ------
    InputError
        If a group has too few valid genes, or a full block too few genes to be predicted from.
    """
    done = Done(counts.astype(np.float64), np.zeros(counts.shape, dtype=bool), [], [])
    logs, generator = log_cpm(counts), torch.Generator().manual_seed(seed)
    n_groups = int(labels.max()) + 1
    with single_thread():
        for group in range(n_groups):

            def within(now: int, most: int, group: int = group) -> None:
                progress(group * most + now, n_groups * most)

            cells = np.flatnonzero(labels == group)
            genes, probabilities = cluster_dropouts(
                logs[cells], counts[cells] > 0, spare_nonzeros=not settings.nonzeros
            )
            _must_be_enough(len(genes), len(cells))
            missing = probabilities > settings.threshold
            scale = _Scale(counts[cells], settings)
            values = scale.to_networks(counts[np.ix_(cells, genes)])
            predicted = _predict(values, missing, settings, generator, within, done)
            rows, columns = np.nonzero(~np.isnan(predicted))
            place = cells[rows], genes[columns]
            done.counts[place] = scale.to_counts(predicted)[rows, columns]
            done.imputed[place] = True
    return done


def _must_be_enough(n_genes: int, n_cells: int) -> None:
    if n_genes < FEWEST_GENES:
        raise InputError(
            f"cnnimpute: in a cluster of {n_cells} cells dropouts and expression can be told apart "
            f"for {n_genes} genes, and the published program needs at least {FEWEST_GENES}; pass "
            "fewer clusters (n_clusters=1 puts all cells in one)"
        )


class _Scale:
    """From counts to what the networks see, and back."""

    def __init__(self, counts: NDArray[Any], settings: CnnImputeSettings) -> None:
        self._logarithm = settings.logarithm
        self._unit, self._most = np.ones((len(counts), 1)), np.inf
        if settings.network_input == "cpm":
            self._unit = counts.sum(axis=1, dtype=np.float64, keepdims=True) / MILLION
            # No gene has more than all the counts.
            self._most = MILLION

    def to_networks(self, counts: NDArray[Any]) -> Floats:
        values = counts / self._unit
        return np.asarray(np.log1p(values) if self._logarithm else values, dtype=np.float64)

    def to_counts(self, values: Floats) -> Floats:
        if self._logarithm:
            values = np.expm1(np.minimum(values, np.log1p(self._most)))
        return np.asarray(np.clip(values, 0, self._most) * self._unit)


def _predict(
    values: Floats,
    missing: NDArray[np.bool_],
    settings: CnnImputeSettings,
    generator: torch.Generator,
    progress: Callable[[int, int], None],
    done: Done,
) -> Floats:
    """Return predictions where missing, (cells, genes), NaN elsewhere; notes blocks and losses.

    Without any gene outside its blocks a group keeps its values: all are NaN.
    """
    predicted = np.full(values.shape, np.nan)
    blocks = make_blocks(values, missing, same_fields(BlockRules, settings))
    shape, schedule = same_fields(Shape, settings), same_fields(KerasSchedule, settings)
    if settings.output == "relu" and not any(len(block.inputs) for block in blocks):
        # From zeros alone the last ReLU gives zeros and passes no gradient: nothing is learned.
        done.blocks.extend(blocks)
        done.losses.extend([] for _ in blocks)
        return predicted
    trainee = None
    for i, block in enumerate(blocks):

        def trained(epoch: int, most: int, i: int = i) -> None:
            progress(i * most + epoch, len(blocks) * most)

        if trainee is None or settings.network == "block":
            trainee = Trainee(shape, schedule, len(values), generator)
        inputs = torch.from_numpy(block.input_values(values, shape.used_length(len(block.inputs))))
        targets = block.target_values(values, missing, settings.block_size)
        losses = trainee.train(inputs, torch.from_numpy(targets), trained)
        all_values = predict(trainee.network, inputs)[:, : len(block.targets)]
        here = missing[:, block.targets]
        predicted[:, block.targets] = np.where(here, all_values, np.nan)
        done.blocks.append(block)
        done.losses.append(losses)
    return predicted
