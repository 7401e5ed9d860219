"""The catalogue: one card per public data set, and a source for each that the registry can name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import ClassVar, Literal

from impbench.data.card import Card, read_card
from impbench.data.dataset import Dataset, Source
from impbench.data.prepare import HVG, MIN_CELLS, prepare
from impbench.parameters import parameter


@cache
def cards() -> dict[str, Card]:
    """Return every card of the catalogue by name, in alphabetical order.

    Raises
    ------
    InputError
        If a card is malformed; names the file, the line and the key.
    """
    with as_file(files("impbench_datasets")) as folder:
        found = [read_card(path) for path in sorted(folder.glob("*.toml"))]
    return {card.name: card for card in found}


def card_sources() -> list[type[Source]]:
    """Return one dataset source per card."""
    return [card_source(card) for card in cards().values()]


@dataclass(frozen=True)
class CardSource(Source):
    """A data set of the catalogue: its counts as published, prepared as in the MaskClass paper."""

    card: ClassVar[Card]

    genes: int = parameter(HVG, "Highly variable genes kept; 0 keeps all.", min=0)
    hvg: Literal["scran", "seurat_v3", "dispersion", "none"] = parameter(
        "scran", "How the highly variable genes are chosen."
    )
    min_cells: int = parameter(MIN_CELLS, "Genes with counts in fewer cells are dropped.", min=1)

    def load(self) -> Dataset:
        """Return the prepared dataset; errors as `Source.load`."""
        from impbench.data.official import read_official

        dataset = read_official(self.card)
        prepared = prepare(dataset, genes=self.genes, method=self.hvg, min_cells=self.min_cells)
        return dataclasses.replace(prepared, name=self.spec)


def card_source(card: Card) -> type[Source]:
    """Make the source that loads the data set of `card`; a plugin registers its own card so."""
    body = {"name": card.name, "summary": card.title, "card": card, "__module__": __name__}
    return type(card.name, (CardSource,), body)
