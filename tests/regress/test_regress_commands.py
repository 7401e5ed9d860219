"""The commands on real runs: an imputer is edited, and the check notices."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from impbench.cli import main

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "check" / "action.yml"
SUITE = """
title = "small"
seeds = 3
controls = false
imputers = ["shrink"]

[[question]]
datasets = ["sim_equal[n_cells=60,n_genes=80]"]
protocols = ["simulated-truth"]
"""
SHRINK = '''
from dataclasses import dataclass

import numpy as np

from impbench import Context, Imputed, Imputer, Observed, hookimpl


@dataclass(frozen=True)
class Shrink(Imputer):
    """Fills zeros with a share of the gene's mean, plus a little noise."""

    name = "shrink"
    summary = "Fills zeros with a share of the gene's mean."
    input_scale = "lognorm"
    stochastic = True

    def impute(self, observed: Observed, context: Context) -> Imputed:
        values = observed.lognorm
        noise = np.random.default_rng(context.seed).normal(1, 0.1, size=values.shape)
        return Imputed(np.where(values > 0, values, 0.6 * values.mean(axis=0) * noise), "lognorm")


@hookimpl
def impbench_imputers():
    return [Shrink]
'''
RUN = """
import sys
import impbench
seeds = range(int(sys.argv[3]), int(sys.argv[3]) + 3)
impbench.run("small.toml", sys.argv[2], plugins=[sys.argv[1]], seeds=tuple(seeds), report=False)
"""


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Impbench = Callable[..., Done]


@pytest.fixture
def impbench(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Impbench:
    """The command line, in this process: Python need not start for every call."""

    def command(*arguments: str) -> Done:
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["impbench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return command


def call(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": path, **variables}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs ``before``, ``others`` (the same method, seeds 4 to 6) and ``worse``; a baseline."""
    folder = tmp_path_factory.mktemp("regress")
    (folder / "small.toml").write_text(SUITE, encoding="utf-8")
    (folder / "shrink.py").write_text(SHRINK, encoding="utf-8")
    # A slip that costs about 5 % of MSE.
    (folder / "edited.py").write_text(SHRINK.replace("0.6 *", "0.577 *"), encoding="utf-8")
    runs = [("shrink.py", "before", "1"), ("shrink.py", "others", "4"), ("edited.py", "worse", "1")]
    for arguments in runs:
        done = call(folder, sys.executable, "-c", RUN, *arguments)
        assert done.returncode == 0, done.stderr
    done = call(folder, "impbench", "baseline", "create", "before", "-o", "baseline.json")
    assert done.returncode == 0, done.stderr
    return folder


def test_unchanged_method_passes_with_the_same_seeds_and_with_others(impbench: Impbench) -> None:
    for run in ("before", "others"):
        done = impbench("check", run, "--baseline", "baseline.json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("pass"), done.stdout


def test_five_percent_loss_of_an_edited_method_fails_the_build(
    place: Path, impbench: Impbench
) -> None:
    files = ["--junit", "junit.xml", "--markdown", "summary.md"]
    done = impbench("check", "worse", "-b", "baseline.json", "--json", *files)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    (mse,) = [f for f in found["findings"] if (f["imputer"], f["metric"]) == ("shrink", "mse")]
    assert mse["status"] == "regression"
    assert 0.04 < mse["loss"] / mse["baseline"]["mean"] < 0.06
    assert any("shrink is version" in note for note in found["notes"])
    root = ElementTree.parse(place / "junit.xml").getroot()
    assert root.findall(".//failure[@type='regression']")
    assert "regression" in (place / "summary.md").read_text(encoding="utf-8")


def test_accepting_command_of_the_output_accepts(impbench: Impbench) -> None:
    done = impbench("check", "worse", "-b", "baseline.json")
    command = done.stdout.strip().splitlines()[-1].split()
    command[command.index("-o") + 1] = "accepted.json"
    assert impbench(*command[1:]).returncode == 0
    assert impbench("check", "worse", "-b", "accepted.json").returncode == 0


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (('"suite": "small"', '"suite": "other"'), "changed after impbench wrote it"),
        (('"mean": ', '"mean": 1'), "changed after impbench wrote it"),
        (('"n": 3', '"n": NaN'), "changed after impbench wrote it"),
    ],
)
def test_edited_baseline_is_one_sentence_and_status_2_everywhere(
    place: Path, impbench: Impbench, edit: tuple[str, str], message: str
) -> None:
    text = (place / "baseline.json").read_text(encoding="utf-8")
    (place / "edited.json").write_text(text.replace(*edit, 1), encoding="utf-8")
    files = ["--junit", "bad.xml", "--markdown", "bad.md"]
    done = impbench("check", "before", "-b", "edited.json", "--json", *files)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["exit_code"] == 2
    assert ElementTree.parse(place / "bad.xml").getroot().findall(".//error")
    assert "cannot compare" in (place / "bad.md").read_text(encoding="utf-8")


def test_compare_shows_both_runs_with_the_same_verdict(impbench: Impbench) -> None:
    shown = impbench("compare", "before", "worse")
    assert shown.returncode == 0, shown.stderr
    assert "A = before, B = worse" in shown.stdout
    assert "shrink  mse" in shown.stdout.partition("regression:")[2].partition("identical:")[0]
    same = json.loads(impbench("compare", "before", "others", "--json").stdout)
    assert same["counts"]["regression"] == same["counts"]["improvement"] == 0
    assert impbench("compare", "before", "absent").returncode == 2


TEST = """
def test_wide_floors(impbench_scores):
    floors = ["mse=9%", "dropout-mse=9%", "pearson-cell=0.1", "pearson-gene=0.1"]
    scores = impbench_scores("small.toml", plugins=["edited.py"], seeds=3, floors=floors)
    assert scores.status.eq("ok").all()

def test_default_floors(impbench_scores):
    impbench_scores("small.toml", plugins=["edited.py"], seeds=3)
"""


def test_pytest_fixture_holds_scores_against_the_baseline(place: Path) -> None:
    (place / "test_scores.py").write_text(TEST, encoding="utf-8")
    done = call(place, "pytest", "-q", "test_scores.py", "--impbench-baseline", "baseline.json")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "a mean of" in done.stdout
    assert "Traceback" not in done.stdout


def test_pytest_plugin_costs_other_peoples_tests_nothing() -> None:
    script = (
        "import sys, pytest; before = set(sys.modules); import impbench.pytest_plugin;"
        "print(sorted(m.partition('.')[0] for m in set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert set(json.loads(done.stdout.replace("'", '"'))) <= {"impbench"}


def test_github_action_runs_checks_and_writes_the_step_summary(place: Path) -> None:
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    inputs = {name: facts.get("default", "") for name, facts in action["inputs"].items()}
    # The folder holds these results already, so that nothing is run again.
    inputs |= {"suite": "small.toml", "seeds": "3", "out": "worse", "baseline": "baseline.json"}
    inputs |= {"plugin": "edited.py", "floor": "mse=9%"}
    summary = place / "step-summary.md"
    for step in action["runs"]["steps"][1:]:
        env = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: inputs[m[1]], value)
            for name, value in step["env"].items()
        }
        env["GITHUB_STEP_SUMMARY"] = str(summary)
        done = call(place, step["shell"], "-eo", "pipefail", "-c", step["run"], **env)
    assert done.returncode == 1, done.stdout + done.stderr
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("### impbench: regression")
    assert "| dropout-mse |" in text
    assert "| mse |" not in text
    assert (place / "worse" / "junit.xml").is_file()


def test_example_workflow_gives_the_action_only_inputs_it_has() -> None:
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "regression.md").read_text(encoding="utf-8")
    workflow = yaml.safe_load(page.partition("```yaml file=scores.yml\n")[2].partition("```")[0])
    (given,) = [
        step["with"]
        for step in workflow["jobs"]["check"]["steps"]
        if "actions/check@" in step["uses"]
    ]
    assert set(given) <= set(action["inputs"])
    assert {name for name, i in action["inputs"].items() if i.get("required")} <= set(given)
