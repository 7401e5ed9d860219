"""Plugins as their authors make them: generated, built, installed into a fresh environment, run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from impbench.errors import InputError
from impbench.plugin_new import write_project

pytestmark = pytest.mark.slow

FAR_AWAY = Path(__file__).with_name("out_of_tree_package")
IMPBENCH = str(Path(sys.executable).with_name("impbench"))

QUICK = """
title = "One small question, no controls"
seeds = 1
controls = false

[[question]]
datasets = ["sim_equal[n_cells=40,n_genes=60]"]
protocols = ["simulated-truth"]
"""


def call(
    *command: str | Path, cwd: Path | None = None, status: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Fresh:
    """An environment of its own that sees the packages of this one, with two plugins installed."""

    python: Path
    project: Path

    def impbench(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        return call(self.python, "-m", "impbench.cli", *arguments, cwd=cwd).stdout


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    folder = tmp_path_factory.mktemp("fresh")
    call(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    purelib = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout
    seen = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    lines = ["import site", *(f"site.addsitedir({path!r})" for path in sorted(seen))]
    (Path(purelib.strip()) / "seen.pth").write_text("; ".join(lines) + "\n")
    project = folder / "my-method"
    write_project("my-method", "package", project)
    far_away = folder / "far-away"
    shutil.copytree(FAR_AWAY, far_away)
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    call(python, "-m", "pip", "install", "-q", *offline, project, far_away)
    return Fresh(python, project)


def test_everything_a_package_adds_is_listed_by_its_name(fresh: Fresh) -> None:
    listing = json.loads(fresh.impbench("list", "--json"))
    assert listing["broken"] == []
    for kind, name in {
        "imputers": "far-smooth",
        "metrics": "far-zero-error",
        "datasets": "far-two-types",
        "protocols": "far-truth",
        "suites": "far-suite",
        "commands": "far-greet",
    }.items():
        assert name in listing[kind], kind
    assert "my-method" in listing["imputers"]


def test_installed_suite_runs_on_installed_data_with_installed_metric(
    fresh: Fresh, tmp_path: Path
) -> None:
    text = fresh.impbench("run", "--suite", "far-suite", "--json", "--out", "x", cwd=tmp_path)
    scores = json.loads(text)["scores"]
    assert {row["status"] for row in scores} == {"ok"}
    assert {"far-smooth", "far-smooth[weight=0.9]", "far-awk", "no-imputation", "oracle"} <= {
        row["imputer"] for row in scores
    }
    by_name = {row["imputer"]: row["value"] for row in scores if row["metric"] == "far-zero-error"}
    assert by_name["oracle"] == 0
    assert by_name["no-imputation"] > 0.1
    assert {row["dataset"] for row in scores} == {"far-two-types[n_cells=40]"}
    assert {row["protocol"] for row in scores} == {"far-truth"}
    page = (tmp_path / "x" / "report.html").read_text(encoding="utf-8")
    assert "Zero error" in page
    source = "impbench-far-away 0.1.0 (impbench_far_question)"
    told = json.loads((tmp_path / "x" / "manifest.json").read_text())["third_party"]
    named = [(kind, f"far-{name}", source) for kind, name in [
        ("dataset", "two-types"), ("protocol", "truth"), ("metric", "zero-error"),
    ]]  # fmt: skip
    assert [(item["kind"], item["name"], item["source"]) for item in told] == named
    assert page.count(source) >= 3


def test_installed_command_runs(fresh: Fresh) -> None:
    assert fresh.impbench("far-greet", "--whom", "Ada") == "greetings from far away, Ada\n"


def test_generated_package_runs_and_passes_its_own_tests(fresh: Fresh, tmp_path: Path) -> None:
    done = call(
        fresh.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", fresh.project / "tests",
        cwd=tmp_path,
    )  # fmt: skip
    assert re.search(r"\d\d passed", done.stdout)
    (tmp_path / "quick.toml").write_text(QUICK)
    text = fresh.impbench(
        "run", "--imputers", "my-method,my-method[weight=0.9]", "--suite", "quick.toml",
        "--json", "--out", "x", cwd=tmp_path,
    )  # fmt: skip
    mine = [row for row in json.loads(text)["scores"] if row["imputer"].startswith("my-method")]
    assert len(mine) >= 4
    assert {row["status"] for row in mine} == {"ok"}


@pytest.mark.parametrize(("kind", "suffix"), [("file", "py"), ("command", "toml")])
def test_generated_file_runs_and_passes_its_own_tests(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    call(IMPBENCH, "plugin", "new", "my-method", "--kind", kind, cwd=tmp_path)
    project = tmp_path / "my-method"
    plugin = f"my_method.{suffix}"
    tests = call(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert re.search(r"\d\d passed", tests.stdout)
    (project / "quick.toml").write_text(QUICK)
    done = call(
        IMPBENCH, "run", "--plugin", plugin, "--imputers", "my-method", "--suite", "quick.toml",
        "--json", "--out", "x", cwd=project,
    )  # fmt: skip
    mine = [row for row in json.loads(done.stdout)["scores"] if row["imputer"] == "my-method"]
    assert mine
    assert {row["status"] for row in mine} == {"ok"}


def test_generated_adapter_is_locked_tried_and_runs_in_its_environment(tmp_path: Path) -> None:
    call(IMPBENCH, "plugin", "new", "field-friend", "--kind", "environment", cwd=tmp_path)
    project = tmp_path / "field-friend"
    env = [IMPBENCH, "env"]
    told = call(*env, "lock", "field-friend", "--plugin", "field_friend.py", cwd=project).stdout
    lock = project / "locks" / "field_friend.txt"
    assert told.strip() == str(lock)
    assert "scikit-learn==" in lock.read_text()
    tried = call(*env, "test", "field-friend", "--plugin", "field_friend.py", cwd=project).stdout
    assert "seeds: honoured" in tried
    tests = call(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert re.search(r"\d\d passed", tests.stdout)


def test_edited_method_that_breaks_a_promise_fails_with_reason_and_remedy(tmp_path: Path) -> None:
    write_project("my-method", "file", tmp_path / "x")
    file = tmp_path / "x" / "my_method.py"
    file.write_text(file.read_text().replace("observed.lognorm\n", "observed.lognorm[::-1]\n"))
    test = [IMPBENCH, "plugin", "test", "my-method", "--plugin", file]
    rows = json.loads(call(*test, "--json", status=1).stdout)
    failed = {row["check"]: row for row in rows if row["verdict"] == "failed"}
    assert "cell-order" in failed
    assert all(row["message"] and row["reason"] and row["remedy"] for row in failed.values())
    table = call(*test, status=1).stdout
    assert "failed   cell-order: " in table
    assert f"{len(failed)} failed" in table


def test_plugin_test_of_a_good_method_ends_well() -> None:
    done = call(IMPBENCH, "plugin", "test", "gene-mean")
    assert "passed   shape\n" in done.stdout
    assert " 0 failed" in done.stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("My Method", "cannot name a method and a module"),
        ("class", "cannot name a method and a module"),
        ("2fast", "cannot name a method and a module"),
        ("magic", "there is an imputer called 'magic' already"),
        ("numpy", "a module 'numpy' is installed already"),
    ],
)
def test_name_that_will_not_do_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        write_project(name, "package", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("keep")
    done = call(IMPBENCH, "plugin", "new", "my-method", "--out", tmp_path, status=2, cwd=tmp_path)
    assert "is not empty; give another folder with --out" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
