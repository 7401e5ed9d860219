"""DCA, the deep count autoencoder: denoised means under a count likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import InputError

__all__ = ["Dca"]


@dataclass(frozen=True)
class Dca(Imputer):
    """Autoencoder whose output is the mean of a negative binomial (Eraslan et al. 2019).

    Every entry is replaced by the mean, times the cell's size factor: library size over the median
    library size. Genes and cells without counts take no part and come back as zeros.
    """

    name = "dca"
    summary = "Deep count autoencoder with a negative binomial likelihood"
    citation = (
        "Eraslan et al. (2019), Single-cell RNA-seq denoising using a deep count autoencoder, "
        "Nature Communications 10:390"
    )
    gives = ("expression", "embedding")
    stochastic = True
    packages = ("numba",)

    type: Literal["nb-conddisp", "nb", "zinb", "zinb-conddisp", "poisson"] = parameter(
        "nb-conddisp",
        "Likelihood: Poisson, negative binomial (nb), zero-inflated (zinb); conddisp: a dispersion "
        "for every entry instead of one per gene.",
    )
    train_dropout: bool = parameter(
        False,
        "Train the dropout head of zinb, as the paper has it; the published code leaves it at its "
        "first random weights. zinb-conddisp always trains it.",
    )
    hidden_size: tuple[int, ...] = parameter(
        (64, 32, 64), "Widths of the hidden layers; the middle one is the bottleneck.", min=1
    )
    epochs: int = parameter(300, "Most passes over the training cells.", min=1)
    batch_size: int = parameter(32, "Cells per mini-batch.", min=1)
    learning_rate: float = parameter(1e-3, "RMSprop's learning rate.", min=0)
    reduce_lr: int = parameter(
        10, "Epochs without improvement until the learning rate falls to a tenth.", min=1
    )
    early_stop: int = parameter(15, "Epochs without improvement until training stops.", min=1)
    clip_grad: float = parameter(5.0, "Bound on each element of the gradient.", min=0)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if not self.hidden_size:
            raise InputError(
                "dca: hidden_size is empty; give at least one width, such as [64,32,64]"
            )

    def prepare(self, context: Context) -> None:
        """Compile the likelihood and the loops of training, or load them from numba's cache."""
        counts = np.random.default_rng(0).poisson(2, (6, 3)) + 1
        Dca(type=self.type, epochs=1).impute(Observed.from_counts(counts), Context())

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed`, then denoise it.

        Returns
        -------
        Count-scale means, the linear output of the bottleneck as embedding (0 for empty cells), and
        in `info` how long and how well it trained.

        Raises
        ------
        InputError
            If fewer than two cells have counts.
        """
        from impbench_plugins.shared.keras_training import KerasSchedule
        from impbench_plugins.shared.same_fields import same_fields
        from threadpoolctl import threadpool_limits

        from .likelihood import NOISE
        from .network import DcaNetwork
        from .training import DcaTrainingSet, denoise, train

        cells = np.flatnonzero(observed.counts.sum(axis=1))
        genes = np.flatnonzero(observed.counts.sum(axis=0))
        if len(cells) < 2:
            raise InputError(
                f"dca needs at least 2 cells with counts, one to train and one to validate on; got "
                f"{len(cells)}"
            )
        rng = np.random.default_rng(context.seed)
        # One thread: sums always run in the same order, and products this small gain nothing.
        with threadpool_limits(1):
            counts = observed.counts[cells][:, genes]
            data = DcaTrainingSet.prepare(counts.toarray() if sp.issparse(counts) else counts)
            train_dropout = self.train_dropout or self.type == "zinb-conddisp"
            network = DcaNetwork(len(genes), self.hidden_size, NOISE[self.type], rng, train_dropout)
            schedule = same_fields(KerasSchedule, self)
            losses = train(network, data, schedule, self.clip_grad, rng, context.progress)
            mean, bottleneck = denoise(network, data)
        expression = np.zeros((observed.n_cells, observed.n_genes), dtype=np.float32)
        expression[np.ix_(cells, genes)] = mean
        embedding = np.zeros((observed.n_cells, bottleneck.shape[1]), dtype=np.float32)
        embedding[cells] = bottleneck
        info: dict[str, Any] = {"epochs": len(losses), "validation_loss": losses[-1]}
        return Imputed(expression, "counts", embedding=embedding, info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer DCA, ours and its authors'."""
    from .original import DcaOriginal

    return [Dca, DcaOriginal]
