"""Read a manifest: the TOML file that makes a program in any language an imputer.

Its keys are those of `Manifest`; ``[parameters.NAME]`` tables become parameters like any other's.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any, Literal

from impbench.errors import InputError
from impbench.external.program import BUILT_IN, ProgramImputer, placeholders
from impbench.imputer import Scale
from impbench.parameters import parameter

Format = Literal["h5ad", "csv"]

_TEXTS = {
    "summary": None,
    "citation": "",
    "version": "1",
}
_CHOICES = {
    "format": ("h5ad", ("h5ad", "csv")),
    "scale": (None, ("lognorm", "counts")),
    "input_scale": ("counts", ("counts", "lognorm")),
}
_FLAGS = ("stochastic", "keeps_observed")
_KEYS = ("name", *_TEXTS, "command", *_CHOICES, *_FLAGS, "parameters")
_PARAMETER_KEYS = ("default", "help", "min", "max", "choices", "symbol")


@dataclass(frozen=True)
class Manifest:
    """What a manifest says.

    Attributes
    ----------
    name, summary, citation, version, stochastic, keeps_observed, input_scale
        As in `impbench.Imputer`.
    command
        Program and arguments; ``{input}``, ``{output}``, other names of `BUILT_IN` and parameters
        are filled in, and a word that names a file beside the manifest becomes its full path.
    format
        How data pass: ``h5ad``, or ``csv`` for languages without HDF5.
    scale
        Of the values that the program writes.
    parameters
        Declarations by name: type and `impbench.parameter`.
    folder
        Where the manifest lies.
    """

    name: str
    summary: str
    citation: str
    version: str
    command: tuple[str, ...]
    format: Format
    scale: Scale
    input_scale: Scale
    stochastic: bool
    keeps_observed: bool
    parameters: Mapping[str, tuple[Any, Any]]
    folder: Path


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises
    ------
    InputError
        If the file cannot be read, is not TOML (says the line), or a key is unknown, missing or of
        the wrong type (says which, and what is expected).
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"manifest {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"manifest {path} is not valid TOML: {error}") from error
    return _Reader(path).manifest(data)


def imputer_class(path: Path, module: str) -> type[ProgramImputer]:
    """Make the imputer that the manifest at `path` describes.

    Parameters
    ----------
    module
        Name of the module that will hold the class under the class's own name, which is the
        imputer's in capitals: ``AwkMean = imputer_class(path, __name__)`` for ``awk-mean``.

    Raises
    ------
    InputError
        As `read_manifest`.
    """
    manifest = read_manifest(path)
    attributes = {
        "__module__": module,
        "__doc__": manifest.summary,
        "name": manifest.name,
        "summary": manifest.summary,
        "citation": manifest.citation,
        "version": f"{manifest.version}+{_files_hash(path, manifest)}",
        "input_scale": manifest.input_scale,
        "stochastic": manifest.stochastic,
        "keeps_observed": manifest.keeps_observed,
        "command": manifest.command,
        "format": manifest.format,
        "output_scale": manifest.scale,
        "folder": manifest.folder,
    }
    fields = [(name, kind, field) for name, (kind, field) in manifest.parameters.items()]
    name = "".join(part.capitalize() for part in re.split(r"[-_.]", manifest.name))
    made = make_dataclass(name, fields, bases=(ProgramImputer,), namespace=attributes, frozen=True)
    made.__module__ = module
    return made


def _files_hash(path: Path, manifest: Manifest) -> str:
    """Hash the manifest and the files it names: who edits a script raises no version."""
    digest = hashlib.sha256(path.read_bytes())
    for word in manifest.command:
        file = manifest.folder / word
        try:
            digest.update(file.read_bytes())
        except (OSError, ValueError):  # most words name no file, and some could not
            continue
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class _Reader:
    """Checks one manifest and says where it is wrong."""

    path: Path

    def manifest(self, data: Mapping[str, Any]) -> Manifest:
        self.known(data, _KEYS, "")
        name = self.text(data, "name", None)
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
            raise self.error("name", f"{name!r} must be lower-case letters, digits, '-', '_', '.'")
        texts: dict[str, Any] = {
            key: self.text(data, key, default) for key, default in _TEXTS.items()
        }
        choices: dict[str, Any] = {
            key: self.choice(data, key, default, allowed)
            for key, (default, allowed) in _CHOICES.items()
        }
        flags: dict[str, Any] = {key: self.flag(data, key) for key in _FLAGS}
        parameters = self.parameters(data)
        command = self.command(data, parameters)
        return Manifest(
            name=name,
            command=command,
            parameters=parameters,
            folder=self.path.resolve().parent,
            **texts,
            **choices,
            **flags,
        )

    def command(self, data: Mapping[str, Any], parameters: Mapping[str, Any]) -> tuple[str, ...]:
        value = data.get("command")
        if not isinstance(value, list) or not value or not all(isinstance(w, str) for w in value):
            raise self.error(
                "command", 'must be a list of texts, such as ["Rscript", "run.R", "{input}"]'
            )
        used = {name for word in value for name in placeholders(word)}
        for name in ("input", "output"):
            if name not in used:
                raise self.error("command", f"must hold {{{name}}}, the path of the {name}")
        for name in sorted(used - {*BUILT_IN, *parameters}):
            offer = ", ".join([*BUILT_IN, *parameters])
            raise self.error(
                "command",
                f"holds {{{name}}}, which is no parameter; there are {offer}; write {{{{ and }}}} "
                "for braces",
            )
        for name in parameters:
            if name not in used:
                raise self.error("parameters", f"declare {name!r}, but command lacks {{{name}}}")
        return tuple(value)

    def parameters(self, data: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        tables = data.get("parameters", {})
        if not isinstance(tables, dict):
            raise self.error("parameters", "must be tables written [parameters.NAME]")
        return {name: self.parameter(name, table) for name, table in tables.items()}

    def parameter(self, name: str, table: Any) -> tuple[Any, Any]:
        where = f"parameters.{name}"
        if not name.isidentifier() or name in BUILT_IN:
            raise self.error(where, f"must be a plain name, and none of {', '.join(BUILT_IN)}")
        if not isinstance(table, dict) or "default" not in table:
            raise self.error(where, "must be a table with default and help")
        self.known(table, _PARAMETER_KEYS, f"{where}.")
        default = table["default"]
        if not isinstance(default, bool | int | float | str):
            raise self.error(f"{where}.default", "must be a text, number, true or false")
        kind: Any = type(default)
        if "choices" in table:
            choices = table["choices"]
            if not isinstance(choices, list) or default not in choices:
                raise self.error(f"{where}.choices", "must be a list that holds the default")
            kind = Literal[tuple(choices)]
        bounds: dict[str, Any] = {}
        for key in ("min", "max"):
            bound = table.get(key)
            if bound is not None and (
                isinstance(bound, bool) or not isinstance(bound, int | float)
            ):
                raise self.error(f"{where}.{key}", "must be a number")
            bounds[key] = bound
        text = self.text(table, "help", None, f"{where}.")
        return kind, parameter(default, text, symbol=table.get("symbol"), **bounds)

    def text(self, data: Mapping[str, Any], key: str, default: str | None, prefix: str = "") -> str:
        value = data.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.error(prefix + key, "must be a text in quotes")
        return value

    def choice(
        self, data: Mapping[str, Any], key: str, default: str | None, allowed: tuple[str, ...]
    ) -> str:
        value = data.get(key, default)
        if value not in allowed:
            found = "is missing and" if value is None else f"is {value!r}, but"
            raise self.error(key, f"{found} must be one of {', '.join(allowed)}")
        return str(value)

    def flag(self, data: Mapping[str, Any], key: str) -> bool:
        value = data.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, "must be true or false")
        return value

    def known(self, data: Mapping[str, Any], keys: tuple[str, ...], prefix: str) -> None:
        for key in data:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(keys)}"
                raise self.error(f"{prefix}{key}", f"is no key of a manifest; {hint}")

    def error(self, key: str, message: str) -> InputError:
        return InputError(f"manifest {self.path}: {key} {message}")
