"""Help shows all that was written for it, and costs no more than it must."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from impbench.cli import app
from impbench.regress.rules import ALPHA
from impbench.regress.runtime import MAX_SLOWDOWN
from impbench.version import __version__

IMPBENCH = str(Path(sys.executable).with_name("impbench"))


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app)))


def shown(*path: str, columns: int = 80) -> str:
    """Return the help of a command, its line breaks undone."""
    done = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0, done.output
    # A hyphen at the end of a line is the word's own.
    return re.sub(r"(?<=\w-)\s*\n\s+", "", done.output).replace("\n", " ")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_swallows_no_text(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    told = re.sub(r"\s+", "", shown(*path))
    assert re.sub(r"\s+", "", command.help) in told
    for parameter in command.params:
        assert parameter.help, f"{parameter.name} is not explained"
        assert re.sub(r"\s+", "", parameter.help) in told, parameter.name
        if isinstance(parameter.show_default, str):
            assert re.sub(r"\s+", "", f"default:({parameter.show_default})") in told


def test_help_of_run_tells_defaults_and_specs_with_brackets() -> None:
    told = re.sub(r"\s+", " ", shown("run", columns=200))
    for text in (
        "Output folder. [default: (reports/SUITE)]",
        "Workers at once. [default: (cores); x>=1]",
        "or none. [default: (the suite's, or 1h)]",
        "such as 'magic[t=5],maskclass-best'",
        "Where to run: --executor",
    ):
        assert text in told


def test_defaults_that_help_tells_are_those_in_force() -> None:
    texts = {parameter.name: parameter.show_default for parameter in COMMANDS["check",].params}
    assert (texts["alpha"], texts["max_slowdown"]) == (str(ALPHA), str(MAX_SLOWDOWN))


def test_help_lists_commands_with_their_whole_first_sentence() -> None:
    told = re.sub(r"\s+", " ", shown())
    assert "everything else untouched." in told
    assert "..." not in told.replace("[ARGS]...", "")


def test_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"impbench {__version__}\n"


def test_shell_completes_commands_and_options() -> None:
    def completed(words: str, place: int) -> list[str]:
        asked = {"_IMPBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words}
        environment = {**os.environ, **asked, "COMP_CWORD": str(place)}
        done = subprocess.run([IMPBENCH], env=environment, capture_output=True, text=True)
        return done.stdout.split()

    assert completed("impbench in", 1) == ["index", "info", "inspect"]
    assert completed("impbench run --tim", 2) == ["--timeout"]


def test_help_imports_no_drawing_of_text_and_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['impbench', '--help']\n"
        "from impbench.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.exit(str({'rich', 'numpy', 'pluggy', 'pandas'} & set(sys.modules) or 0))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == "0", done.stderr


def test_python_m_impbench_is_the_same_program() -> None:
    command = [sys.executable, "-P", "-m", "impbench", "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout == f"impbench {__version__}\n"
