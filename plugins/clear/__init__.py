"""CLEAR: an embedding of cells, in which corrupted views of the same cell lie close together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["Clear"]


@dataclass(frozen=True)
class Clear(Imputer):
    """Momentum contrast of corrupted cells (Han et al. 2022), made for clustering.

    An encoder learns to tell which of many keys belongs to another view of the same cell; the key's
    encoder follows it slowly and gives every cell 128 coordinates, none negative, of length 1. It
    imputes nothing. The published learning rate leaves it near its random start; the authors'
    worked example is ``clear[learning_rate=1,schedule=cosine]``.
    """

    name = "clear"
    version = "2"
    summary = "Momentum contrast of corrupted cells, made for clustering"
    citation = (
        "Han, Cheng, Chen et al. (2022), Self-supervised contrastive learning for integrative "
        "single cell RNA-seq data analysis, Briefings in Bioinformatics 23(5):bbac377"
    )
    gives = ("embedding",)
    stochastic = True
    devices = ("cpu", "cuda")
    packages = ("anndata", "numba", "scanpy", "torch")

    log_above: float = parameter(
        100.0,
        "Logarithms are taken, and genes chosen, where some count is larger; 0: always.",
        min=0,
    )
    choose_above: int = parameter(
        2000, "Genes are chosen where there are more; 0: always (the program).", min=0
    )
    hidden: int = parameter(1024, "Width of the encoder's first layer.", min=1)
    embedding: int = parameter(128, "Coordinates of a cell.", min=1)
    temperature: float = parameter(
        0.2, "By which similarities are divided in the loss.", min=1e-3, symbol="T"
    )
    momentum: float = parameter(
        0.999, "Share of its own weights that the key's encoder keeps.", min=0, max=1, symbol="m"
    )
    learning_rate: float = parameter(
        0.005, "Of stochastic gradient descent; the authors' worked example has 1.", min=0
    )
    schedule: Literal["constant", "cosine"] = parameter(
        "constant",
        "Whether the learning rate stays, or falls to 0 as half a cosine (worked example).",
    )
    epochs: int = parameter(100, "Passes over the cells.", min=1)
    batch_size: int = parameter(
        512, "Cells per mini-batch; a last one that is not full is left out.", min=1
    )
    queue: int = parameter(
        1024, "Keys that each cell's own is told from; a multiple of batch_size.", min=1, symbol="r"
    )
    whole_below: int = parameter(
        512, "Fewer cells make one mini-batch, and the queue is as long.", min=0
    )
    chance: float = parameter(0.5, "Of each of the five corruptions of a view.", min=0, max=1)
    masked: float = parameter(0.2, "Share of genes set to 0.", min=0, max=1)
    noisy: float = parameter(0.8, "Share of genes that get noise.", min=0, max=1)
    noise_sd: float = parameter(
        0.5, "Of the noise; the program ignores the 0.2 of its settings.", min=0
    )
    swapped: float = parameter(0.1, "Share of genes that change places in the cell.", min=0, max=1)
    crossed: float = parameter(0.25, "Share of genes exchanged with one other cell.", min=0, max=1)
    mutated: float = parameter(
        0.25, "Share of genes taken from other cells, each from its own.", min=0, max=1
    )

    def prepare(self, context: Context) -> None:
        """Import PyTorch with its optimisers and scanpy, and compile the corruptions."""
        import scanpy  # noqa: F401

        counts = np.random.default_rng(0).poisson(2, (4, 6)) + 1
        tiny = Clear(epochs=1, hidden=4, embedding=2)
        tiny.impute(Observed.from_counts(counts), Context(device=context.device))

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed`, then encode it.

        Returns
        -------
        Coordinates, (cells, embedding) float32, and in `info` the number of genes the network saw,
        whether logarithms were taken, and the loss of the first and the last epoch.

        Raises
        ------
        InputError
            If there are fewer than two cells, no counts, no full mini-batch or no gene chosen, or
            the queue does not hold whole mini-batches.
        UnavailableError
            If CUDA is asked for and absent.
        """
        from impbench_plugins.shared.same_fields import same_fields
        from impbench_plugins.shared.torch_device import choose_device

        from .input import prepare_input
        from .training import ClearSettings, run

        device = choose_device(context.device)
        self._must_fit(observed)
        seen = prepare_input(observed.counts, self.log_above, self.choose_above)
        if not len(seen.genes):
            raise InputError(
                "clear chooses genes in 3 cells or more, of a mean log of 0.0125 to 3 and a "
                f"normalised dispersion of 0.5, and none of {observed.n_genes} is such a one: "
                f"choose_above={observed.n_genes} takes all"
            )
        settings = same_fields(ClearSettings, self)
        fit = run(seen.values, settings, context.seed, device, context.progress)
        info = {
            "genes_seen": len(seen.genes),
            "logged": seen.logged,
            "first_loss": fit.losses[0],
            "last_loss": fit.losses[-1],
        }
        return Imputed(embedding=fit.embedding, info=info)

    def _must_fit(self, observed: Observed) -> None:
        n_cells = observed.n_cells
        if n_cells < 2 or observed.n_genes == 0 or observed.counts.sum() == 0:
            raise InputError(
                "clear needs counts and at least 2 cells, to tell them apart; got "
                f"{n_cells} × {observed.n_genes} with {observed.counts.sum()} counts"
            )
        if n_cells < self.whole_below:
            return
        if n_cells < self.batch_size:
            raise InputError(
                f"clear leaves out a mini-batch that is not full, and {n_cells} cells do not fill "
                f"one of batch_size={self.batch_size}: choose a smaller batch_size, or a "
                "whole_below above the number of cells"
            )
        if self.queue % self.batch_size:
            raise InputError(
                f"clear's queue holds whole mini-batches, and queue={self.queue} is no multiple of "
                f"batch_size={self.batch_size}: choose another queue or batch_size (fewer cells "
                f"than whole_below={self.whole_below} need neither)"
            )


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer CLEAR."""
    return [Clear]
