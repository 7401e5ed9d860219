"""Write a working, tested project for a method of one's own: `impbench plugin new`."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path
from string import Template
from typing import Literal

from impbench import __version__
from impbench.errors import InputError

Kind = Literal["package", "file", "command", "environment"]

_TEMPLATES = Path(__file__).with_name("templates")
_WORKFLOW = ".github/workflows/test.yml"

_LAYOUT: dict[Kind, dict[str, str]] = {
    "package": {
        "pyproject.toml": "pyproject.toml.txt",
        "src/$module/__init__.py": "imputer.py.txt",
        "tests/test_conformance.py": "test_package.py.txt",
        "README.md": "readme_package.md.txt",
        _WORKFLOW: "workflow_package.yml.txt",
    },
    "file": {
        "$module.py": "imputer.py.txt",
        "test_$module.py": "test_file.py.txt",
        "README.md": "readme_file.md.txt",
        _WORKFLOW: "workflow_file.yml.txt",
    },
    "command": {
        "$module.toml": "manifest.toml.txt",
        "run.py": "program.py.txt",
        "test_$module.py": "test_file.py.txt",
        "README.md": "readme_command.md.txt",
        _WORKFLOW: "workflow_file.yml.txt",
    },
    "environment": {
        "$module.py": "adapter.py.txt",
        "test_$module.py": "test_environment.py.txt",
        "README.md": "readme_environment.md.txt",
        _WORKFLOW: "workflow_file.yml.txt",
    },
}
"""Per kind: the path of each file in the project, and the template it is made from."""


def write_project(name: str, kind: Kind, folder: Path) -> list[Path]:
    """Write a project whose method runs and passes the conformance suite as it is.

    Parameters
    ----------
    name
        Of the method, such as ``my-method``.
    kind
        ``package``: installable, with an entry point; ``file``: one Python file; ``command``: a
        manifest and a program; ``environment``: one Python file for a published package, which
        gets an environment of its own.
    folder
        Where to; must be empty or not exist.

    Returns
    -------
    The files written.

    Raises
    ------
    InputError
        If the name cannot be that of a method and a module, or is taken; or if `folder` holds
        something.
    """
    values = {
        "name": name,
        "module": _module(name),
        "cls": "".join(part.capitalize() for part in re.split(r"[-_.]", name)),
        "suffix": "toml" if kind == "command" else "py",
        "version": __version__,
    }
    _check_free(name, values["module"])
    try:
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty; give another folder with --out")
        written = []
        for path, template in _LAYOUT[kind].items():
            target = folder / Template(path).substitute(values)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = (_TEMPLATES / template).read_text(encoding="utf-8")
            target.write_text(Template(text).substitute(values), encoding="utf-8")
            written.append(target)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror or error}") from error
    return written


def _module(name: str) -> str:
    module = re.sub(r"[-.]", "_", name)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", module) or keyword.iskeyword(module):
        raise InputError(
            f"{name!r} cannot name a method and a module; use lower-case letters, digits and '-', "
            "beginning with a letter, such as my-method"
        )
    return module


def _check_free(name: str, module: str) -> None:
    from impbench.registry import registry

    if name in registry().imputers:
        raise InputError(f"there is an imputer called {name!r} already; choose another name")
    if importlib.util.find_spec(module) is not None:
        raise InputError(f"a module {module!r} is installed already; choose another name")
