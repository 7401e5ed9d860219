"""Build one environment in a process that ends, with all it started, when the runner exits.

Run as ``python -P -m impbench.environments.build request.json``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.utils import canonicalize_name

from impbench.worker.parent_watch import die_with_parent

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
    packages = list(request["requires"])
    if request["constraints"]:
        constraints = request_path.with_name("constraints.txt")
        constraints.write_text("\n".join(request["constraints"]) + "\n", encoding="utf-8")
        packages += ["--constraint", str(constraints)]
    for way in _ways(request["uv"], request["python"], folder, packages):
        shutil.rmtree(folder, ignore_errors=True)
        status = _carry_out(way, variables)
        if status == 0:
            break
    else:
        return status
    _move_scripts(folder, request["final"])
    listed = subprocess.run([python, "-I", "-c", _PACKAGES], stdout=subprocess.PIPE, check=True)
    facts = {
        "requires": request["requires"],
        "interpreter": request["interpreter"],
        "packages": {canonicalize_name(name): v for name, v in json.loads(listed.stdout).items()},
    }
    (folder / "environment.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return 0


def _ways(uv: str | None, python: str, folder: Path, packages: list[str]) -> list[list[list[str]]]:
    """Return the ways to make the environment, each a list of commands.

    With uv where it is; pip is asked too, because it may know a mirror or a certificate, from its
    own configuration, that uv does not.
    """
    inside = str(folder / "bin" / "python")
    with_uv = [
        [uv or "uv", "venv", "--no-project", "--python", python, str(folder)],
        [uv or "uv", "pip", "install", "--python", inside, "--compile-bytecode", *packages],
    ]
    with_pip = [
        [python, "-m", "venv", str(folder)],
        [inside, "-m", "pip", "install", "--no-input", "--progress-bar", "off", *packages],
    ]
    return [with_pip] if uv is None else [with_uv, with_pip]


def _carry_out(commands: list[list[str]], variables: dict[str, str]) -> int:
    """Run one command after the other until one fails; return the last status."""
    status = 0
    for command in commands:
        print("$", *command, flush=True)
        status = subprocess.run(command, stdin=subprocess.DEVNULL, env=variables).returncode
        if status != 0:
            break
    return status


def _move_scripts(folder: Path, final: str) -> None:
    """Make the scripts, which name their interpreter's whole path, fit for the final place."""
    here = str(folder).encode()
    for script in (folder / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        text = script.read_bytes()
        if here in text and b"\0" not in text:
            script.write_bytes(text.replace(here, final.encode()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
