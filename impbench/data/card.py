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
    """Facts about one data set; an empty text or None means that we are not sure of it."""

    name: str
    """What users type, and the stem of the card's file."""
    title: str
    organism: str
    layout: Layout
    """How the official files are laid out."""
    labels_from: Evidence
    """What the labels rest on."""
    tissue: str = ""
    protocol: str = ""
    technology: Technology = ""
    """What `protocol` counts, in one of few words, so that data sets can be put together by it."""
    cells: int | None = None
    """Number before preparation, as the citing papers or the file give it."""
    genes: int | None = None
    """As `cells`."""
    groups: int | None = None
    """Number of cell types."""
    labels_note: str = ""
    """One sentence on how sure they are."""
    label_key: str = "cell_type"
    """Column of the official file's cell annotation that holds the labels."""
    drop_key: str = ""
    """Column that tells which cells are left out; empty: `label_key`."""
    drop_values: tuple[str, ...] = ()
    """Cells with one of these values there are left out."""
    markers: tuple[Marker, ...] = ()
    """Where the files name no cell types: the gene that stands for each type."""
    scale: Scale = "auto"
    """What the values of the official files are."""
    citation: str = ""
    doi: str = ""
    accession: str = ""
    licence: str = ""
    warning: str = ""
    """Shown wherever the data set is used."""
    files: tuple[CardFile, ...] = ()
    mixture: dict[str, str] = field(default_factory=dict)
    """This and the next three: truths that the file holds beside its counts;
    `impbench.data.card_truths` says how each is read."""
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
