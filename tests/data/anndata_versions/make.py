"""Write one small h5ad file with whatever AnnData is installed, every slot filled.

The files beside this script were made so, each in an environment of its own (Python 3.11):

    pip install anndata==0.7.8 numpy==1.23.5 pandas==1.5.3 scipy==1.9.3 h5py==3.8.0
    python make.py anndata-0.7.8.h5ad gzip
    pip install anndata==0.10.9 numpy==1.26.4 pandas==2.2.3 scipy==1.11.4 h5py==3.11.0
    python make.py anndata-0.10.9.h5ad lzf
    pip install anndata==0.12.19 numpy==2.4.6 h5py==3.16.0
    python make.py anndata-0.12.19.h5ad none
"""

import sys

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

CELLS, GENES = 30, 20


def main(path, compression):
    rng = np.random.default_rng(16)
    counts = rng.poisson(rng.gamma(0.6, 2.0, GENES), (CELLS, GENES)).astype("float32")
    counts[:, 0] += 1
    cells = [f"cell{i}" for i in range(CELLS)]
    genes = [f"gene{i}" for i in range(GENES)]
    obs = pd.DataFrame(index=cells)
    obs["kind"] = pd.Categorical(["T", "B", "NK"] * 10)
    obs["stage"] = pd.Categorical(["late", "early"] * 15, ["early", "late"], ordered=True)
    obs["note"] = [f"note {i}, é" for i in range(CELLS)]
    obs["depth"] = counts.sum(1).astype("float64")
    obs["good"] = rng.random(CELLS) < 0.5
    obs["plate"] = np.arange(CELLS, dtype="int16")
    var = pd.DataFrame({"chrom": [f"chr{i % 3}" for i in range(GENES)]}, index=genes)
    if not anndata.__version__.startswith("0.7"):
        obs["maybe"] = pd.array([1, None] * 15, dtype="Int64")
    full = anndata.AnnData(sp.csr_matrix(counts), obs, var)
    adata = anndata.AnnData(np.log1p(counts), obs.copy(), var.copy())
    adata.raw = full[:, genes[::-1]].copy()
    adata.layers["counts"] = sp.csr_matrix(counts)
    adata.layers["by_gene"] = sp.csc_matrix(counts)
    adata.obsm["X_pca"] = rng.normal(size=(CELLS, 3))
    adata.obsm["table"] = pd.DataFrame({"a": np.arange(CELLS), "b": ["x"] * CELLS}, index=cells)
    adata.varm["loadings"] = rng.normal(size=(GENES, 3)).astype("float32")
    adata.obsp["distances"] = sp.csr_matrix(np.eye(CELLS))
    adata.uns["log1p"] = {"base": 2.0} if compression == "none" else {}
    adata.uns["nested"] = {"deep": {"numbers": np.arange(3), "text": "héllo"}, "flag": True}
    adata.uns["names"] = np.array(["one", "two"], dtype=object)
    adata.uns["kind_colors"] = np.array(["#000000", "#ffffff", "#888888"])
    # Text stays text here, as R's writers store it; AnnData alone would make categories of it.
    if compression == "none":
        adata.write_h5ad(path, convert_strings_to_categoricals=False)
    else:
        adata.write_h5ad(path, compression=compression)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
