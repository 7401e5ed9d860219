"""DeepImpute as its authors published it, on the last TensorFlow that heeds its learning rate."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class DeepImputeOriginal(Imputer):
    """The package deepimpute 1.2 through its own class (Arisdakessian et al. 2019).

    Observed counts do not change. Genes that vary too little may come back as they are. The package
    takes the predictors of a block of genes from outside it; with no gene outside it trains on
    nothing, or the process ends, so that this is refused here. `deepimpute`, our port, then
    predicts from the block itself, as a later state of the authors' repository does.
    """

    name = "deepimpute-original"
    summary = "DeepImpute by its authors' own package, on TensorFlow 2.10"
    citation = (
        "Arisdakessian et al. (2019), DeepImpute: an accurate, fast, and scalable deep neural "
        "network method to impute single-cell RNA-seq data, Genome Biology 20:211"
    )
    version = "1.2"
    stochastic = True
    packages = ("keras", "pandas", "tensorflow")
    keeps_observed = True
    # From TensorFlow 2.11 on, Keras ignores how the package gives its learning rate, and takes ten
    # times as much. It asks for "sklearn", whose releases after 0.0 refuse to be installed.
    requires = ("deepimpute==1.2", "numpy<2", "pandas<3", "sklearn==0.0", "tensorflow<2.11")
    requires_python = ">=3.10,<3.11"
    lockfile = "locks/deepimpute.txt"

    min_dispersion: float = parameter(
        0.5, "Genes are imputed whose variance / (1 + mean) is larger, and more to fill up.", min=0
    )
    block_size: int = parameter(512, "Genes a network predicts.", min=1)
    n_predictors: int = parameter(5, "Most correlated genes taken for each gene of a block.", min=1)
    hidden_size: int = parameter(256, "Width of the hidden layer.", min=1)
    dropout: float = parameter(
        0.2, "Share of the hidden layer left out in training, below 1.", min=0, max=0.999
    )
    epochs: int = parameter(500, "Most passes over the training cells.", min=1)
    batch_size: int = parameter(64, "Cells per mini-batch.", min=1)
    learning_rate: float = parameter(1e-4, "Adam's learning rate.", min=0)
    early_stop: int = parameter(5, "Epochs without improvement until training stops.", min=1)

    def prepare(self, context: Context) -> None:
        """Import DeepImpute and TensorFlow, which takes many seconds."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        if context.scratch is not None:
            # On import the package makes a temporary folder, and Keras one for its settings.
            os.environ["HOME"] = os.environ["TMPDIR"] = str(context.scratch)
        import deepimpute.multinet  # noqa: F401

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``MultiNet(...).fit`` and ``predict`` on cells × genes of raw counts.

        Returns
        -------
        Count-scale values, and in `info` how much was trained and how long.

        Raises
        ------
        InputError
            If no count reaches 10, if there are fewer than 20 cells, or if no more than
            `block_size` genes vary.
        """
        counts = observed.counts
        dense = counts.toarray() if sp.issparse(counts) else np.array(counts)
        dense = dense.astype(np.float64)
        self._check(dense)
        import pandas as pd
        from deepimpute.multinet import MultiNet

        # Keras draws the seeds of its weights from Python's generator; the package sets the rest.
        random.seed(context.seed)
        place = {} if context.scratch is None else {"output_prefix": str(context.scratch)}
        model = MultiNet(
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_epochs=self.epochs,
            patience=self.early_stop,
            ncores=context.threads,
            sub_outputdim=self.block_size,
            verbose=0,
            seed=context.seed % 2**32,
            architecture=[
                {"type": "dense", "neurons": self.hidden_size, "activation": "relu"},
                {"type": "dropout", "rate": self.dropout},
            ],
            **place,
        )
        table = pd.DataFrame(dense)
        model.fit(table, ntop=self.n_predictors, minVMR=self.min_dispersion)
        imputed = model.predict(table)
        info: dict[str, Any] = {
            "networks": len(model.targets),
            "genes_imputed": len(np.unique(model.targets)),
            "epochs": model.trained_epochs,
        }
        return Imputed(imputed.to_numpy(dtype=np.float32), "counts", info=info)

    def _check(self, counts: np.ndarray) -> None:
        """Refuse what the package answers with an exit, or with nothing learned."""
        n_cells = len(counts)
        largest = float(counts.max(initial=0.0))
        if largest < 10:
            raise InputError(
                f"{self.name} refuses data whose largest value is below 10, since they look "
                f"normalised or logged; here it is {largest:g}. Give raw counts; if these are, "
                "they are too shallow for this method"
            )
        if n_cells < 20:
            raise InputError(
                f"{self.name} validates on 5 % of the cells, and of {n_cells} that is none; it "
                "needs at least 20"
            )
        varying = int((counts.var(axis=0) > 0).sum())
        if varying <= self.block_size:
            raise InputError(
                f"{self.name} predicts block_size={self.block_size} genes from others that vary, "
                f"and only {varying} genes vary, so none is left; lower block_size"
            )
