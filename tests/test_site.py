"""What the documentation site promises beyond what building it checks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import impbench
from impbench.registry import registry

DOCS = Path(__file__).parents[1] / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.ipynb"))


def test_every_public_name_is_in_the_reference() -> None:
    pages = "".join(path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md"))
    documented = set(re.findall(r"^\.\. (?:auto)?\w+:: impbench\.(\w+)\b", pages, re.MULTILINE))
    assert set(impbench.__all__) - documented == {"__version__"}


def test_every_imputer_stands_among_the_methods() -> None:
    listed = set(re.findall(r"`([\w-]+)`", (DOCS / "methods.md").read_text("utf-8")))
    assert {item.name for item in registry().parts("imputers").ours()} <= listed


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorials_are_stored_without_output(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
