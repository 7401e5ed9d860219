"""What a second run does again, and what it keeps, also after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import run, settings, strays

from impbench.errors import InputError
from impbench.results.store import Store
from impbench.runner.settings import Listener

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("hostile")]


def test_second_run_redoes_nothing_that_is_done(tmp_path: Path) -> None:
    first = run(tmp_path, "fine").scores
    stamps = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "records").iterdir()}
    second = run(tmp_path, "fine").scores
    assert stamps == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "records").iterdir()}
    pd.testing.assert_frame_equal(first, second)


def test_fresh_redoes_everything(tmp_path: Path) -> None:
    run(tmp_path, "fine", seeds=1)
    stamps = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "records").iterdir()}
    run(tmp_path, "fine", seeds=1, settings=settings(fresh=True))
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "records").iterdir()}
    assert stamps.keys() == after.keys()
    assert all(after[name] > stamp for name, stamp in stamps.items())


def test_more_seeds_add_jobs_and_keep_the_old_ones(tmp_path: Path) -> None:
    first = run(tmp_path, "fine", seeds=1).scores
    both = run(tmp_path, "fine", seeds=2).scores
    kept = both[both.seed == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first)


def test_failed_job_is_never_taken_as_done(tmp_path: Path) -> None:
    run(tmp_path, "hangs", seeds=1, settings=settings(timeout=1.0))
    before = Store(tmp_path).read().records[0]
    run(tmp_path, "hangs", seeds=1, settings=settings(timeout=1.5))
    after = Store(tmp_path).read().records[0]
    assert before.key == after.key
    assert "1 s" in before.reason
    assert "1.5 s" in after.reason


def test_changed_parameter_is_another_job(tmp_path: Path) -> None:
    run(tmp_path, "fine", seeds=1)
    results = run(tmp_path, "fine", "fine[offset=2]", seeds=1).scores
    mse = results.query("metric == 'mse'").set_index("imputer").value
    assert abs(mse["fine[offset=2.0]"] - mse["fine"]) > 1


def test_record_that_cannot_be_read_is_redone(tmp_path: Path) -> None:
    first = run(tmp_path, "fine", seeds=1).scores
    path = next((tmp_path / "records").iterdir())
    path.write_text(path.read_text()[:100])
    second = run(tmp_path, "fine", seeds=1).scores
    scored = first.metric.isin(["mse", "ari", "nmi"])
    pd.testing.assert_frame_equal(first[scored], second[scored])


def start_run(out: Path, *imputers: str) -> subprocess.Popen[bytes]:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from tiny_runs import HOSTILE, run, settings\n"
        "from impbench.registry import load_file\n"
        "load_file(HOSTILE)\n"
        "run(Path(sys.argv[2]), *sys.argv[3:], settings=settings(jobs=1))\n"
    )
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", script, here, str(out), *imputers],
        stderr=subprocess.DEVNULL,
        # Shells start background jobs with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_records(out: Path, imputer: str, n: int) -> None:
    deadline = time.monotonic() + 60
    while records_of(out, imputer) < n:
        assert time.monotonic() < deadline, "no record came"
        time.sleep(0.02)


def records_of(out: Path, imputer: str) -> int:
    texts = (path.read_text() for path in (out / "records").glob("*.json"))
    return sum(json.loads(text)["job"]["imputer"] == imputer for text in texts)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_kill_during_run_loses_no_finished_job(tmp_path: Path, sign: signal.Signals) -> None:
    out = tmp_path / "out"
    process = start_run(out, "fine", "slow")
    # Controls come first; what must not be lost is what took a worker.
    wait_for_records(out, "fine", 2)
    process.send_signal(sign)
    process.wait(20)
    deadline = time.monotonic() + 10
    while strays() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not strays()
    kept = {p.name: p.read_bytes() for p in (out / "records").glob("*.json")}
    assert records_of(out, "fine") >= 2
    resumed = run(out, "fine", "slow").scores
    assert all((out / "records" / name).read_bytes() == data for name, data in kept.items())
    undisturbed = run(tmp_path / "other", "fine", "slow").scores
    scored = resumed.metric.isin(["mse", "ari", "nmi", "purity"])
    pd.testing.assert_frame_equal(resumed[scored], undisturbed[scored])
    assert not list(out.rglob("*.tmp"))
    assert not (out / ".work").exists()


def test_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    process = start_run(tmp_path, "slow")
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "manifest.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(InputError, match=r"another impbench run \(process \d+\) is writing"):
            run(tmp_path, "fine")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def test_records_of_another_choice_stay_and_are_said_to_be_left_out(tmp_path: Path) -> None:
    notices: list[str] = []

    class Listening(Listener):
        def noticed(self, text: str) -> None:
            if "did not ask for" in text:
                notices.append(text)

    def n_records(*datasets: str) -> int:
        notices.clear()
        found = run(tmp_path, "gene-mean", seeds=1, datasets=datasets, listener=Listening())
        return len(found.stored.records)

    one, other = ("sim_equal[n_cells=60,n_genes=80]", "sim_rare[n_cells=60,n_genes=80]")
    n_first = n_records(one)
    assert notices == []
    n_records(other)
    assert len(notices) == 1
    assert f"(records: {n_first};" in notices[0]
    assert n_records(one, other) == 2 * n_first
    assert notices == []
