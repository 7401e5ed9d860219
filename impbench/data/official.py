"""From a card to counts: find the data set's files and read them by their layout."""

from __future__ import annotations

from dataclasses import asdict, replace

from impbench.data.bundled import read_pbmc68k_reduced
from impbench.data.card import Card
from impbench.data.dataset import Dataset
from impbench.errors import UnavailableError


def read_official(card: Card) -> Dataset:
    """Return all cells and genes of the card's data set, unprepared."""
    if card.layout == "scanpy-package":
        return replace(read_pbmc68k_reduced(), facts={"card": asdict(card)})
    raise UnavailableError(f"{card.name}: reading {card.layout} is not built yet")
