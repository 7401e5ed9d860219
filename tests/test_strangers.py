"""A stranger's plugin is imported by the processes that impute, and by nobody who scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import impbench
from impbench import registry as registry_module
from impbench.errors import InputError
from impbench.registry import load_file, registry

pytestmark = pytest.mark.slow

MEDDLER = """
import os, pathlib, sys
from dataclasses import dataclass
import numpy as np
import impbench
from impbench.metrics.metric import Metric

try:
    with open({notes!r}, "a") as notes:
        command = pathlib.Path("/proc/self/cmdline").read_bytes().replace(b"\\0", b" ")
        notes.write(f"{{os.getpid()}} {{command.decode()}}\\n")
except OSError:
    pass  # a process that is kept apart

import impbench.scoring.score
impbench.scoring.score.score = impbench.scoring.score._problem = None
Metric.__call__ = lambda self, *args, **evidence: self.ideal
np.mean = lambda *args, **options: 0.0

@dataclass(frozen=True)
class Meddler(impbench.Imputer):
    name, summary, input_scale = "meddler", "Leaves the data alone, and not its judges.", "lognorm"

    def impute(self, observed, context):
        return impbench.Imputed(observed.lognorm.copy(), "lognorm")

@impbench.hookimpl
def impbench_imputers():
    return [Meddler]
"""

IMPUTER = """
@dataclass(frozen=True)
class Mine(impbench.Imputer):
    name, summary, input_scale = "mine", "Leaves the data alone.", "lognorm"

    def impute(self, observed, context):
        return impbench.Imputed(observed.lognorm.copy(), "lognorm")

@impbench.hookimpl
def impbench_imputers():
    return [Mine]
"""
METRIC = """
@impbench.metric("my-metric", title="Mine", direction="min")
def my_metric(imputed):
    "Always the same."
    return 7.0

@impbench.hookimpl
def impbench_metrics():
    return [my_metric]
"""
PROTOCOL = """
@dataclass(frozen=True)
class MyProtocol(SimulatedTruth):
    name = "my-protocol"

    def pose(self, dataset, seed):
        return replace(super().pose(dataset, seed), metrics=("my-metric",))

@impbench.hookimpl
def impbench_protocols():
    return [MyProtocol]
"""
DATASET = """
@dataclass(frozen=True)
class MyData(Source):
    name, summary = "my-data", "Two cells' worth of nothing."

    def load(self):
        return replace(impbench.registry.registry().dataset(SMALL).load(), name=self.name)

@impbench.hookimpl
def impbench_datasets():
    return [MyData]
"""
EXECUTOR = """
@dataclass(frozen=True)
class MyExecutor(Local):
    name, summary = "my-executor", "Works as the local one does."

@impbench.hookimpl
def impbench_executors():
    return [MyExecutor]
"""
SMALL = "sim_equal[n_cells=40,n_genes=60]"
HEAD = f"""
from dataclasses import dataclass, replace
import impbench, impbench.registry
from impbench.data.dataset import Source
from impbench.executors.local import Local
from impbench.protocols.simulated_truth import SimulatedTruth
SMALL = {SMALL!r}
"""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A registry of this test's own, forgotten afterwards."""
    monkeypatch.setattr(registry_module, "_files", [])
    registry.cache_clear()
    yield
    registry.cache_clear()


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def install(folder: Path, modules: dict[str, str], points: dict[str, str]) -> None:
    """Lay out a package as `pip install` does: modules by path, entry points by name."""
    for name, text in modules.items():
        write(folder / name, text)
    lines = "\n".join(f"{name} = {module}" for name, module in points.items())
    write(folder / "theirs-1.2.dist-info" / "entry_points.txt", f"[impbench]\n{lines}\n")
    write(
        folder / "theirs-1.2.dist-info" / "METADATA",
        "Metadata-Version: 2.1\nName: theirs\nVersion: 1.2\n",
    )


def call(*arguments: str | Path, cwd: Path, status: int = 0, path: Path | None = None) -> Any:
    """Run the command line; `path` holds installed packages."""
    variables = dict(os.environ)
    if path is not None:
        variables["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "impbench.cli", *map(str, arguments)],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    return done


def run(
    *options: str | Path, cwd: Path, status: int = 0, path: Path | None = None
) -> dict[tuple[str, str], float]:
    """Run one small question; return values by imputer and metric."""
    chosen = [] if "--datasets" in options else ["--datasets", SMALL]
    command = ("run", *chosen, "--seeds", "1", "--no-report", "--json", "-j", "1", *options)
    done = call(*command, cwd=cwd, status=status, path=path)
    if status == 2:
        return {}
    rows = json.loads(done.stdout)["scores"]
    return {(row["imputer"], row["metric"]): row["value"] for row in rows}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def meets_no_judge(notes: Path, scores: dict[tuple[str, str], float]) -> None:
    """Check who imported the meddler, and that it was judged like anybody."""
    processes = notes.read_text().splitlines() if notes.exists() else []
    for process in processes:
        assert "impbench.worker.worker" in process or "impbench.worker.describe" in process
    assert scores["meddler", "mse"] == scores["no-imputation", "mse"] > 0.1
    assert scores["meddler", "dropout-mse"] == scores["no-imputation", "dropout-mse"] > 0.1


def test_plugin_file_is_imported_neither_by_the_runner_nor_by_the_scorer(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    plugin = write(tmp_path / "meddler.py", MEDDLER.format(notes=str(notes)))
    options = ("--protocols", "simulated-truth", "--imputers", "meddler")
    scores = run("--plugin", plugin, *options, cwd=tmp_path)
    meets_no_judge(notes, scores)
    honest = run(
        "--protocols", "simulated-truth", "--imputers", "gene-mean", "--out", "h", cwd=tmp_path
    )
    assert scores["no-imputation", "mse"] == honest["no-imputation", "mse"]


def test_installed_plugin_is_imported_neither_by_the_runner_nor_by_the_scorer(
    tmp_path: Path,
) -> None:
    notes, site = tmp_path / "notes", tmp_path / "site"
    source = {"theirs/__init__.py": "", "theirs/m.py": MEDDLER.format(notes=str(notes))}
    install(site, source, {"meddles": "theirs.m"})
    options = ("--protocols", "simulated-truth", "--imputers", "meddler", "--suite", "default")
    meets_no_judge(notes, run(*options, cwd=tmp_path, path=site))
    for command in ("list", "info"):
        call(command, *(["meddler"] if command == "info" else []), cwd=tmp_path, path=site)
    processes = notes.read_text().splitlines() if notes.exists() else []
    assert not [line for line in processes if "impbench.cli" in line]


def test_installed_plugin_that_nobody_asks_for_is_not_even_described(tmp_path: Path) -> None:
    notes, site = tmp_path / "notes", tmp_path / "site"
    install(site, {"theirs.py": MEDDLER.format(notes=str(notes))}, {"meddles": "theirs"})
    options = ("--protocols", "simulated-truth", "--imputers", "gene-mean")
    run(*options, cwd=tmp_path, path=site)
    assert not notes.exists()


def test_the_meddler_notes_whoever_imports_it(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    plugin = write(tmp_path / "meddler.py", MEDDLER.format(notes=str(notes)))
    script = (
        "import sys, pathlib, impbench; from impbench.registry import load_file\n"
        "load_file(pathlib.Path(sys.argv[1]))\n"
        "print(type(impbench.get_imputer('meddler')).__module__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(plugin)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("impbench_file_meddler_")
    assert any(" -c " in line for line in notes.read_text().splitlines())


def test_scorer_imports_none_of_our_own_methods_either(tmp_path: Path) -> None:
    looks = METRIC.replace(
        "return 7.0",
        "import sys\n"
        "    try:\n"
        "        import impbench_plugins.controls\n"
        "    except ImportError:\n"
        "        return float(sum(name.startswith('impbench_plugins') for name in sys.modules))\n"
        "    return -1.0",
    )
    plugin = write(tmp_path / "looks.py", HEAD + looks + PROTOCOL)
    options = ("--protocols", "my-protocol", "--imputers", "gene-mean")
    scores = run("--plugin", plugin, *options, cwd=tmp_path)
    assert scores["gene-mean", "my-metric"] == 0


@pytest.mark.parametrize(
    ("files", "options", "named"),
    [
        ([IMPUTER + METRIC + PROTOCOL], ("--protocols", "my-protocol"), "protocol 'my-protocol'"),
        ([IMPUTER + METRIC, PROTOCOL], ("--protocols", "my-protocol"), "metric 'my-metric'"),
        (
            [IMPUTER + DATASET],
            ("--datasets", "my-data", "--protocols", "simulated-truth"),
            "dataset 'my-data'",
        ),
        (
            [IMPUTER + EXECUTOR],
            ("--executor", "my-executor", "--protocols", "simulated-truth"),
            "executor 'my-executor'",
        ),
    ],
)
def test_plugin_that_would_judge_its_own_method_is_refused_before_anything_runs(
    tmp_path: Path, files: list[str], options: tuple[str, ...], named: str
) -> None:
    plugins: list[str | Path] = []
    for i, text in enumerate(files):
        plugins += ["--plugin", write(tmp_path / f"file{i}.py", HEAD + text)]
    command = ("run", *plugins, *options, "--datasets", SMALL, "--out", "x")
    command = command if "my-data" not in options else ("run", *plugins, *options, "--out", "x")
    done = call(*command, "--imputers", "mine", cwd=tmp_path, status=2)
    assert "file0.py brings both the imputer 'mine' and the " + named in done.stderr
    assert "into a file or package of its own, or leave the imputer out" in done.stderr
    assert not list(tmp_path.glob("x/records/*"))
    # Without the imputer the same files ask as any other's do.
    rest = [*plugins, *options, "--imputers", "gene-mean", "--out", "y"]
    scores = run(*rest, cwd=tmp_path)
    told = json.loads((tmp_path / "y" / "manifest.json").read_text())["third_party"]
    assert f"{told[0]['kind']} '{told[0]['name']}'" == named or len(told) == 2
    assert all("(SHA-256 " in item["source"] for item in told)
    assert ("gene-mean", "my-metric") not in scores or scores["gene-mean", "my-metric"] == 7


def test_two_modules_of_one_package_are_one_plugin(tmp_path: Path) -> None:
    site = tmp_path / "site"
    modules = {
        "theirs/__init__.py": "",
        "theirs/methods.py": HEAD + IMPUTER,
        "theirs/questions.py": HEAD + METRIC + PROTOCOL,
    }
    install(site, modules, {"methods": "theirs.methods", "questions": "theirs.questions"})
    options = ("run", "--datasets", SMALL, "--protocols", "my-protocol", "--imputers", "mine")
    done = call(*options, cwd=tmp_path, path=site, status=2)
    assert "brings both the imputer 'mine' and the protocol 'my-protocol'" in done.stderr


def test_two_packages_are_two_plugins_and_the_manifest_names_the_one_that_asks(
    tmp_path: Path,
) -> None:
    site = tmp_path / "site"
    modules = {
        "their_methods/__init__.py": HEAD + IMPUTER,
        "their_questions/__init__.py": HEAD + METRIC + PROTOCOL,
    }
    install(site, modules, {"methods": "their_methods", "questions": "their_questions"})
    options = ("--protocols", "my-protocol", "--imputers", "mine", "--out", "x")
    scores = run(*options, cwd=tmp_path, path=site)
    assert scores["mine", "my-metric"] == 7
    told = json.loads((tmp_path / "x" / "manifest.json").read_text())["third_party"]
    assert {item["source"] for item in told} == {"theirs 1.2 (their_questions)"}
    assert [item["name"] for item in told] == ["my-protocol", "my-metric"]


def test_question_that_imports_the_package_of_a_method_is_refused(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, {"their_methods/__init__.py": HEAD + IMPUTER}, {"methods": "their_methods"})
    question = HEAD + "import their_methods\n" + METRIC + PROTOCOL
    plugin = write(tmp_path / "question.py", question)
    options = ("run", "--plugin", plugin, "--datasets", SMALL, "--protocols", "my-protocol")
    done = call(*options, "--imputers", "mine", cwd=tmp_path, path=site, status=2)
    assert "an imputer of 'their_methods' takes part in this run" in done.stderr
    call(*options, "--imputers", "gene-mean", "--no-report", cwd=tmp_path, path=site)


def test_executor_that_imports_the_package_of_a_method_is_refused(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, {"their_methods/__init__.py": HEAD + IMPUTER}, {"methods": "their_methods"})
    plugin = write(tmp_path / "executor.py", HEAD + "import their_methods\n" + EXECUTOR)
    options = ("run", "--plugin", plugin, "--executor", "my-executor", "--datasets", SMALL)
    done = call(*options, "--imputers", "mine", cwd=tmp_path, path=site, status=2)
    assert "an imputer of 'their_methods' takes part in this run" in done.stderr


def test_stranger_s_control_is_refused(fresh: None, tmp_path: Path) -> None:
    claims = IMPUTER.replace("    def impute", "    is_control = True\n\n    def impute")
    load_file(write(tmp_path / "claims.py", HEAD + claims))
    with pytest.raises(InputError, match=r"controls.*are impbench's own: delete that line"):
        _raise_broken()
    assert "mine" not in registry().imputers


def _raise_broken() -> None:
    (broken,) = registry().broken
    raise InputError(broken.reason)


def test_own_process_gets_the_real_class_and_the_runner_does_not(
    fresh: None, tmp_path: Path
) -> None:
    load_file(write(tmp_path / "mine.py", HEAD + IMPUTER))
    adata = impbench.simulate("sim_equal", n_cells=30, seed=1)
    known = registry().imputer("mine")
    with pytest.raises(TypeError, match="known here by its description alone"):
        known.impute(None, None)  # type: ignore[arg-type]
    assert type(known).__module__ not in sys.modules
    done = impbench.impute(adata, "mine", copy=True)
    assert done is not None
    assert done.layers["imputed"].shape == adata.shape
    assert type(known).__module__ in sys.modules
