"""A stranger's executor: one file, through the same door as ours, with the same results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from impbench import api
from impbench import registry as registry_module
from impbench.cli import app
from impbench.errors import InputError
from impbench.executors.local import Local
from impbench.plan.separation import Answering
from impbench.registry import load_file, registry
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.settings import Settings
from impbench.scoring.imports import NotApartError

pytestmark = pytest.mark.slow

ONE_BY_ONE = Path(__file__).parents[1] / "example_plugins" / "one_by_one.py"
COST = ("wall-seconds", "cpu-seconds", "peak-memory")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> object:
    """A registry of this test's own, forgotten afterwards."""
    monkeypatch.setattr(registry_module, "_files", [])
    registry.cache_clear()
    yield
    registry.cache_clear()


def run(out: Path, *options: str) -> list[Record]:
    suite = out.with_suffix(".toml")
    suite.write_text(
        'title = "tiny"\nimputers = ["gene-mean"]\ncontrols = false\nseeds = 1\n[[question]]\n'
        'datasets = ["sim_equal[n_cells=40,n_genes=60]"]\nprotocols = ["simulated-truth"]\n'
    )
    choice = ["--suite", str(suite), "--out", str(out), "--quiet", "--no-report"]
    result = CliRunner().invoke(app, ["run", *choice, *options])
    assert result.exit_code == 0, result.output
    return Store.open(out).read().records


def results(records: list[Record]) -> dict[str, object]:
    found: dict[str, object] = {}
    for record in records:
        scores = {name: value for name, value in record.scores.items() if name not in COST}
        found[record.key] = (record.job, record.status, scores)
    return found


def test_one_file_brings_an_executor_and_its_scores_are_those_of_local(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    spec = f"one-by-one[diary={diary},backwards=true]"
    records = run(tmp_path / "theirs", "--plugin", str(ONE_BY_ONE), "--executor", spec)
    lines = diary.read_text().splitlines()
    # Controls that see the truth are planned last.
    assert lines == ["oracle (1,)", "attainable (1,)", "gene-mean (1,)"]
    ours = run(tmp_path / "ours")
    assert len(records) == len(ours) == 3
    assert results(records) == results(ours)
    manifest = json.loads((tmp_path / "theirs" / "manifest.json").read_text())
    assert manifest["environment"]["executor"] == "one-by-one"
    assert manifest["environment"]["jobs"] == 1
    (told,) = manifest["third_party"]
    assert (told["kind"], told["name"]) == ("executor", "one-by-one")
    assert str(ONE_BY_ONE) in told["source"]
    manifest = json.loads((tmp_path / "ours" / "manifest.json").read_text())
    assert manifest["environment"]["executor"] == "local"
    assert manifest["third_party"] == []


def test_executors_are_listed_and_described_like_everything_else() -> None:
    listed = CliRunner().invoke(app, ["list", "executors", "--plugin", str(ONE_BY_ONE), "--json"])
    names = set(json.loads(listed.stdout)["executors"])
    assert names == {"local", "dask", "slurm", "pbs", "lsf", "sge", "one-by-one"}
    told = CliRunner().invoke(app, ["info", "one-by-one", "--plugin", str(ONE_BY_ONE)]).stdout
    assert "one-by-one (executor)" in told
    assert "File with a line per task." in told


def test_class_that_carries_nothing_out_is_refused(tmp_path: Path) -> None:
    plugin = tmp_path / "idle.py"
    plugin.write_text(
        "from impbench import hookimpl\n"
        "from impbench.runner.executor import Executor\n"
        "class Idle(Executor):\n"
        "    name, summary = 'idle', 'Does nothing.'\n"
        "@hookimpl\n"
        "def impbench_executors():\n"
        "    return [Idle]\n"
    )
    load_file(plugin)
    (broken,) = registry().broken
    assert "the executor 'idle' does not define carry_out" in broken.reason


def test_class_that_is_no_executor_is_refused(tmp_path: Path) -> None:
    plugin = tmp_path / "other.py"
    plugin.write_text(
        "from impbench import hookimpl\n"
        "from impbench.parameters import Parametrised\n"
        "class Other(Parametrised):\n"
        "    name, summary = 'other', 'Is something else.'\n"
        "@hookimpl\n"
        "def impbench_executors():\n"
        "    return [Other]\n"
    )
    load_file(plugin)
    with pytest.raises(InputError, match=r"'other' is no subclass of impbench\.runner\.executor"):
        api.find_executor("other")


@dataclass(frozen=True)
class Own(Local):
    """One that the caller made."""

    name = "own"


def test_executor_that_the_caller_made_is_taken_unless_an_imputer_s_package_has_it() -> None:
    own = Own()
    assert api.find_executor(own) is own
    answering = Answering({__name__.partition(".")[0]: "mine"})
    with pytest.raises(NotApartError, match="must not carry out the run that its own imputer"):
        api.find_executor(own, answering)


def test_local_fills_in_what_the_user_left_open() -> None:
    settled = Local().settle(Settings(jobs=2, gpus=()))
    assert (settled.jobs, settled.device) == (2, "cpu")
    assert settled.threads is not None
    assert settled.memory is not None
    with_gpu = Local().settle(Settings(jobs=4, threads=3, memory=5, gpus=("GPU-a",)))
    assert with_gpu == Settings(4, 3, None, 5, "cuda", gpus=("GPU-a",))
    assert Local().settle(with_gpu) == with_gpu
