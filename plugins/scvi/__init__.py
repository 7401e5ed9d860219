"""scVI, a variational autoencoder of counts, through its authors' own package scvi-tools."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter, scale
from impbench.errors import InputError, UnavailableError

__all__ = ["Scvi"]


@dataclass(frozen=True)
class Scvi(Imputer):
    """Variational autoencoder with a count likelihood (Lopez et al. 2018), run by scvi-tools.

    Every entry becomes the cell's normalised expression, which sums to 1, times the cell's own
    library size. scvi-tools is an extra, because it brings many packages with it.
    """

    name = "scvi"
    summary = "Variational autoencoder with a count likelihood (scvi-tools)"
    citation = (
        "Lopez et al. (2018), Deep generative modeling for single-cell transcriptomics, Nature "
        "Methods 15:1053-1058; Gayoso et al. (2022), A Python library for probabilistic analysis "
        "of single-cell omics data, Nature Biotechnology 40:163-166"
    )
    gives = ("expression", "embedding")
    stochastic = True
    packages = ("anndata", "lightning", "numba", "scikit-learn", "scvi-tools", "torch")

    gene_likelihood: Literal["zinb", "nb", "poisson"] = parameter(
        "zinb", "Distribution of the counts."
    )
    dispersion: Literal["gene", "gene-batch", "gene-cell"] = parameter(
        "gene", "What shares one dispersion."
    )
    n_latent: int = parameter(10, "Dimensions of the latent space.", min=1)
    n_hidden: int = parameter(128, "Width of the hidden layers.", min=1)
    n_layers: int = parameter(1, "Hidden layers of encoder and decoder.", min=1)
    dropout_rate: float = parameter(0.1, "Share of hidden units dropped.", min=0, max=0.99)
    covariates: Literal["none", "batch"] = parameter(
        "none", "batch tells the model the batch of each cell, as scVI's batch correction does."
    )
    epochs: int | None = parameter(
        None, "Passes over the cells; none: scvi-tools' rule, min(400, 8 million / cells).", min=1
    )
    batch_size: int = parameter(128, "Cells per mini-batch.", min=2)
    learning_rate: float = parameter(1e-3, "Adam's learning rate.", min=0)
    n_samples: int = parameter(
        1, "Draws from the posterior over which normalised expression is averaged.", min=1
    )

    @classmethod
    def unavailable(cls) -> str | None:
        """Say so where scvi-tools is not installed."""
        if importlib.util.find_spec("scvi") is None:
            return "scvi-tools is not installed: pip install 'scvi-tools>=1.1'"
        return None

    def prepare(self, context: Context) -> None:
        """Import scvi-tools, which takes seconds.

        Raises
        ------
        UnavailableError
            If it is not installed.
        """
        if lack := self.unavailable():
            raise UnavailableError(f"scvi cannot run: {lack}")
        import scvi  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Train on `observed` and take the expected expression of its cells.

        Returns
        -------
        Count-scale expression, the latent means as embedding, and in `info` the number of epochs,
        the version of scvi-tools and the evidence lower bound of the last epoch, per cell.

        Raises
        ------
        InputError
            If there are cells without counts, fewer than two cells, or no batches where they are
            asked for.
        UnavailableError
            If scvi-tools is not installed.
        """
        self.prepare(context)
        import anndata
        import scvi
        from impbench_plugins.shared.torch_networks import single_thread

        from .surroundings import Progress, quiet, seeded

        library_size = scale.library_sizes(observed.counts)
        if observed.n_cells < 2 or (library_size == 0).any():
            empty = int((library_size == 0).sum())
            raise InputError(
                "scvi needs at least 2 cells, and counts in every one of them; got "
                f"{observed.n_cells} cells, {empty} of them empty; leave those out"
            )
        if self.covariates == "batch" and observed.batch is None:
            raise InputError(
                "scvi: covariates=batch, but the data hold no batches; leave covariates out"
            )
        cells = anndata.AnnData(sp.csr_matrix(observed.counts, dtype=np.float32))
        batch_key = "batch" if self.covariates == "batch" else None
        if batch_key is not None:
            cells.obs[batch_key] = np.asarray(observed.batch)
        with single_thread(), seeded(context.seed), quiet():
            scvi.model.SCVI.setup_anndata(cells, batch_key=batch_key)
            model = scvi.model.SCVI(
                cells,
                n_hidden=self.n_hidden,
                n_latent=self.n_latent,
                n_layers=self.n_layers,
                dropout_rate=self.dropout_rate,
                dispersion=self.dispersion,
                gene_likelihood=self.gene_likelihood,
            )
            model.train(
                max_epochs=self.epochs,
                accelerator="cpu",
                batch_size=self.batch_size,
                plan_kwargs={"lr": self.learning_rate},
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
                library_size=1, n_samples=self.n_samples, return_numpy=True
            )
            latent = model.get_latent_representation()
            info: dict[str, Any] = {
                "epochs": model.trainer.current_epoch,
                "elbo": -float(model.get_elbo()),
                "scvi_tools": scvi.__version__,
            }
        expression = (share * library_size[:, None]).astype(np.float32)
        return Imputed(expression, "counts", embedding=latent.astype(np.float32), info=info)


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer scVI, also where scvi-tools is missing: the list then says what installs it."""
    return [Scvi]
