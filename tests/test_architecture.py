"""The rooms of the package stand as docs/architecture.md draws them; no file outgrows one idea."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 400
"""Lines of a file."""


def test_no_import_circles_and_no_room_above_its_place() -> None:
    # Apart: import-linter sets up logging for its whole process.
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_longer_than_one_idea_needs() -> None:
    files = [path for top in ("impbench", "plugins") for path in (ROOT / top).rglob("*.py")]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lengths) > 200
    assert {path for path, lines in lengths.items() if lines > LONGEST} == set()


def test_a_class_name_means_one_thing() -> None:
    homes: dict[str, list[Path]] = {}
    for path in (ROOT / "impbench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(path)
    assert len(homes) > 150
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}
