"""Cards: what impbench knows about a public data set, one TOML file each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from impbench.data.counts import Scale
from impbench.reading import parse_toml

Evidence = Literal["experimental", "genotype", "sorted", "markers", "computational"]
"""What the labels rest on: the design, genotypes, FACS, marker genes or a clustering."""

Technology = Literal["", "umi", "full-length", "other"]
"""What a count is: a molecule, told by its barcode; a read of any part of a transcript; or another
thing, such as reads of one end without barcodes, or a mixture. Empty: nobody said."""

Layout = Literal["h5ad", "sce-rds", "counts-csv", "10x-archive", "scanpy-package"]
"""How the official files are laid out; `impbench.data.official` reads each."""

FILES: dict[str, tuple[int, ...]] = {
    "h5ad": (0, 1),
    "sce-rds": (1,),
    "counts-csv": (2,),
    "10x-archive": (1, 2),
    "scanpy-package": (0,),
}
"""How many files each layout has."""


@dataclass(frozen=True)
class CardFile:
    """One official file; an empty `sha256` is recorded at the first download and checked after."""

    url: str
    sha256: str = ""
    name: str = ""
    """Name on disk; empty: the last part of the URL."""

    @property
    def filename(self) -> str:
        """Name of the file on disk."""
        return self.name or self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Marker:
    """A cell that expresses `gene`, and no other marker, is of type `label`."""

    gene: str
    label: str


@dataclass(frozen=True)
class Technical:
    """A cell with `value` in the column `key` of its annotation is a technical control."""

    key: str
    value: str


@dataclass(frozen=True)
class Card:
    """Facts about one data set; an empty text or None means that we are not sure of it.

    Attributes
    ----------
    name
        What users type, and the stem of the card's file.
    cells, genes, groups
        Size before preparation and number of cell types, as the citing papers or the file give it.
    technology
        What `protocol` counts, in one of few words, so that data sets can be put together by it.
    labels_from
        What the labels rest on.
    labels_note
        One sentence on how sure they are.
    label_key
        Column of the official file's cell annotation that holds the labels.
    drop_values, drop_key
        Cells with one of these values in that column (empty: `label_key`) are left out.
    markers
        Where the files name no cell types: the gene that stands for each type.
    layout, scale
        How the official files are laid out, and what their values are.
    warning
        Shown wherever the data set is used.
    mixture, technical, bulk, smfish
        Truths that the file holds beside its counts; `impbench.data.card_truths` says how each is
        read.
    """

    name: str
    title: str
    organism: str
    layout: Layout
    labels_from: Evidence
    tissue: str = ""
    protocol: str = ""
    technology: Technology = ""
    cells: int | None = None
    genes: int | None = None
    groups: int | None = None
    labels_note: str = ""
    label_key: str = "cell_type"
    drop_key: str = ""
    drop_values: tuple[str, ...] = ()
    markers: tuple[Marker, ...] = ()
    scale: Scale = "auto"
    citation: str = ""
    doi: str = ""
    accession: str = ""
    licence: str = ""
    warning: str = ""
    files: tuple[CardFile, ...] = ()
    mixture: dict[str, str] = field(default_factory=dict)
    technical: Technical | None = None
    bulk: dict[str, str] = field(default_factory=dict)
    smfish: str = ""


def read_card(path: Path) -> Card:
    """Read the card in `path`.

    Raises
    ------
    InputError
        If the file is missing, is not TOML, or a key is unknown, missing or not as it must be;
        names the file, the line and the key.
    """
    document = parse_toml(path, "card")
    card = document.fit(Card)
    if card.name != path.stem:
        raise document.error(
            ("name",),
            f'is "{card.name}"; expected "{path.stem}", as the file is called {path.name}',
        )
    if len(card.files) not in FILES[card.layout]:
        expected = " or ".join(map(str, FILES[card.layout]))
        raise document.error(
            ("files",), f"are {len(card.files)}; expected {expected} for the layout {card.layout}"
        )
    for i, file in enumerate(card.files):
        # The file is stored under this name: it must not lead to another folder.
        if not re.fullmatch(r"(?!\.{1,2}$)[^/\\\x00-\x1f]{1,200}", file.filename):
            raise document.error(
                ("files", i),
                f"would be stored as {file.filename[:60]!r}; expected a name of a file: add "
                "name = ...",
            )
    return card
