"""The workflows of GitHub run what is there, and no code that could change behind our back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

GITHUB = Path(__file__).parents[1] / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
FORMS = sorted(path for path in GITHUB.glob("ISSUE_TEMPLATE/*.yml") if path.stem != "config")


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_one_commit_and_the_token_can_do_nothing(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", text) for text in used)
    assert yaml.safe_load(path.read_text("utf-8"))["permissions"] == {"contents": "read"}


def test_only_the_release_can_publish_and_only_by_trust() -> None:
    release = yaml.safe_load((GITHUB / "workflows" / "release.yml").read_text("utf-8"))
    assert release["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert release["jobs"]["publish"]["environment"]["name"] == "pypi"
    texts = [path.read_text("utf-8") for path in WORKFLOWS]
    assert not any("secrets." in text for text in texts)


def test_what_the_workflows_run_is_what_ci_runs() -> None:
    runs = [step.get("run", "") for path in WORKFLOWS for step in steps(path)]
    assert ".ci/run" in runs
    ci = (GITHUB.parent / ".ci" / "run").read_text("utf-8")
    assert "twine check --strict dist/*" in ci
    assert any("twine check --strict dist/*" in text for text in runs)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_ask_each_thing_once(path: Path) -> None:
    form = yaml.safe_load(path.read_text("utf-8"))
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids) >= 4
    assert any(field.get("validations", {}).get("required") for field in form["body"])
