"""What a run survives: kills, a full disk, a jumping clock; every figure of docs/robustness.md.

    python benchmarks/faults.py --kills 200

Each fault hits real runs of the command line. Afterwards the same command resumes, and its scores
are held against those of a run that nothing disturbed. Cost metrics are left out: they are
measurements, not results. Linux only; the disk faults need root, to mount small file systems.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psutil

MARK = "IMPBENCH_FAULTS"
"""Every process of this script's runs inherits it, and is found by it."""

SUITE = """
title = "Faults"
seeds = 2
imputers = ["maskclass-best[epochs=40]", "scimpute", "dca[epochs=20]"]
[[question]]
datasets = ["sim_equal[n_cells=60,n_genes=80]"]
protocols = ["simulated-truth", "clustering"]
"""
COST = ("wall-seconds", "cpu-seconds", "peak-memory")
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
/* The wall clock leaps a day ahead and back again, every three seconds. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (clock == CLOCK_REALTIME && now->tv_sec / 3 % 2) now->tv_sec += 86400;
    return status;
}
"""


class Bench:
    """A folder with a suite, its undisturbed scores, and the command that runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.suite = folder / "faults.toml"
        self.suite.write_text(SUITE)
        self.reference = folder / "reference"
        assert self.start(self.reference).wait() == 0
        self.expected = self.scores(self.reference)
        self.n_jobs = self.expected["key"].nunique()

    def start(self, out: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start a run that writes to `out`."""
        command = [Path(sys.executable).with_name("impbench"), "run", "--suite", self.suite]
        return subprocess.Popen(
            [*map(str, command), "--out", str(out), "--jobs", "2", "--no-report", *options],
            env={**os.environ, MARK: str(os.getpid()), **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, out: Path, *options: str, **environment: str) -> tuple[int, str]:
        """Run to the end; return the exit status and what was said."""
        process = self.start(out, *options, **environment)
        _, said = process.communicate()
        return process.returncode, said

    def scores(self, out: Path) -> pd.DataFrame:
        """Return the scores in a run's folder that depend on the seed alone."""
        table = pd.read_parquet(out / "results.parquet")
        return table[~table["metric"].isin(COST)].reset_index(drop=True)

    def is_whole(self, out: Path) -> bool:
        """Whether every job of a folder has a result."""
        path = out / "results.parquet"
        if not path.exists():
            return False
        table = pd.read_parquet(path)
        return set(table["status"]) == {"ok"} and table["key"].nunique() == self.n_jobs

    def verdict(self, out: Path) -> str:
        """Compare a finished folder with the undisturbed one."""
        found = self.scores(out)
        assert found["key"].nunique() == self.expected["key"].nunique(), "a job is lost or doubled"
        assert not found.duplicated(["key", "metric"]).any(), "a score is doubled"
        pd.testing.assert_frame_equal(found, self.expected, check_exact=True)
        left = [p for p in out.rglob("*") if p.suffix in (".tmp", ".partial") or p.name == ".work"]
        assert not left, f"left behind: {left}"
        return "scores identical"


def ours() -> list[psutil.Process]:
    """Return every process this script's runs have started and not ended."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(os.getpid()):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def kills(bench: Bench, n_kills: int, rng: random.Random) -> str:
    """Kill runners, workers and scorers until `n_kills` have died so; then finish every folder.

    The victim's kind is drawn first, then the run goes on until there is such a process, and for a
    random while longer: a kill meets any phase of a run. A dead runner is started again.
    """
    done, folders, slowest = Counter[str](), 0, 0.0
    out = bench.folder / "killed-0"
    while done.total() < n_kills:
        process = bench.start(out)
        runner = psutil.Process(process.pid)
        while process.poll() is None and done.total() < n_kills:
            kind = rng.choice(["runner", "worker", "worker", "scorer"])
            time.sleep(rng.expovariate(1 / 1.5))
            target = _find(runner, kind, rng)
            if target is None:
                continue
            try:
                target.kill()
            except psutil.NoSuchProcess:
                continue
            done[kind] += 1
            if kind == "runner":
                process.wait()
                slowest = max(slowest, _wait_until_gone())
        status = process.wait()
        assert status in (0, 1, -signal.SIGKILL), f"exit status {status}: {process.stderr.read()}"
        if status != -signal.SIGKILL and bench.is_whole(out):
            bench.verdict(out)
            folders += 1
            out = bench.folder / f"killed-{folders}"
    while not bench.is_whole(out):
        bench.run(out)
    bench.verdict(out)
    assert not ours(), "processes are left"
    counts = ", ".join(f"{n} × {kind}" for kind, n in sorted(done.items()))
    return (
        f"{done.total()} SIGKILLs ({counts}) over {folders + 1} runs; all resumed, scores "
        f"identical, none lost, none doubled, no file or process left; after a runner's death its "
        f"processes were gone within {slowest:.1f} s"
    )


def _find(runner: psutil.Process, kind: str, rng: random.Random) -> psutil.Process | None:
    """Return a process of this kind in the runner's tree, or None where there is none now.

    A worker is either the process that is kept or one that it has forked for a job.
    """
    if kind == "runner":
        return runner
    try:
        descendants = runner.children(recursive=True)
        found = [p for p in descendants if f"runner.{kind}" in " ".join(p.cmdline())]
    except psutil.Error:
        return None
    return rng.choice(found) if found else None


def _wait_until_gone() -> float:
    start = time.monotonic()
    while ours():
        assert time.monotonic() - start < 30, f"still running: {ours()}"
        time.sleep(0.05)
    return time.monotonic() - start


def full_disk(bench: Bench, rng: random.Random) -> str:
    """Run on a file system of 300 KiB, then on the same one made larger."""
    with small_disk(bench.folder / "full", "300k") as disk:
        status, said = bench.run(disk / "out")
        assert status != 0
        assert "No space left on device" in said
        assert "Traceback" not in said
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert bench.run(disk / "out")[0] == 0
        return f"“{_sentence(said)}”; resumed on the enlarged disk, {bench.verdict(disk / 'out')}"


def read_only(bench: Bench, rng: random.Random) -> str:
    """Run with an output folder that nobody can write to."""
    with small_disk(bench.folder / "read-only", "64m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        status, said = bench.run(disk / "out")
        assert status == 2 or status == 1
        assert "cannot write" in said
        assert "Traceback" not in said
        return f"“{_sentence(said)}”"


def clock_jump(bench: Bench, rng: random.Random) -> str:
    """Let the wall clock of every process leap a day ahead and back, every three seconds."""
    source, library = bench.folder / "clock.c", bench.folder / "clock.so"
    source.write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    out = bench.folder / "clock"
    status, said = bench.run(out, "--timeout", "600", LD_PRELOAD=str(library))
    assert status == 0, said
    seconds = pd.read_parquet(out / "results.parquet").query("metric == 'wall-seconds'")["value"]
    assert seconds.dropna().between(0, 600).all(), "a duration was taken from the wall clock"
    return f"no job timed out, no duration went wrong, {bench.verdict(out)}"


def two_runners(bench: Bench, rng: random.Random) -> str:
    """Start a second run on the folder of a first."""
    out = bench.folder / "two"
    first = bench.start(out)
    while not (out / "manifest.json").exists():
        assert first.poll() is None
        time.sleep(0.02)
    status, said = bench.run(out)
    assert status != 0
    assert f"process {first.pid}" in said
    assert first.wait() == 0
    return f"the second refuses: “{_sentence(said)}”; the first: {bench.verdict(out)}"


def terminated(bench: Bench, rng: random.Random) -> str:
    """Send SIGTERM in the middle, as a cluster's scheduler does before it kills."""
    out = bench.folder / "terminated"
    process = bench.start(out)
    while len(list((out / "records").glob("*.json"))) < 4:
        assert process.poll() is None
        time.sleep(0.02)
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status = process.wait()
    seconds = time.monotonic() - start
    assert status == 128 + signal.SIGTERM, f"exit status {status}"
    kept = len(list((out / "records").glob("*.json")))
    _wait_until_gone()
    assert bench.run(out)[0] == 0
    return (
        f"exit status 143 after {seconds:.1f} s with {kept} records stored; resumed, "
        f"{bench.verdict(out)}"
    )


def old_schema(bench: Bench, rng: random.Random) -> str:
    """Resume over a record of an older schema."""
    out = bench.folder / "schema"
    shutil.copytree(bench.reference, out)
    victim = sorted((out / "records").glob("*.json"))[3]
    victim.write_text(json.dumps({**json.loads(victim.read_text()), "schema": 0}))
    status, said = bench.run(out)
    assert status != 0
    assert "--fresh" in said
    assert json.loads(victim.read_text())["schema"] == 0
    assert bench.run(out, "--fresh")[0] == 0
    return f"“{_sentence(said)}”; with --fresh {bench.verdict(out)}"


def half_record(bench: Bench, rng: random.Random) -> str:
    """Cut records at random places, and resume."""
    out = bench.folder / "half"
    shutil.copytree(bench.reference, out)
    for victim in rng.sample(sorted((out / "records").glob("*.json")), 5):
        whole = victim.read_bytes()
        victim.write_bytes(whole[: rng.randrange(len(whole))])
    assert bench.run(out)[0] == 0
    log = (out / "run.log").read_text()
    assert log.count("ignored and done again") == 5
    return f"5 of 5 named in run.log and done again, {bench.verdict(out)}"


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of `size` at `folder`."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def _sentence(said: str) -> str:
    """The error, without the frame the terminal draws around it and without paths."""
    text = " ".join(said.strip("─╭╮╰╯│ \n").split())
    start = max(text.rfind("impbench:"), 0)
    return text[start:][:300]


FAULTS: dict[str, Callable[[Bench, random.Random], str]] = {
    "disk full": full_disk,
    "read-only output": read_only,
    "clock jumps": clock_jump,
    "two runners": two_runners,
    "SIGTERM": terminated,
    "older schema": old_schema,
    "half-written records": half_record,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="impbench-faults-") as folder:
        bench = Bench(Path(folder))
        for name, fault in FAULTS.items():
            print(f"{name}: {fault(bench, rng).replace(folder, '…')}", flush=True)
        print(f"kills: {kills(bench, options.kills, rng)}", flush=True)


if __name__ == "__main__":
    main()
