"""scvi-tools called so that seed, threads, files and progress are ours to decide."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anndata
import lightning
import numpy as np
import scipy.sparse as sp
import scvi
import torch
from impbench_plugins.maskclass.network import single_thread
from numpy.typing import NDArray

from impbench import Context, Observed

if TYPE_CHECKING:
    from . import Scvi


class Progress(lightning.pytorch.callbacks.Callback):  # type: ignore[misc]
    """Passes on the epochs done; what `Context.progress` raises ends the training."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Report one more epoch."""
        self._context.progress(trainer.current_epoch + 1, trainer.max_epochs)


def run(
    imputer: Scvi, observed: Observed, library_size: NDArray[np.float64], context: Context
) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Any]]:
    """Train scVI and ask it for normalised expression and latent means; on one thread.

    Parameters
    ----------
    imputer
        Its parameters.
    observed
        Counts, and batches where the parameters ask for them.
    library_size
        (cells,), by which normalised expression is multiplied.

    Returns
    -------
    Count-scale expression, (cells, genes); latent means, (cells, latents); facts for `info`.
    """
    counts = sp.csr_matrix(observed.counts, dtype=np.float32)
    cells = anndata.AnnData(counts)
    batch_key = "batch" if imputer.covariates == "batch" else None
    if batch_key is not None:
        cells.obs[batch_key] = np.asarray(observed.batch)
    with single_thread(), _seeded(context.seed), _quiet():
        scvi.model.SCVI.setup_anndata(cells, batch_key=batch_key)
        model = scvi.model.SCVI(
            cells,
            n_hidden=imputer.n_hidden,
            n_latent=imputer.n_latent,
            n_layers=imputer.n_layers,
            dropout_rate=imputer.dropout_rate,
            dispersion=imputer.dispersion,
            gene_likelihood=imputer.gene_likelihood,
        )
        model.train(
            max_epochs=imputer.epochs,
            accelerator="cpu",
            batch_size=imputer.batch_size,
            plan_kwargs={"lr": imputer.learning_rate},
            callbacks=[Progress(context)],
            # Nothing is written there, but the default would be a folder of scvi-tools' own.
            default_root_dir=str(context.scratch or "."),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        # library_size=1 leaves the share of each gene, which sums to 1 in every cell.
        share = model.get_normalized_expression(
            library_size=1, n_samples=imputer.n_samples, return_numpy=True
        )
        latent = model.get_latent_representation()
        elbo = -float(model.get_elbo())
    expression = share * library_size[:, None]
    facts = {"epochs": model.trainer.current_epoch, "elbo": elbo, "scvi_tools": scvi.__version__}
    return expression.astype(np.float32), latent.astype(np.float32), facts


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the generators that scvi-tools draws from, all of them global; restore them afterwards.

    Its public switch, `scvi.settings.seed`, would also leave CUDA options and environment variables
    behind; the private attribute decides which cells validate.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    setting = scvi.settings._seed
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)
    scvi.settings._seed = seed % 2**32
    try:
        yield
    finally:
        scvi.settings._seed = setting
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence advice about devices and data loaders, which names nothing a user can change here."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "scvi")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
