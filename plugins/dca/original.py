"""DCA as its authors published it, in the Python and with the TensorFlow that it asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Literal, Tuple  # noqa: UP035

import numpy as np
import scipy.sparse as sp

from impbench import Context, Imputed, Imputer, Observed, parameter
from impbench.errors import InputError


class _CopiesInThisThread:
    """Stands for Keras's pool of threads that copy predictions together.

    In Python 3.8 the pool's locks lie in /dev/shm, where a method's process may not write.
    """

    def apply_async(self, copy: Callable[..., None], args: Tuple[Any, ...]) -> None:  # noqa: UP006
        copy(*args)


@dataclass(frozen=True)
class DcaOriginal(Imputer):
    """The package DCA 0.3.4 through its own function (Eraslan et al. 2019).

    Genes and cells without counts, which it refuses, are left out and come back as zeros.
    """

    name = "dca-original"
    summary = "DCA by its authors' own package, on TensorFlow 2.4"
    citation = (
        "Eraslan et al. (2019), Single-cell RNA-seq denoising using a deep count autoencoder, "
        "Nature Communications 10:390"
    )
    version = "0.3.4"
    stochastic = True
    packages = ("keras", "numba", "scanpy", "scikit-learn", "tensorflow")
    # DCA asks for TensorFlow < 2.5, last built for Python 3.8; later releases of protobuf break
    # that, and later ones of PyYAML break kopt, which DCA imports.
    requires = ("dca==0.3.4", "protobuf<3.21", "pyyaml<6")
    requires_python = ">=3.8,<3.9"
    lockfile = "locks/dca.txt"

    type: Literal["nb-conddisp", "nb", "zinb", "zinb-conddisp", "poisson"] = parameter(
        "nb-conddisp",
        "Likelihood: Poisson, negative binomial (nb), zero-inflated (zinb); conddisp: a dispersion "
        "for every entry instead of one per gene.",
    )
    hidden_size: Tuple[int, ...] = parameter(  # noqa: UP006  (Python 3.8 resolves it)
        (64, 32, 64), "Widths of the hidden layers; the middle one is the bottleneck.", min=1
    )
    epochs: int = parameter(300, "Most passes over the training cells.", min=1)
    batch_size: int = parameter(32, "Cells per mini-batch.", min=1)
    learning_rate: float = parameter(1e-3, "RMSprop's learning rate.", min=0)
    reduce_lr: int = parameter(
        10, "Epochs without improvement until the learning rate falls to a tenth.", min=1
    )
    early_stop: int = parameter(15, "Epochs without improvement until training stops.", min=1)

    def prepare(self, context: Context) -> None:
        """Import DCA and TensorFlow, which takes many seconds."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        if context.scratch is not None:
            # On import, kopt and Keras leave their settings in the home folder.
            os.environ["HOME"] = str(context.scratch)
        import dca.api  # noqa: F401
        from tensorflow.python.keras.engine import training_utils_v1

        training_utils_v1._COPY_POOL = _CopiesInThisThread()

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Call ``dca.api.dca`` with the published defaults, on one thread pool of the given size.

        Returns
        -------
        Count-scale means, and in `info` how long and how well it trained.

        Raises
        ------
        InputError
            If fewer than two cells have counts.
        """
        import anndata
        import tensorflow as tf
        from dca.api import dca

        cells = np.flatnonzero(observed.counts.sum(axis=1))
        genes = np.flatnonzero(observed.counts.sum(axis=0))
        if len(cells) < 2:
            raise InputError(f"{self.name} needs at least 2 cells with counts; got {len(cells)}")
        counts = observed.counts[cells][:, genes]
        counts = counts.toarray() if sp.issparse(counts) else counts
        # DCA sets the seed before it turns eager execution off, so that its weights start from
        # anywhere; nor must an earlier call in this process have left anything in the graph.
        tf.compat.v1.disable_eager_execution()
        tf.keras.backend.clear_session()
        adata = dca(
            anndata.AnnData(np.asarray(counts, dtype=np.float32)),
            ae_type=self.type,
            hidden_size=self.hidden_size,
            epochs=self.epochs,
            reduce_lr=self.reduce_lr,
            early_stop=self.early_stop,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            random_state=context.seed,
            threads=context.threads,
            return_info=True,
            copy=True,
        )
        expression = np.zeros((observed.n_cells, observed.n_genes), dtype=np.float32)
        expression[np.ix_(cells, genes)] = adata.X
        losses = [float(loss) for loss in adata.uns["dca_loss_history"]["val_loss"]]
        return Imputed(
            expression, "counts", info={"epochs": len(losses), "validation_loss": losses[-1]}
        )
