"""The catalogue: one card per public data set, and a source for each that the registry can name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, ClassVar

from impbench.data.card import Card, read_card
from impbench.data.dataset import Dataset, Source
from impbench.data.genes import HvgMethod
from impbench.data.locate import cache_folder, how_to_provide, locate
from impbench.data.prepare import HVG, MIN_CELLS, prepare
from impbench.errors import ImpbenchError, UnavailableError
from impbench.lookup import find
from impbench.parameters import parameter


@cache
def cards() -> dict[str, Card]:
    """Return every card of the catalogue by name, in alphabetical order; errors as `read_card`."""
    with as_file(files("impbench_datasets")) as folder:
        found = [read_card(path) for path in folder.glob("*.toml")]
    return {card.name: card for card in sorted(found, key=lambda card: card.name)}


def card_named(name: str) -> Card:
    """Return the card of that name; errors as `impbench.lookup.find`."""
    return find("dataset", cards(), name)


def listing() -> list[dict[str, str]]:
    """Return one row per card for a table: size, labels, and where the data set is."""
    return [
        {
            "name": card.name,
            "organism": card.organism,
            "cells": _number(card.cells),
            "genes": _number(card.genes),
            "types": _number(card.groups),
            "labels from": card.labels_from,
            "at hand": _at_hand(card),
        }
        for card in cards().values()
    ]


def describe(name: str) -> dict[str, Any]:
    """Return every fact about a data set that is not empty, for people; errors as `card_named`."""
    card = card_named(name)
    facts = {key.replace("_", " "): value for key, value in dataclasses.asdict(card).items()}
    facts["drop values"] = ", ".join(card.drop_values)
    facts["markers"] = ", ".join(f"{marker.gene} = {marker.label}" for marker in card.markers)
    facts["files"] = "; ".join(
        f"{file.url} (sha256 {file.sha256 or 'recorded at the first download'})"
        for file in card.files
    )
    facts["mixture"] = ", ".join(card.mixture)
    facts["technical"] = card.technical and f"{card.technical.key} = {card.technical.value}"
    facts["bulk"] = ", ".join(f"{label} = {column}" for label, column in card.bulk.items())
    facts["at hand"] = _at_hand(card)
    if facts["at hand"] == "no":
        facts["to provide it"] = how_to_provide(card)
    return {key: value for key, value in facts.items() if value not in ("", None)}


def card_sources() -> list[type[Source]]:
    """Return one dataset source per card."""
    return [card_source(card) for card in cards().values()]


def card_source(card: Card) -> type[Source]:
    """Make the source that loads the data set of `card`; a plugin registers its own card so."""
    body = {"name": card.name, "summary": card.title, "card": card, "__module__": __name__}
    return type(card.name, (CardSource,), body)


@dataclass(frozen=True)
class CardSource(Source):
    """A data set of the catalogue: its counts as published, prepared as in the MaskClass paper."""

    card: ClassVar[Card]

    genes: int = parameter(HVG, "Highly variable genes kept; 0 keeps all.", min=0)
    hvg: HvgMethod = parameter("scran", "How the highly variable genes are chosen.")
    min_cells: int = parameter(MIN_CELLS, "Genes with counts in fewer cells are dropped.", min=1)
    cells: int = parameter(
        0, "Of more cells this many are drawn, each type in its proportion; 0 keeps all.", min=0
    )

    def load(self) -> Dataset:
        """Return the prepared dataset; errors as `Source.load`."""
        from impbench.data.official import read_official

        dataset = read_official(self.card)
        prepared = prepare(dataset, self.genes, self.hvg, self.min_cells, self.cells)
        return dataclasses.replace(prepared, name=self.spec)

    def files(self) -> tuple[Path, ...]:
        """Return where the data set lies; nothing where it cannot be had."""
        try:
            return (locate(self.card),)
        except ImpbenchError:
            return ()


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}".replace(",", " ")


def _at_hand(card: Card) -> str:
    """In a word, where the data set is."""
    try:
        found = locate(card)
    except UnavailableError:
        return "no"
    if card.layout == "scanpy-package":
        return "with scanpy"
    return "downloaded" if found == cache_folder() / card.name else "data folder"
