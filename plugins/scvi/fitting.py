"""Train a model of scvi-tools on the cells and take what it says of them; needs scvi-tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anndata
import numpy as np
import scipy.sparse as sp
import scvi
from impbench_plugins.shared.torch_networks import single_thread

from impbench import Context, Imputed, Observed, scale
from impbench.errors import InputError

from .surroundings import Progress, quiet, seeded


@dataclass(frozen=True)
class ScviTraining:
    """How the model is trained and asked; the parameters of the methods that concern it."""

    covariates: str
    epochs: int | None
    batch_size: int
    learning_rate: float
    n_samples: int


def fitted(
    model_class: str,
    network: dict[str, Any],
    training: ScviTraining,
    observed: Observed,
    context: Context,
    name: str,
) -> Imputed:
    """Train `scvi.model.<model_class>(cells, **network)` and take the cells' expected expression.

    Returns
    -------
    Count-scale expression, the latent means as embedding, and in `info` the number of epochs, the
    version of scvi-tools and the evidence lower bound of the last epoch, per cell.

    Raises
    ------
    InputError
        If there are cells without counts, fewer than two cells, or no batches where they are asked
        for; the message begins with `name`.
    """
    library_size = scale.library_sizes(observed.counts)
    if observed.n_cells < 2 or (library_size == 0).any():
        empty = int((library_size == 0).sum())
        raise InputError(
            f"{name} needs at least 2 cells, and counts in every one of them; got "
            f"{observed.n_cells} cells, {empty} of them empty; leave those out"
        )
    if training.covariates == "batch" and observed.batch is None:
        raise InputError(
            f"{name}: covariates=batch, but the data hold no batches; leave covariates out"
        )
    cells = anndata.AnnData(sp.csr_matrix(observed.counts, dtype=np.float32))
    batch_key = "batch" if training.covariates == "batch" else None
    if batch_key is not None:
        cells.obs[batch_key] = np.asarray(observed.batch)
    with single_thread(), seeded(context.seed), quiet():
        kind = getattr(scvi.model, model_class)
        kind.setup_anndata(cells, batch_key=batch_key)
        model = kind(cells, **network)
        model.train(
            max_epochs=training.epochs,
            accelerator="cpu",
            batch_size=training.batch_size,
            plan_kwargs={"lr": training.learning_rate},
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
            library_size=1, n_samples=training.n_samples, return_numpy=True
        )
        latent = model.get_latent_representation()
        info: dict[str, Any] = {
            "epochs": model.trainer.current_epoch,
            "elbo": -float(model.get_elbo()),
            "scvi_tools": scvi.__version__,
        }
    expression = (share * library_size[:, None]).astype(np.float32)
    return Imputed(expression, "counts", embedding=latent.astype(np.float32), info=info)
