"""Every command and snippet in the documentation works, in the order of its page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def run_page(text: str, folder: Path) -> None:
    """Write the page's files and run its bash and python blocks, except those that make a venv."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for language, file, body in BLOCK.findall(text):
        if file:
            (folder / file).write_text(body, encoding="utf-8")
            continue
        command = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
        if language not in command or "venv" in body:
            continue
        done = subprocess.run(
            [*command[language], body],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES)
def test_everything_a_page_tells_to_run_works(page: str, tmp_path: Path) -> None:
    run_page((ROOT / page).read_text(encoding="utf-8"), tmp_path)


def test_a_broken_snippet_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no imputer is called"):
        run_page("```bash\nimpbench run --imputers magick\n```\n", tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    source = ROOT / page
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", source.read_text("utf-8")):
        assert (source.parent / target).exists(), f"{page} links to {target}"
