"""Read a manifest: the TOML file that makes a program in any language an imputer.

Its keys are those of `Manifest`; ``[parameters.NAME]`` tables become parameters like any other's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from impbench.errors import InputError
from impbench.external.program import BUILT_IN, ProgramImputer, placeholders
from impbench.gives import check_gives, only_embedding
from impbench.imputer import Part, Scale
from impbench.parameters import parameter
from impbench.reading import Document, Rule, parse_toml

Format = Literal["h5ad", "csv"]

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")

Text = Annotated[str, Rule("text in quotes, and not empty", str.strip)]
Plain = bool | int | float | str


@dataclass(frozen=True)
class Declared:
    """A ``[parameters.NAME]`` table; as `impbench.parameter` takes it, and choices if any."""

    default: Annotated[Plain, Rule("text in quotes, a number, true or false")]
    help: Text
    min: int | float | None = None
    max: int | float | None = None
    choices: tuple[Plain, ...] | None = None
    symbol: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What a manifest says; what is not explained here is as in `impbench.Imputer`."""

    name: Annotated[
        str, Rule("lower-case letters, digits, '-', '_', '.' in quotes", NAME.fullmatch)
    ]
    summary: Text
    command: Annotated[
        tuple[str, ...], Rule('a list of texts, such as ["Rscript", "run.R", "{input}"]', bool)
    ]
    """Program and arguments; ``{input}``, ``{output}``, other names of `BUILT_IN` and parameters
    are filled in, and a word that names a file beside the manifest becomes its full path."""
    scale: Scale | None = None
    """Of the values that the program writes; left out where it gives only an embedding."""
    gives: tuple[Part, ...] = ("expression",)
    input_scale: Scale = "counts"
    format: Format = "h5ad"
    """How data pass: ``h5ad``, or ``csv`` for languages without HDF5."""
    citation: str = ""
    version: str = "1"
    stochastic: bool = False
    keeps_observed: bool = False
    parameters: Mapping[str, Declared] = field(default_factory=dict)


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises
    ------
    InputError
        If the file cannot be read, is not TOML, or a key is unknown, missing or not as it must be;
        names the line and the key.
    """
    document = parse_toml(path, "manifest")
    manifest = document.fit(Manifest)
    _check_gives(manifest, document)
    for name, declared in manifest.parameters.items():
        here = ("parameters", name)
        if not name.isidentifier() or name in BUILT_IN:
            raise document.error(
                here, f"must be called by a plain name, and none of {', '.join(BUILT_IN)}"
            )
        if declared.choices is not None and declared.default not in declared.choices:
            raise document.error((*here, "choices"), "must hold the default")
    _check_command(manifest, document)
    return manifest


def _check_gives(manifest: Manifest, document: Document) -> None:
    try:
        check_gives(manifest.name, manifest.gives)
    except InputError as error:
        raise document.error(("gives",), f"does not fit: {error}") from error
    if only_embedding(manifest.gives):
        if manifest.scale is not None:
            raise document.error(("scale",), "is that of an expression, which gives does not name")
    elif manifest.scale is None:
        raise document.error(("scale",), 'is missing; expected one of "counts", "lognorm"')


def _check_command(manifest: Manifest, document: Document) -> None:
    used = {name for word in manifest.command for name in placeholders(word)}
    here = ("command",)
    for name in ("input", "output"):
        if name not in used:
            raise document.error(here, f"must hold {{{name}}}, the path of the {name}")
    offer = [*BUILT_IN, *manifest.parameters]
    for name in sorted(used.difference(offer)):
        raise document.error(
            here,
            f"holds {{{name}}}, which is no parameter; there are {', '.join(offer)}; write {{{{ "
            "and }} for braces",
        )
    for name in manifest.parameters:
        if name not in used:
            raise document.error(("parameters", name), f"is declared, but command lacks {{{name}}}")


def imputer_class(path: Path, module: str) -> type[ProgramImputer]:
    """Make the imputer that the manifest at `path` describes; errors as `read_manifest`.

    Parameters
    ----------
    module
        Name of the module that will hold the class under the class's own name, which is the
        imputer's in capitals: ``AwkMean = imputer_class(path, __name__)`` for ``awk-mean``.
    """
    manifest = read_manifest(path)
    attributes = {
        **{name: value for name, value in vars(manifest).items() if name in _ATTRIBUTES},
        "__module__": module,
        "__doc__": manifest.summary,
        "version": f"{manifest.version}+{_files_hash(path, manifest)}",
        "output_scale": manifest.scale,
        "folder": path.resolve().parent,
    }
    fields = [(name, *_field(item)) for name, item in manifest.parameters.items()]
    name = "".join(part.capitalize() for part in re.split(r"[-_.]", manifest.name))
    made = make_dataclass(name, fields, bases=(ProgramImputer,), namespace=attributes, frozen=True)
    made.__module__ = module
    return made


_ATTRIBUTES = {
    *("name", "summary", "citation", "input_scale", "stochastic", "keeps_observed", "gives"),
    *("command", "format"),
}
"""Keys of a manifest that are attributes of the class it makes."""


def _field(declared: Declared) -> tuple[Any, Any]:
    """Return the type of a parameter, and `impbench.parameter` for it."""
    told = dict(vars(declared))
    choices = told.pop("choices")
    kind = type(declared.default) if choices is None else Literal[choices]
    return kind, parameter(**told)


def _files_hash(path: Path, manifest: Manifest) -> str:
    """Hash the manifest and the files it names: who edits a script raises no version."""
    digest = hashlib.sha256(path.read_bytes())
    for word in manifest.command:
        file = path.resolve().parent / word
        try:
            digest.update(file.read_bytes())
        except (OSError, ValueError):  # most words name no file, and some could not
            continue
    return digest.hexdigest()[:12]
