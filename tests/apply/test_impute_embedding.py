"""A method that gives only an embedding, applied to one's own data: coordinates, and no layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest

import impbench
from impbench.apply.file import impute_file
from impbench.context import Context
from impbench.errors import InputError
from impbench.imputer import Imputed, Imputer, Observed

COUNTS = np.random.default_rng(5).poisson(2.0, (40, 12)).astype(np.float32)
LOG2 = Observed.from_counts(COUNTS).lognorm


def toy() -> anndata.AnnData:
    data = anndata.AnnData(COUNTS.copy())
    data.var_names = [f"Gene{i}" for i in range(12)]
    return data


@dataclass(frozen=True)
class Coordinates(Imputer):
    """Two log values of each cell as its coordinates."""

    name = "coordinates"
    summary = "For tests"
    gives = ("embedding",)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        return Imputed(embedding=observed.lognorm[:, :2].copy())


def test_a_method_without_expression_adds_coordinates_and_no_layer(tmp_path: Path) -> None:
    data = toy()
    layers = set(data.layers)
    impbench.impute(data, Coordinates(), key_added="two")
    assert set(data.layers) == layers
    np.testing.assert_allclose(data.obsm["X_two"], LOG2[:, :2], rtol=1e-5)
    assert data.uns["two"]["dimensions"] == 2
    assert "scale" not in data.uns["two"]

    file, out = tmp_path / "toy.h5ad", tmp_path / "out.h5ad"
    toy().write_h5ad(file)
    written = impute_file(file, out, Coordinates(), key_added="two")
    read = anndata.read_h5ad(out)
    assert (written.place, written.hint) == ("obsm/X_two", None)
    assert set(read.layers) == layers
    np.testing.assert_allclose(read.obsm["X_two"], LOG2[:, :2], rtol=1e-5)
    assert read.uns["two"]["imputer"] == "coordinates"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"output_scale": "counts"}, "--output-scale"),
        ({"genes_to_keep": ["Gene1"]}, "--genes-to-keep"),
        ({"sparse": True}, "--sparse"),
        ({"dtype": "float16"}, "--dtype"),
        ({"per": "batch", "batch_key": "batch"}, "leave out per=batch"),
    ],
)
def test_what_is_about_a_layer_is_refused_where_there_is_none(
    options: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=f"coordinates gives only an embedding.*{named}"):
        impbench.impute(toy(), Coordinates(), **options)
