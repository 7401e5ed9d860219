"""What a dry run says of a user's file is what the run would say, and little of it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from impbench.data.read import FileSource
from impbench.errors import InputError
from impbench.inspection import stored
from impbench.inspection.head import look_at_head

N_CELLS, N_GENES = 40, 60
COUNTS = np.random.default_rng(3).poisson(2.0, (N_CELLS, N_GENES)).astype(np.float32)


def adata(x: Any = COUNTS, **changes: Any) -> anndata.AnnData:
    obs = pd.DataFrame(
        {"type": ["a", "b"] * (N_CELLS // 2), "one": ["a"] * N_CELLS, "donor": ["d", None] * 20},
        index=[f"cell{i}" for i in range(N_CELLS)],
    )
    var = pd.DataFrame(index=changes.pop("genes", [f"Gene{i}" for i in range(N_GENES)]))
    return anndata.AnnData(x.copy(), obs, var, **changes)


def negative() -> np.ndarray:
    x = COUNTS.copy()
    x[3, 7] = -1
    return x


FILES = {
    "counts": adata(),
    "logs": adata(np.log1p(COUNTS)),
    "by-gene": adata(sp.csc_matrix(COUNTS)),
    "negative": adata(sp.csc_matrix(negative())),
    "layers": adata(np.log1p(COUNTS), layers={"counts": sp.csr_matrix(COUNTS)}),
    "repeated": adata(genes=["G", "G", *(f"Gene{i}" for i in range(N_GENES - 2))]),
    "turned": adata(genes=[f"ENSG{i:011d}" for i in range(N_GENES)]).T.copy(),
    "zeros": adata(np.zeros_like(COUNTS)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, data in FILES.items():
        data.write_h5ad(folder / f"{name}.h5ad")
    return folder


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("counts", {"label_key": "typ"}),
        ("counts", {"label_key": "one"}),
        ("counts", {"label_key": "type", "drop_labels": ("c",)}),
        ("counts", {"batch_key": "donor"}),
        ("counts", {"layer": "spliced"}),
        ("logs", {}),
        ("logs", {"layer": "X", "scale": "auto"}),
        ("negative", {}),
        ("negative", {"scale": "counts"}),
        ("layers", {"layer": "X"}),
        ("repeated", {}),
        ("turned", {}),
        ("zeros", {}),
        ("absent", {}),
    ],
)
def test_head_refuses_what_the_run_refuses_in_the_same_words(
    folder: Path, name: str, options: dict[str, Any]
) -> None:
    source = FileSource(path=str(folder / f"{name}.h5ad"), hvg="none", **options)
    with pytest.raises(InputError) as loading:
        source.load()
    with pytest.raises(InputError) as looking:
        look_at_head(source)
    assert str(looking.value) == str(loading.value)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("counts", {"label_key": "type"}, "40 cells × 60 genes, counts read from X, 2 cell types"),
        ("by-gene", {}, "40 cells × 60 genes, counts read from X"),
        ("layers", {}, "40 cells × 60 genes, counts read from layers['counts']"),
        ("logs", {"scale": "log1p"}, "40 cells × 60 genes, values read from X"),
        ("turned", {"transpose": True}, "40 cells × 60 genes, counts read from X"),
    ],
)
def test_head_says_what_the_run_would_take(
    folder: Path, name: str, options: dict[str, Any], said: str
) -> None:
    source = FileSource(path=str(folder / f"{name}.h5ad"), hvg="none", **options)
    assert look_at_head(source) == f"{source.path}: {said}"
    source.load()


def test_any_other_file_is_read_whole(tmp_path: Path) -> None:
    frame = pd.DataFrame(COUNTS, FILES["counts"].obs_names, FILES["counts"].var_names)
    frame.to_csv(tmp_path / "my.csv")
    assert look_at_head(FileSource(path=str(tmp_path / "my.csv"))).endswith("counts read from X")
    frame.iloc[2, 3] = -1
    frame.to_csv(tmp_path / "my.csv")
    with pytest.raises(InputError, match="holds 1 negative value"):
        look_at_head(FileSource(path=str(tmp_path / "my.csv")))


def test_of_a_large_matrix_only_the_head_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "HEAD", 200)
    taken: list[int] = []
    read = h5py.Dataset.__getitem__

    def counted(self: h5py.Dataset, key: Any, **options: Any) -> Any:
        found = read(self, key, **options)
        if self.name == "/X/data":
            taken.append(np.size(found))
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    look_at_head(FileSource(path=str(folder / "by-gene.h5ad")))
    assert 0 < sum(taken) <= 200
