"""Cards: what impbench knows about a public data set, one TOML file each."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from impbench.data.counts import Scale
from impbench.errors import InputError

Evidence = Literal["experimental", "genotype", "sorted", "markers", "computational"]
"""What the labels rest on: the design, genotypes, FACS, marker genes or a clustering."""

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
class Card:
    """Facts about one data set; an empty text or None means that we are not sure of it.

    Attributes
    ----------
    name
        What users type, and the stem of the card's file.
    cells, genes, groups
        Size before preparation and number of cell types, as the citing papers or the file give it.
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
    """

    name: str
    title: str
    organism: str
    layout: Layout
    labels_from: Evidence
    tissue: str = ""
    protocol: str = ""
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


def read_card(path: Path) -> Card:
    """Read the card in `path`.

    Raises
    ------
    InputError
        If the file is missing, is not TOML, or a key is unknown, missing or of the wrong type;
        names the file, the line and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"card {path} cannot be read: {error}") from error
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"card {path} is not valid TOML: {error}") from error
    place = _Place(path, text)
    card = _build(Card, table, place)
    if card.name != path.stem:
        raise InputError(
            f"{place.of('name')}: name is {card.name!r} but the file is called {path.name!r}"
        )
    if len(card.files) not in FILES[card.layout]:
        expected = " or ".join(map(str, FILES[card.layout]))
        raise InputError(
            f"{place.of('files')}: {len(card.files)} files; layout {card.layout!r} has {expected}"
        )
    for file in card.files:
        # The file is stored under this name: it must not lead to another folder.
        if not re.fullmatch(r"(?!\.{1,2}$)[^/\\\x00-\x1f]{1,200}", file.filename):
            raise InputError(
                f"{place.of('files')}: {file.filename[:60]!r} is no name of a file; "
                "add name = ... to the file"
            )
    return card


@dataclass(frozen=True)
class _Place:
    """Where a key stands, for error messages; tomllib gives lines for syntax errors only."""

    path: Path
    text: str

    def of(self, key: str) -> str:
        for number, line in enumerate(self.text.splitlines(), start=1):
            if re.match(rf"\s*(\[+\s*)?{re.escape(key)}\b", line):
                return f"card {self.path}, line {number}, key {key!r}"
        return f"card {self.path}, key {key!r}"


T = TypeVar("T")


def _build(cls: type[T], table: dict[str, Any], place: _Place) -> T:
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    for key in table:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(fields)}"
            raise InputError(f"{place.of(key)} is unknown; {hint}")
    for name, field in fields.items():
        if name not in table and field.default is dataclasses.MISSING:
            raise InputError(f"{place.of(name)} is missing; add {name} = ...")
    return cls(**{key: _fit(hints[key], key, value, place) for key, value in table.items()})


def _fit(hint: Any, key: str, value: Any, place: _Place) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return _fit(args[0], key, value, place)
    if origin is tuple and isinstance(value, list):
        return tuple(_fit(args[0], key, item, place) for item in value)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _build(typing.cast(type[Any], hint), value, place)
    if origin is Literal and value in args:
        return value
    if hint in (str, int) and type(value) is hint:
        return value
    raise InputError(f"{place.of(key)} is {value!r}; expected {_expected(hint)}")


def _expected(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, args))
    if origin is tuple:
        return f"a list, each item {_expected(args[0])}"
    if dataclasses.is_dataclass(hint):
        return "a table"
    return {str: "a text in quotes", int: "a whole number"}[hint]
