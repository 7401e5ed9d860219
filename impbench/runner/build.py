"""The process that builds one environment; it ends, with all it started, when its asker is gone.

Run as ``python -P -m impbench.runner.build request.json``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from impbench.runner.lifeline import die_with_parent

_ELSEWHERE = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
"""What would make pip or uv install into, or import from, another place."""

_PACKAGES = (
    "import importlib.metadata as m, json; "
    "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
)


def main(request_path: Path) -> int:
    """Carry out one request; exit status 0 when the environment is complete."""
    die_with_parent()
    request = json.loads(request_path.read_text(encoding="utf-8"))
    folder = Path(request["folder"])
    python = folder / "bin" / "python"
    variables = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    for command in _commands(request["uv"], request["python"], folder, request["requires"]):
        print("$", *command, flush=True)
        status = subprocess.run(command, stdin=subprocess.DEVNULL, env=variables).returncode
        if status != 0:
            return status
    _move_scripts(folder, request["final"])
    listed = subprocess.run([python, "-I", "-c", _PACKAGES], stdout=subprocess.PIPE, check=True)
    facts = {
        "requires": request["requires"],
        "interpreter": request["interpreter"],
        "packages": {_canonical(name): v for name, v in json.loads(listed.stdout).items()},
    }
    (folder / "environment.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return 0


def _commands(uv: str | None, python: str, folder: Path, requires: list[str]) -> list[list[str]]:
    """Return what makes the environment: with uv where it is, else with venv and pip."""
    inside = str(folder / "bin" / "python")
    if uv is not None:
        return [
            [uv, "venv", "--no-project", "--python", python, str(folder)],
            [uv, "pip", "install", "--python", inside, "--compile-bytecode", *requires],
        ]
    return [
        [python, "-m", "venv", str(folder)],
        [inside, "-m", "pip", "install", "--no-input", "--progress-bar", "off", *requires],
    ]


def _move_scripts(folder: Path, final: str) -> None:
    """Make the scripts, which name their interpreter's whole path, fit for the final place."""
    here = str(folder).encode()
    for script in (folder / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        text = script.read_bytes()
        if here in text and b"\0" not in text:
            script.write_bytes(text.replace(here, final.encode()))


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
