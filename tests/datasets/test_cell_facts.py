"""What a file knows about its cells: mixtures and technical controls, from files and from cards."""

import dataclasses

import anndata
import numpy as np
import pandas as pd
import pytest

from impbench.data.card import Card, Technical, read_card
from impbench.data.card_truths import smfish_gini, weighted_gini
from impbench.data.known_columns import proportions, technical
from impbench.data.official import read_official
from impbench.data.prepare import prepare
from impbench.data.read import read_counts_file
from impbench.errors import InputError
from impbench.protocols.gene_spread import gini

CELLS, GENES = 12, 8


def file_with(tmp_path, obs=None, mixture=None, name="my.h5ad", **uns):
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in range(CELLS)]
    table = pd.DataFrame({"cell_type": ["x", "y"] * 6, **(obs or {})}, index=names)
    data = anndata.AnnData(
        rng.poisson(4.0, (CELLS, GENES)).astype(np.float32),
        table,
        pd.DataFrame(index=[f"g{j}" for j in range(GENES)]),
        uns=uns,
    )
    if mixture is not None:
        data.obsm["mixture"] = (
            mixture.set_axis(names, axis=0) if hasattr(mixture, "columns") else mixture
        )
    data.write_h5ad(tmp_path / name)
    return tmp_path / name


PARTS = pd.DataFrame({"A": [9.0, 0, 3] * 4, "B": [0.0, 9, 6] * 4})


def test_parts_become_proportions_and_are_carried_through_every_choice_of_cells(tmp_path):
    path = file_with(tmp_path, {"technical": [True, False] * 6}, PARTS)
    dataset = read_counts_file(path, label_key="cell_type")
    names, share = proportions(dataset.cells)
    assert names == ("A", "B")
    np.testing.assert_allclose(share, np.resize([[1, 0], [0, 1], [1 / 3, 2 / 3]], (CELLS, 2)))
    chosen = prepare(dataset.of_cells(np.array([2, 5, 7])), genes=0, min_cells=1)
    np.testing.assert_array_equal(proportions(chosen.cells)[1], share[[2, 5, 7]])
    np.testing.assert_array_equal(technical(chosen.cells), [True, False, False])
    assert list(chosen.cells.index) == list(chosen.cell_names) == ["c2", "c5", "c7"]


def test_cells_without_a_label_take_their_facts_with_them(tmp_path):
    labels = pd.Categorical(["x", None, "y"] * 4)
    dataset = read_counts_file(file_with(tmp_path, {"cell_type": labels}, PARTS), "cell_type")
    share = proportions(dataset.cells)[1]
    assert dataset.n_cells == len(share) == 8
    np.testing.assert_allclose(share[0], [1, 0])
    np.testing.assert_allclose(share[1], [1 / 3, 2 / 3])


def test_facts_change_the_fingerprint_and_their_absence_does_not(tmp_path):
    bare = read_counts_file(file_with(tmp_path))
    with_parts = read_counts_file(file_with(tmp_path, None, PARTS))
    other = read_counts_file(file_with(tmp_path, None, PARTS.iloc[::-1].reset_index(drop=True)))
    controls = read_counts_file(file_with(tmp_path, {"technical": [True, False] * 6}))
    prints = {one.fingerprint for one in (bare, with_parts, other, controls)}
    assert len(prints) == 4
    assert dataclasses.replace(with_parts, cells=pd.DataFrame()).fingerprint == bare.fingerprint


def test_a_column_called_technical_that_holds_no_booleans_means_something_else(tmp_path):
    dataset = read_counts_file(file_with(tmp_path, {"technical": ["rep1", "rep2"] * 6}))
    assert technical(dataset.cells) is None


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        (np.ones((CELLS, 2)), r"obsm\['mixture'\] is no data frame.*pd.DataFrame"),
        (PARTS[["A"]], "two columns or more"),
        (PARTS.replace(6.0, -1.0), r"0 or more.*4 cells \(first 'c2'\)"),
        (PARTS.replace(9.0, 0.0), r"not all 0.*8 cells \(first 'c0'\)"),
        (PARTS.replace(6.0, np.nan), "leave these cells out"),
    ],
)
def test_an_unsound_mixture_is_refused_and_the_message_says_where(tmp_path, mixture, message):
    with pytest.raises(InputError, match=message):
        read_counts_file(file_with(tmp_path, None, mixture))


def fish(seed, n):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"g1": rng.poisson(9.0, n), "g5": rng.poisson(2.0, n), "Area": rng.uniform(1, 3, n)}
    )


def test_a_card_says_where_its_file_keeps_the_truths(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPBENCH_DATA", str(tmp_path))
    file_with(
        tmp_path,
        {
            "a_cells": PARTS["A"].to_numpy(),
            "b_cells": PARTS["B"].to_numpy(),
            "kind": ["c", "p"] * 6,
        },
        name="toy.h5ad",
        bulk=pd.DataFrame({"X bulk": np.arange(GENES), "Y bulk": np.ones(GENES)}),
        fish={"x": {"pair": fish(1, 30)}, "y": {"pair": fish(2, 40)}},
    )
    toy = Card(
        name="toy",
        title="Toy",
        organism="Mus musculus",
        layout="h5ad",
        labels_from="experimental",
        mixture={"A": "a_cells", "B": "b_cells"},
        technical=Technical("kind", "p"),
        bulk={"x": "X bulk", "y": "Y bulk"},
        smfish="fish",
    )
    dataset = read_official(toy)
    assert proportions(dataset.cells)[0] == ("A", "B")
    np.testing.assert_array_equal(technical(dataset.cells), [False, True] * 6)
    np.testing.assert_allclose(dataset.genes["bulk_x"], np.arange(GENES) / np.arange(GENES).sum())
    assert list(np.flatnonzero(dataset.genes["reference_gini"].notna())) == [1, 5]
    for wrong in (
        {"mixture": {"A": "a_cells", "B": "c_cells"}},
        {"technical": Technical("sort", "p")},
        {"bulk": {"x": "Z bulk"}},
        {"smfish": "microscope"},
    ):
        with pytest.raises(InputError, match="which the card of this data set names"):
            read_official(dataclasses.replace(toy, **wrong))


def test_keys_of_a_card_are_read(tmp_path):
    (tmp_path / "toy.toml").write_text(
        'name = "toy"\ntitle = "Toy"\norganism = "Mus musculus"\nlayout = "h5ad"\n'
        'labels_from = "experimental"\nsmfish = "fish"\n[technical]\nkey = "kind"\nvalue = "p"\n'
        '[mixture]\nA = "a_cells"\nB = "b_cells"\n[bulk]\n"day 0" = "D0"\n'
    )
    found = read_card(tmp_path / "toy.toml")
    assert found.technical == Technical("kind", "p")
    assert found.mixture == {"A": "a_cells", "B": "b_cells"}
    assert (found.bulk, found.smfish) == ({"day 0": "D0"}, "fish")


def test_gini_of_fish_is_of_molecules_per_area_with_labels_weighted_as_the_cells_are():
    table = fish(3, 200)
    density = (table["g1"] / table["Area"]).to_numpy()
    expected = gini(np.log2(1 + density)[:, None])[0]
    found = smfish_gini({"x": {"p": table}}, {"x": 1.0}, "here")
    assert found["g1"] == pytest.approx(expected)
    # Another slide: other areas, and a probe that finds half as many molecules.
    slide = table.assign(Area=5 * table["Area"], g1=table["g1"] / 2)
    two = smfish_gini({"x": {"p": table, "q": slide}}, {"x": 1.0}, "here")
    assert two["g1"] == pytest.approx(expected)
    # Cells of a label that count for next to nothing change next to nothing.
    both = {"x": {"p": table}, "y": {"p": fish(4, 50).assign(g1=1000)}}
    assert smfish_gini(both, {"x": 1 - 1e-9, "y": 1e-9}, "")["g1"] == pytest.approx(
        expected, abs=1e-4
    )
    only_x = {"x": {"p": table}, "y": {"p": fish(4, 50).drop(columns="g1")}}
    assert set(smfish_gini(only_x, {"x": 0.5, "y": 0.5}, "")) == {"g5"}
    with pytest.raises(InputError, match="no smFISH of 'y', but of x"):
        smfish_gini({"x": {"p": table}}, {"x": 0.5, "y": 0.5}, "here")


def test_weights_stand_for_so_many_equal_cells():
    values = np.array([3.0, 0.0, 7.0, 3.0])
    times = np.array([1, 4, 2, 3])
    repeated = gini(np.log2(1 + np.repeat(values, times))[:, None])[0]
    assert weighted_gini(values, times.astype(float)) == pytest.approx(repeated)
    assert np.isnan(weighted_gini(np.zeros(3), np.ones(3)))


def test_genes_with_a_gini_coefficient_are_kept_whatever_their_variability(tmp_path):
    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.gamma(1, 5, (60, 30))).astype(np.float32)
    counts[:, [4, 9]] = 5
    data = anndata.AnnData(counts, pd.DataFrame(index=[f"c{i}" for i in range(60)]))
    data.var["reference_gini"] = np.where(np.isin(np.arange(30), [4, 9, 12]), 0.5, np.nan)
    data.write_h5ad(tmp_path / "some.h5ad")
    dataset = prepare(read_counts_file(tmp_path / "some.h5ad"), genes=10, method="dispersion")
    assert dataset.genes["reference_gini"].notna().sum() == 3
    assert list(dataset.gene_names) == list(dataset.genes.index)
    assert any("more genes, whose Gini coefficients are known" in step for step in dataset.steps)
    assert dataset.n_genes in (12, 13)
