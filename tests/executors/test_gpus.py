"""One machine's GPUs: found, and one job at a time on each. No GPU is needed: only names are."""

from __future__ import annotations

from pathlib import Path

import pytest

import impbench
from impbench.errors import UnavailableError
from impbench.executors.machine.gpus import find_gpus
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.settings import Settings
from impbench.truth_control import TRUTH_CONTROLS

pytestmark = pytest.mark.slow

SUITE = Suite(
    name="tiny",
    title="tiny",
    description="",
    questions=(Question(("sim_equal[n_cells=40,n_genes=60]",), ("simulated-truth",)),),
    imputers=(),
    controls=False,
)


def run(out: Path, gpus: tuple[str, ...], device: str, *imputers: str) -> list[Record]:
    load_file(Path(__file__).parents[1] / "example_plugins" / "elsewhere.py")
    settings = Settings(2, 1, 60.0, None, device, gpus=gpus)
    impbench.run(SUITE, out, imputers=imputers, seeds=3, settings=settings, report=False)
    records = Store(out).read().records
    return [record for record in records if record.job.imputer not in TRUTH_CONTROLS]


def overlap(one: Record, other: Record) -> bool:
    return max(one.info["began"], other.info["began"]) < min(one.info["ended"], other.info["ended"])


def pairs(records: list[Record]) -> list[tuple[Record, Record]]:
    return [(one, two) for i, one in enumerate(records) for two in records[:i]]


def test_gpu_jobs_take_turns_while_cpu_jobs_go_on(tmp_path: Path) -> None:
    records = run(tmp_path, ("GPU-a",), "cuda", "tells-gpu", "tells-cpu")
    assert {record.status for record in records} == {"ok"}
    gpu = [record for record in records if record.info["device"] == "cuda"]
    cpu = [record for record in records if record.info["device"] == "cpu"]
    assert (len(gpu), len(cpu)) == (3, 3)
    assert {record.info["visible"] for record in gpu} == {"GPU-a"}
    assert not any(overlap(*pair) for pair in pairs(gpu))
    # If those that wait for the GPU kept others out, two of them would come first.
    first = min(record.info["began"] for record in cpu)
    assert first < sorted(record.info["ended"] for record in gpu)[1]


def test_each_gpu_has_its_own_job(tmp_path: Path) -> None:
    records = run(tmp_path, ("GPU-a", "GPU-b"), "auto", "tells-gpu")
    assert {record.info["visible"] for record in records} == {"GPU-a", "GPU-b"}
    for one, two in pairs(records):
        assert not (overlap(one, two) and one.info["visible"] == two.info["visible"])


def test_gpu_that_is_not_there_is_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"'cuda' was asked for, and there is no GPU"):
        run(tmp_path, (), "cuda", "tells-gpu")
    with pytest.raises(UnavailableError, match=r"'cuda:1' was asked for, and there is 1 GPU;"):
        run(tmp_path, ("GPU-a",), "cuda:1", "tells-gpu")
    assert not list((tmp_path / "records").iterdir())


@pytest.mark.parametrize(
    ("visible", "found"),
    [("0,2", ("0", "2")), ("GPU-a", ("GPU-a",)), ("", ()), ("-1", ()), ("NoDevFiles", ())],
)
def test_batch_system_says_which_gpus_are_ours(
    monkeypatch: pytest.MonkeyPatch, visible: str, found: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find_gpus() == found
