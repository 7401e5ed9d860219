"""scVI, a variational autoencoder of counts, and its linear form, through scvi-tools."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import ClassVar, Literal

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter
from impbench.errors import UnavailableError

__all__ = ["Scvi", "ScviLd"]


def lack_of_scvi_tools() -> str | None:
    """Return what is missing and the line that installs it, or nothing."""
    if importlib.util.find_spec("scvi") is None:
        return "scvi-tools is not installed: pip install 'scvi-tools>=1.1'"
    return None


class ScviTools(Imputer):
    """What the models of scvi-tools have in common; their parameters are their own."""

    gives = ("expression", "embedding")
    stochastic = True
    packages = ("anndata", "lightning", "numba", "scikit-learn", "scvi-tools", "torch")

    model: ClassVar[str]
    """Name of the class in `scvi.model`."""
    network: ClassVar[tuple[str, ...]]
    """Parameters that the class takes; the others say how it is trained and asked."""

    @classmethod
    def unavailable(cls) -> str | None:
        """Say so where scvi-tools is not installed."""
        return lack_of_scvi_tools()

    def prepare(self, context: Context) -> None:
        """Import scvi-tools, which takes seconds.

        Raises
        ------
        UnavailableError
            If it is not installed.
        """
        if lack := self.unavailable():
            raise UnavailableError(f"{self.name} cannot run: {lack}")
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
        from impbench_plugins.shared.same_fields import same_fields

        from .fitting import ScviTraining, fitted

        network = {name: getattr(self, name) for name in self.network}
        training = same_fields(ScviTraining, self)
        return fitted(self.model, network, training, observed, context, self.name)


@dataclass(frozen=True)
class Scvi(ScviTools):
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
    model = "SCVI"
    network = ("n_hidden", "n_latent", "n_layers", "dropout_rate", "dispersion", "gene_likelihood")

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


@dataclass(frozen=True)
class ScviLd(ScviTools):
    """scVI with a linear decoder (Svensson et al. 2020), scvi-tools' LinearSCVI.

    A gene's share is the softmax of a linear map of the latents: each latent is a factor with one
    loading per gene. Output as that of `Scvi`. Each gene has one dispersion.
    """

    name = "scvi-ld"
    summary = "scVI with a linear decoder, so that latents have loadings (scvi-tools)"
    citation = (
        "Svensson et al. (2020), Interpretable factor models of single-cell RNA-seq via "
        "variational autoencoders, Bioinformatics 36:3418-3421; Gayoso et al. (2022), A Python "
        "library for probabilistic analysis of single-cell omics data, Nature Biotechnology "
        "40:163-166"
    )
    model = "LinearSCVI"
    network = ("n_hidden", "n_latent", "n_layers", "dropout_rate", "gene_likelihood")

    gene_likelihood: Literal["zinb", "nb", "poisson"] = parameter(
        "nb", "Distribution of the counts."
    )
    n_latent: int = parameter(10, "Dimensions of the latent space.", min=1)
    n_hidden: int = parameter(128, "Width of the encoder's hidden layers.", min=1)
    n_layers: int = parameter(1, "Hidden layers of the encoder.", min=1)
    dropout_rate: float = parameter(0.1, "Share of hidden units dropped.", min=0, max=0.99)
    covariates: Literal["none", "batch"] = parameter(
        "none", "batch tells the model the batch of each cell."
    )
    epochs: int | None = parameter(
        None, "Passes over the cells; none: scvi-tools' rule, min(400, 8 million / cells).", min=1
    )
    batch_size: int = parameter(128, "Cells per mini-batch.", min=2)
    learning_rate: float = parameter(1e-3, "Adam's learning rate.", min=0)
    n_samples: int = parameter(
        1, "Draws from the posterior over which normalised expression is averaged.", min=1
    )


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    """Offer both, also where scvi-tools is missing: the list then says what installs it."""
    return [Scvi, ScviLd]
