"""What people and programs are shown, whatever the names of imputers hold."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from impbench.regress.check import check
from impbench.regress.measured import measure
from impbench.regress.output import as_json, junit, markdown, terminal_text
from impbench.regress.verdict import MEANING, BuildCheck

Make = Callable[..., Path]
D, P = "d", "p"
OLD = [0.400, 0.402, 0.399, 0.401, 0.400]
HOSTILE = 'a|b <script>&"\x1b[31m`*_@x'


@pytest.fixture
def mixed(make_run: Make) -> BuildCheck:
    """One finding of nearly every status, with hostile names."""
    mse = {"mse": OLD}
    better, worse = ({"mse": [f * value for value in OLD]} for f in (0.9, 1.2))
    old = {(D, P, n): mse for n in ("up", HOSTILE, "gone", "breaks")}
    new = {(D, P, "up"): better, (D, P, HOSTILE): worse, (D, P, "added"): mse}
    a = measure(make_run("a", old))
    b = measure(
        make_run("b", {**new, (D, P, "breaks"): mse}, failing={("breaks", 2): HOSTILE + "\x00"})
    )
    return check(a, b)


def test_junit_is_well_formed_and_counts_as_the_check_does(mixed: BuildCheck) -> None:
    suite = ElementTree.fromstring(junit(mixed)).find("testsuite")
    assert suite is not None
    counts = {key: int(suite.get(key, "")) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 6, "failures": 2, "errors": 1, "skipped": 1}
    (failure,) = suite.findall("testcase/failure[@type='regression']")
    assert "would have passed" in failure.get("message", "")


def test_json_holds_every_finding(mixed: BuildCheck) -> None:
    data = json.loads(json.dumps(as_json(mixed, "run", "b.json"), allow_nan=False))
    assert data["exit_code"] == mixed.exit_code == 1
    assert sum(data["counts"].values()) == len(data["findings"]) == 5
    assert set(data["counts"]) == set(MEANING)


def test_markdown_keeps_hostile_names_inside_their_cells(mixed: BuildCheck) -> None:
    lines = markdown(mixed, "run", "b.json").splitlines()
    table = [line for line in lines if line.startswith("|")]
    bars = {line.replace("\\|", "").count("|") for line in table}
    assert bars == {10}
    assert "<script" not in "\n".join(lines).replace("\\<", "")
    assert "\x1b" not in "\n".join(lines)


def test_terminal_says_what_moved_why_and_how_to_accept_it(mixed: BuildCheck) -> None:
    text = terminal_text(mixed, "my run", "b.json")
    for part in ("regression", "improvement", "up  mse", "a mean of", "\\x1b[31m"):
        assert part in text, part
    assert "impbench baseline create 'my run' -o b.json" in text
    assert "\x1b" not in text
