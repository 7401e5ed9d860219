"""Cards are complete and right in form, and a broken one says which line and key is at fault."""

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from impbench.data.card import read_card
from impbench.data.catalogue import card_named, card_source, cards, describe, listing
from impbench.data.locate import fetch_files, locate
from impbench.errors import InputError, NotFoundError, UnavailableError
from impbench.registry import registry
from impbench.runner.problems import _shown

PROMISED = {
    *("blakeley", "li", "pollen", "darmanis", "usoskin", "zeisel", "deng", "kolodziejczyk"),
    *("jurkat-293t", "pbmc68k", "mixology_sc_celseq2", "mixology_sc_celseq2_5cl_p2"),
    "pbmc68k-reduced",
}

GOOD = """name = "toy"
title = "Toy"
organism = "Homo sapiens"
layout = "h5ad"
labels_from = "experimental"
cells = 3

[[files]]
url = "https://example.org/toy.h5ad"
"""


@pytest.fixture(autouse=True)
def nothing_at_hand(monkeypatch, tmp_path):
    monkeypatch.setenv("IMPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("IMPBENCH_DATA", raising=False)


def test_catalogue_holds_what_is_promised_and_each_card_is_a_dataset():
    assert set(cards()) >= PROMISED
    assert set(cards()) <= set(registry().datasets)


@pytest.mark.parametrize("card", cards().values(), ids=lambda card: card.name)
def test_card_says_where_the_data_come_from(card):
    assert card.citation
    assert card.doi
    assert card.accession
    assert card.groups
    assert card.cells
    assert card.files or card.layout in ("h5ad", "scanpy-package")
    assert all(file.url.startswith("https://") for file in card.files)


@pytest.mark.parametrize("card", cards().values(), ids=lambda card: card.name)
def test_each_card_says_what_a_count_is(card):
    assert card.technology in ("umi", "full-length", "other")
    if "UMI" in card.protocol.replace("without UMI", ""):
        assert card.technology == "umi"
    if card.protocol.startswith(("Smart-seq", "Fluidigm")):
        assert card.technology == "full-length"


def test_what_a_count_is_reaches_the_report():
    shown = _shown(asdict(cards()["grun_mesc"]))
    assert shown["technology"] == "umi"


@pytest.mark.parametrize("card", cards().values(), ids=lambda card: card.name)
def test_genes_chosen_with_the_labels_carry_their_warning(card):
    assert card.name.endswith("_markers1000") == ("never to rank methods" in card.warning)


@pytest.mark.parametrize("name", cards())
def test_the_page_of_data_sets_names_each_card(name):
    assert f"`{name}`" in (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()


def test_good_card_is_read(tmp_path):
    (tmp_path / "toy.toml").write_text(GOOD)
    card = read_card(tmp_path / "toy.toml")
    assert (card.cells, card.files[0].filename) == (3, "toy.h5ad")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cells = 3", "cells = ", r"not valid TOML: .*line 6"),
        ("cells = 3", "cels = 3", r"line 6: cels is unknown; did you mean cells"),
        ("cells = 3", "cells = '3'", r'line 6: cells is "3"; expected a whole number'),
        ('layout = "h5ad"', 'layout = "zip"', r'line 4: layout is "zip"; expected one of "h5ad"'),
        ('title = "Toy"\n', "", r"title is missing; expected text in quotes"),
        ("[[files]]", "[files]", r"line 8: files is a table; expected a list"),
        (
            'layout = "h5ad"',
            'layout = "counts-csv"',
            r"line 8: files are 1; expected 2 for the layout c",
        ),
        ("url =", "uri =", r"line 9: files\[0\]\.uri is unknown; did you mean url"),
        ('"toy"', '"other"', r'line 1: name is "other"; expected "toy", as the file'),
        ("/toy.h5ad", "/..", r"line 8: files\[0\] would be stored as '\.\.'; .* add name = "),
    ],
)
def test_broken_card_names_file_line_and_key(tmp_path, old, new, message):
    (tmp_path / "toy.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        read_card(tmp_path / "toy.toml")
    assert str(tmp_path / "toy.toml") in str(caught.value)


def test_listing_has_a_row_per_card_and_says_what_is_at_hand():
    rows = {row["name"]: row for row in listing()}
    assert set(rows) == set(cards())
    assert rows["pbmc68k-reduced"]["at hand"] == "with scanpy"
    assert rows["li"]["at hand"] == "no"


def test_description_of_a_data_set_that_is_not_here_says_how_to_provide_it():
    facts = describe("pollen")
    assert facts["doi"] == "10.1038/nbt.2967"
    assert "pollen.h5ad" in facts["to provide it"]
    assert "" not in facts.values()


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(NotFoundError, match="did you mean pollen"):
        card_named("pollem")


def test_data_set_without_download_says_what_to_put_where():
    with pytest.raises(UnavailableError, match=r"no download.*blakeley_markers1000\.h5ad"):
        fetch_files(card_named("blakeley_markers1000"))
    with pytest.raises(UnavailableError, match="not on this machine"):
        locate(card_named("pollen"))


def test_bundled_data_need_no_download():
    card = card_named("pbmc68k-reduced")
    assert fetch_files(card) == locate(card)


def test_local_file_is_usable_by_the_name_of_its_card(tmp_path, monkeypatch):
    counts = np.random.default_rng(0).poisson(2.0, (8, 5)).astype(np.float32)
    obs = pd.DataFrame({"cell_type": list("abababab")}, index=[f"c{i}" for i in range(8)])
    var = pd.DataFrame(index=[f"g{i}" for i in range(5)])
    anndata.AnnData(counts, obs, var).write_h5ad(tmp_path / "pollen.h5ad")
    monkeypatch.setenv("IMPBENCH_DATA", str(tmp_path))
    assert {row["name"]: row["at hand"] for row in listing()}["pollen"] == "data folder"
    dataset = registry().dataset("pollen[genes=0]").load()
    assert dataset.name == "pollen[genes=0]"
    assert dataset.n_groups == 2
    assert dataset.facts["card"]["doi"] == "10.1038/nbt.2967"


def test_a_plugin_can_add_a_card_of_its_own():
    card = replace(cards()["pbmc68k-reduced"], name="my-pbmc")
    dataset = card_source(card).from_text({"genes": "50"}).load()
    assert (dataset.name, dataset.n_genes) == ("my-pbmc[genes=50]", 50)


@pytest.mark.slow
def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from impbench.data.catalogue import listing; listing(); "
        "print(sorted({'scanpy', 'anndata', 'torch', 'pooch', 'scranpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
