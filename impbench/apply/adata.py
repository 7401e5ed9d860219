"""`impbench.impute`: a method applied to an AnnData in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from impbench.apply.h5ad import refuse_taken
from impbench.apply.layer import ImputedLayer, describe, lay_out
from impbench.apply.method import apply, ready
from impbench.apply.options import Options, OutputScale, OutputType
from impbench.data.counts import Scale
from impbench.data.result_places import KEY, taken_places
from impbench.gives import only_embedding
from impbench.imputer import Imputer
from impbench.per_batch import Company

if TYPE_CHECKING:
    from anndata import AnnData


def impute(
    adata: AnnData,
    imputer: str | Imputer,
    *,
    layer: str | None = None,
    scale: Scale = "auto",
    key_added: str = KEY,
    overwrite: bool = False,
    output_scale: OutputScale = "log2",
    genes_to_keep: Sequence[str] | Path | None = None,
    sparse: bool = False,
    dtype: OutputType = "float32",
    batch_key: str | None = None,
    per: Company = "all",
    n_groups: int | None = None,
    seed: int = 1,
    device: str = "cpu",
    threads: int = 1,
    copy: bool = False,
) -> AnnData | None:
    """Apply a method to one's own data, in the scverse manner.

    Parameters
    ----------
    adata
        Cells × genes.
    imputer
        Spec such as ``"maskclass-balanced"``, or an `Imputer`.
    layer
        Where the counts are: a layer, ``X`` or ``raw.X``. None: the first of
        ``layers["counts"]``, ``raw.X`` and ``X`` that holds raw counts. All genes of ``raw.X`` are
        imputed; those of `adata` are kept, by name.
    scale
        What the values are, see `impbench.data.counts.Scale`.
    key_added
        The result goes to ``layers[key_added]``; an embedding the method offers to
        ``obsm["X_" + key_added]``, and is all there is of a method that gives no expression; what
        was done to ``uns[key_added]``. Everything else stays as it is.
    overwrite
        Replace what bears one of these names already.
    output_scale
        ``log2``: log2(1 + count / size factor), as everything in impbench; ``ln``: the same with
        the natural logarithm, as scanpy has it; ``counts``: expected counts. scanpy takes every
        logarithm for ``uns["log1p"]["base"]``, and for a natural one where that is missing.
    genes_to_keep
        Names, or a file with one a line: the layer is sparse, and the other genes hold their
        observed values.
    sparse
        Store no zeros.
    dtype
        ``float16`` takes half the room.
    batch_key
        Column of ``obs`` with batches, for methods that use them.
    per
        ``batch``: each batch of `batch_key` is imputed alone; see `impbench.per_batch`.
    n_groups
        Number of cell groups, for methods that need it.
    copy
        Return a changed copy instead of changing `adata`.

    Raises
    ------
    InputError
        If there are no counts, a name is taken, the method returns something unusable, or it gives
        only an embedding and an option says how a layer is to be written.
    UnavailableError
        If the method lacks something on this machine; says what installs it.
    ImputationError
        If a method that has an environment of its own fails there.
    """
    options = Options(
        layer=layer,
        scale=scale,
        batch_key=batch_key,
        per=per,
        n_groups=n_groups,
        seed=seed,
        device=device,
        threads=threads,
        key_added=key_added,
        overwrite=overwrite,
        output_scale=output_scale,
        genes_to_keep=genes_to_keep,
        sparse=sparse,
        dtype=dtype,
    )
    method = ready(imputer, options)
    layout = lay_out(adata, "the AnnData", options, layer=not only_embedding(method.gives))
    taken = taken_places(adata, key_added)
    refuse_taken(taken, key_added, overwrite, "the AnnData")
    result = ImputedLayer(layout, apply(method, layout.observed, options), options)
    target = adata.copy() if copy else adata
    for place in taken:
        group, _, name = place.partition("/")
        del getattr(target, group)[name]
    if not only_embedding(method.gives):
        target.layers[key_added] = _whole(result)
    if result.imputed.embedding is not None:
        target.obsm[f"X_{key_added}"] = result.imputed.embedding
    target.uns[key_added] = describe(result, method, list(map(str, adata.var_names)))
    return target if copy else None


def _whole(layer: ImputedLayer) -> Any:
    if layer.options.stored_sparse:
        return sp.vstack([sp.csr_matrix(block) for _, block in layer.blocks()], format="csr")
    values = np.empty(layer.shape, dtype=layer.options.dtype)
    for rows, block in layer.blocks():
        values[rows] = block
    return values
