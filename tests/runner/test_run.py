"""Whole runs with real workers, real crashes and real kills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from tiny_runs import SUITE, run, scores, settings, strays

from impbench.errors import InputError
from impbench.registry import load_file
from impbench.results.store import Store
from impbench.worker.answer import LOG_HEAD, LOG_TAIL

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("hostile")]


def test_tidy_table_has_every_promised_column_and_metric(tmp_path: Path) -> None:
    results = run(tmp_path, "fine")
    table = results.scores
    wanted = ["dataset", "protocol", "imputer", "params", "seed", "metric", "value", "status"]
    assert list(table.columns[:8]) == wanted
    assert set(table.imputer) == {"fine", "attainable", "oracle"}
    assert set(table.seed) == {1, 2}
    fine = scores(results, "fine")
    assert {"mse", "ari", "wall-seconds", "peak-memory"} <= set(fine.metric)
    assert (fine.status == "ok").all()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "results.parquet"), table)


def test_oracle_scores_perfectly_and_is_only_where_truth_is(tmp_path: Path) -> None:
    results = run(tmp_path, "fine")
    oracle = scores(results, "oracle")
    assert oracle[oracle.metric == "mse"].value.tolist() == [0.0, 0.0]


def test_two_protocols_on_the_same_view_share_one_imputation(tmp_path: Path) -> None:
    results = run(tmp_path, "fine", seeds=1)
    wall = scores(results, "fine").query("metric == 'wall-seconds'")
    assert len(wall) == 2
    assert wall.value.nunique() == 1


def test_results_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    one = run(tmp_path / "a", "fine", "permuted", settings=settings(jobs=1)).scores
    two = run(tmp_path / "b", "fine", "permuted", settings=settings(jobs=2)).scores
    cost = {"wall-seconds", "cpu-seconds", "peak-memory"}
    pd.testing.assert_frame_equal(one[~one.metric.isin(cost)], two[~two.metric.isin(cost)])


@pytest.mark.parametrize(
    ("imputer", "status", "reason"),
    [
        ("raises", "failed", "ValueError: the matrix displeases me"),
        ("exits", "failed", "SystemExit"),
        ("crashes", "failed", "SIGSEGV"),
        ("hangs", "timeout", "limit of 6 s"),
        ("hoards", "memory", "limit of 600 MiB"),
        ("allocates", "memory", ""),
        ("cheats", "failed", "'Observed' object has no attribute 'true_counts'"),
        ("nan", "failed", "1 values that are NaN or infinite, first at cell 3"),
        ("wrong-shape", "failed", "expected (40, "),
        ("returns-list", "failed", "must return impbench.Imputed"),
    ],
)
def test_failure_is_a_record_with_its_reason(
    tmp_path: Path, imputer: str, status: str, reason: str
) -> None:
    limits = settings(timeout=6.0 if status == "timeout" else 60.0, memory=600 * 2**20)
    results = run(tmp_path, imputer, "fine", seeds=1, settings=limits)
    failed = scores(results, imputer)
    assert set(failed.status) == {status}
    assert reason in failed.reason.iloc[0]
    assert failed.value.isna().all()
    assert (scores(results, "fine").status == "ok").all()
    assert not strays()


def test_child_that_outlives_its_worker_is_ended(tmp_path: Path) -> None:
    results = run(tmp_path, "forks", "fine", seeds=1)
    assert (scores(results, "forks").status == "ok").all()
    assert not strays()


def test_one_method_cannot_change_what_another_sees(tmp_path: Path) -> None:
    alone = run(tmp_path / "a", "fine", seeds=1).scores.query("metric == 'mse'")
    beside = run(tmp_path / "b", "scribbles", "fine", "deletes", seeds=1)
    mse = beside.scores.query("metric == 'mse'")
    assert scores(beside, "fine").status.eq("ok").all()
    fine = mse[mse.imputer == "fine"].value.tolist()
    assert fine == alone[alone.imputer == "fine"].value.tolist()


def test_megabytes_of_output_go_to_the_log_and_only_their_end_to_the_record(
    tmp_path: Path,
) -> None:
    run(tmp_path, "chatters", seeds=1)
    record = next(r for r in Store(tmp_path).read().records if r.job.imputer == "chatters")
    assert record.status == "ok"
    assert len(record.log) <= 4000
    log = (tmp_path / "logs" / f"{record.key}.log").read_text()
    assert len(log) < 1.01 * (LOG_HEAD + LOG_TAIL)
    assert "bytes are left out here" in log


def test_controls_are_imputed_first_and_listed_last(tmp_path: Path) -> None:
    run(tmp_path, "fine", seeds=1, settings=settings(jobs=1))
    listed = [record.job.imputer for record in Store(tmp_path).read().records]
    assert listed[0] == "fine"
    last = max((tmp_path / "records").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert json.loads(last.read_text())["job"]["imputer"] == "fine"


def test_worker_is_told_nothing_of_truth_or_labels(tmp_path: Path) -> None:
    spy = tmp_path / "spy.py"
    spy.write_text(
        "import sys\n"
        "from dataclasses import dataclass\n"
        "from impbench import Imputed, Imputer, hookimpl\n"
        "@dataclass(frozen=True)\n"
        "class Spy(Imputer):\n"
        "    name = 'spy'\n"
        "    summary = 'Writes down what it was told.'\n"
        "    def impute(self, observed, context):\n"
        "        told = {'argv': sys.argv, 'cells': list(observed.cell_names[:2]),\n"
        "                'modules': sorted(sys.modules), 'fields': sorted(vars(observed))}\n"
        "        return Imputed(observed.lognorm, 'lognorm', info=told)\n"
        "@hookimpl\n"
        "def impbench_imputers():\n"
        "    return [Spy]\n"
    )
    run(tmp_path / "out", "spy", seeds=1, plugins=[spy])
    record = next(r for r in Store(tmp_path / "out").read().records if r.job.imputer == "spy")
    told = record.info
    assert told["cells"] == ["cell_1", "cell_2"]
    assert "views" not in json.dumps(told["argv"])
    assert not {"pandas", "anndata", "torch", "sklearn"} & set(told["modules"])


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(InputError, match="cannot write to the output folder"):
        run(blocked / "out", "fine")


def test_full_disk_is_a_clear_error_and_keeps_what_was_stored(tmp_path: Path) -> None:
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True
        ).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        with pytest.raises(InputError, match="No space left on device"):
            run(tmp_path, "fine")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_nothing_to_ask_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pbmc68k-reduced: .* no true counts"):
        run(tmp_path, "fine", datasets=["pbmc68k-reduced"], protocols=["simulated-truth"])


def test_several_seeds_share_one_worker_where_the_method_gains_by_it(tmp_path: Path) -> None:
    from impbench.plan.plan import make_plan
    from impbench.runner.problems import pose_all
    from impbench.runner.run import make_tasks

    plugin = tmp_path / "together.py"
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "from impbench import Imputed, Imputer, hookimpl\n"
        "@dataclass(frozen=True)\n"
        "class Together(Imputer):\n"
        "    name = 'together'\n"
        "    summary = 'Trains seeds side by side.'\n"
        "    devices = ('cpu', 'cuda')\n"
        "    def impute(self, observed, context):\n"
        "        return Imputed(observed.lognorm + context.seed, 'lognorm')\n"
        "    def impute_many(self, observed, contexts):\n"
        "        return [self.impute(observed, context) for context in contexts]\n"
        "@hookimpl\n"
        "def impbench_imputers():\n"
        "    return [Together]\n"
    )
    load_file(plugin)
    from impbench.registry import registry

    plan = make_plan(SUITE, registry(), imputers=["together"])
    problems = pose_all(plan, tmp_path / "work", registry().metrics)
    on_gpu = make_tasks(plan, problems, settings(device="cuda"))
    on_cpu = make_tasks(plan, problems, settings(device="cpu"))
    assert [t.seeds for t in on_gpu if t.imputer] == [(1, 2)]
    assert [t.seeds for t in on_cpu if t.imputer] == [(1,), (2,)]


def test_peak_memory_is_the_worker_s_own(tmp_path: Path) -> None:
    ballast = np.ones(60_000_000)
    results = run(tmp_path, "fine", seeds=1)
    peak = scores(results, "fine").query("metric == 'peak-memory'").value.iloc[0]
    assert ballast.nbytes / 2**20 > 400
    assert 20 < peak < 250


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_daemon_without_a_trace_in_its_environment_is_ended_too(tmp_path: Path) -> None:
    results = run(tmp_path, "daemonises", seeds=1)
    assert (scores(results, "daemonises").status == "ok").all()
    commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert ["sleep", "54321"] not in commands


def test_protocol_that_names_an_unknown_metric_says_so(tmp_path: Path) -> None:
    plugin = tmp_path / "typo.py"
    plugin.write_text(
        "from dataclasses import dataclass, replace\n"
        "from impbench import hookimpl\n"
        "from impbench.protocols.simulated_truth import SimulatedTruth\n"
        "@dataclass(frozen=True)\n"
        "class Typo(SimulatedTruth):\n"
        "    name = 'typo'\n"
        "    def pose(self, dataset, seed):\n"
        "        return replace(super().pose(dataset, seed), metrics=('mes',))\n"
        "@hookimpl\n"
        "def impbench_protocols():\n"
        "    return [Typo]\n"
    )
    with pytest.raises(InputError, match="no metric is called 'mes'"):
        run(tmp_path / "out", "fine", protocols=["typo"], plugins=[plugin])
