"""The command line as a user meets it: a real process, its output and its exit status."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from impbench import api
from impbench.cli import main
from impbench.errors import ImpbenchError
from impbench.listing import print_info

pytestmark = pytest.mark.slow

IMPBENCH = str(Path(sys.executable).with_name("impbench"))
TINY = ["--datasets", "sim_equal[n_cells=60,n_genes=80]", "--imputers", "no-imputation"]
QUICK = [*TINY, "--protocols", "simulated-truth", "-j", "1"]
"""For what does not depend on the protocol: the others load scanpy, in every scoring process."""


def call(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [IMPBENCH, *args], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def ask(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    """Call the program inside this process, which has everything imported; status and prints.

    For what is one question out of many; that a process of its own does the same, `call` shows.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", [IMPBENCH, *args])
        with pytest.raises(SystemExit) as ended:
            main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_run_writes_report_results_and_leaderboard(tmp_path: Path) -> None:
    done = call("run", *TINY, "--seeds", "1", "--out", "x", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "x" / "results.parquet").exists()
    assert "oracle" in done.stdout
    assert str(tmp_path / "x" / "report.html") in done.stdout
    assert "ok in" in done.stderr


def test_run_without_a_report_says_how_to_get_one(tmp_path: Path) -> None:
    done = call("run", *QUICK, "--seeds", "1", "--out", "x", "--no-report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "x" / "report.html").exists()
    assert f"impbench report {tmp_path / 'x'}" in done.stdout


def test_quiet_says_nothing_and_json_is_json(tmp_path: Path) -> None:
    quiet = call("run", *TINY, "--seeds", "1", "--out", "x", "--quiet", cwd=tmp_path)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    result = json.loads(
        call("run", *TINY, "--seeds", "1", "--out", "x", "--json", cwd=tmp_path).stdout
    )
    assert Path(result["report"]) == tmp_path / "x" / "report.html"
    assert result["answers"] == []  # Only controls ran.
    mse = [row for row in result["scores"] if row["metric"] == "mse"]
    assert {row["imputer"] for row in mse} >= {"no-imputation", "oracle"}


HOSTILE = Path(__file__).parent / "example_plugins" / "hostile.py"
ONE = ["run", "--datasets", "sim_equal[n_cells=40,n_genes=60]", "--protocols", "simulated-truth"]
ONE += ["-j", "1", "--seeds", "2", "--no-report", "--out", "x", "--plugin", str(HOSTILE)]


def test_named_method_without_a_result_is_said_even_in_quiet_and_is_status_3(
    tmp_path: Path,
) -> None:
    done = call(*ONE, "--imputers", "raises,fine", "--quiet", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == "failed: raises (2 failed, of 2 jobs); no result at all: raises\n"


def test_failures_are_the_last_line_of_a_run_and_leave_json_pure(tmp_path: Path) -> None:
    done = call(*ONE, "--imputers", "fine,raises,nan", "--json", cwd=tmp_path)
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert told["without_result"] == ["raises", "nan"]
    assert told["failed"][0] == {"imputer": "raises", "statuses": {"failed": 2}, "jobs": 2}
    last = done.stderr.rstrip("\n").splitlines()[-1]
    assert last.startswith("failed: raises (2 failed, of 2 jobs), nan (2 failed, of 2 jobs); no re")


def test_method_that_failed_once_is_said_and_has_a_result(tmp_path: Path) -> None:
    plugin = tmp_path / "once.py"
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "import impbench\n"
        "@dataclass(frozen=True)\n"
        "class Once(impbench.Imputer):\n"
        "    name, summary = 'fails-once', 'Fails for seed 2.'\n"
        "    def impute(self, observed, context):\n"
        "        assert context.seed != 2\n"
        "        return impbench.Imputed(observed.lognorm, 'lognorm')\n"
        "@impbench.hookimpl\n"
        "def impbench_imputers():\n"
        "    return [Once]\n"
    )
    done = call(*ONE, "--imputers", "fails-once", "--plugin", str(plugin), "-q", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == "failed: fails-once (1 failed, of 2 jobs)\n"


def test_method_of_the_suite_without_a_result_is_said_and_no_status(tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    question = 'datasets = ["sim_equal[n_cells=40,n_genes=60]"]\nprotocols = ["simulated-truth"]'
    own = "knn-smoothing[k=1000]"
    suite.write_text(f'imputers = ["{own}"]\nseeds = 1\n[[question]]\n{question}\n')
    command = ["run", "--suite", str(suite), "-j", "1", "--no-report", "--quiet"]
    done = call(*command, "--out", "x", cwd=tmp_path)
    assert done.stderr == f"failed: {own} (1 failed, of 1 job)\n"
    assert done.returncode == 0
    done = call(*command, "--imputers", own, "--out", "y", cwd=tmp_path)
    assert done.returncode == 3


def test_plugin_file_that_the_suite_brings_in_counts_as_named(tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    question = 'datasets = ["sim_equal[n_cells=40,n_genes=60]"]\nprotocols = ["simulated-truth"]'
    suite.write_text(f'imputers = ["raises"]\nseeds = 1\n[[question]]\n{question}\n')
    command = ["run", "--suite", str(suite), "-j", "1", "--no-report", "--quiet"]
    done = call(*command, "--plugin", str(HOSTILE), cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.endswith("no result at all: raises\n")


def test_oracle_asked_for_where_there_is_no_truth_has_no_result(tmp_path: Path) -> None:
    command = ["run", "--datasets", "pbmc68k-reduced[genes=50]", "--protocols", "clustering"]
    command += ["--imputers", "oracle", "--seeds", "1", "-j", "1", "--out", "x"]
    done = call(*command, "--no-report", "--quiet", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr == "no result at all: oracle\n"


def test_dry_run_prints_the_jobs_and_runs_none(tmp_path: Path) -> None:
    done = call("run", *TINY, "--seeds", "3", "--dry-run", "--json", cwd=tmp_path)
    jobs = json.loads(done.stdout)
    assert {job["seed"] for job in jobs} == {1, 2, 3}
    assert not list(tmp_path.iterdir())


def test_names_are_separated_by_commas_or_the_option_is_repeated(tmp_path: Path) -> None:
    one = ["--imputers", "magic[t=5],alra", "--protocols", "clustering,simulated-truth"]
    words = ["--imputers", "magic[t=5]", "--protocols", "clustering", "--imputers", "alra"]
    found = [
        call("run", "--datasets", "sim_rare", *options, "--dry-run", "--json", cwd=tmp_path).stdout
        for options in (one, [*words, "--protocols", "simulated-truth"])
    ]
    assert found[0] == found[1]
    jobs = json.loads(found[0])
    assert {"alra", "magic[t=5]"} <= {job["imputer"] for job in jobs}
    assert {"clustering", "simulated-truth"} == {job["protocol"] for job in jobs}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "--imputers", "magik"], "did you mean magic?"),
        (["run", "--imputers", "magic[tt=5]"], "no parameter 'tt'"),
        (["run", "--imputers", "magic[t=5"], "closing bracket"),
        (["run", "--suite", "defualt"], "did you mean default?"),
        (["run", "--datasets", "sim_rar"], "did you mean sim_rare"),
        (["run", "--timeout", "soon"], "--timeout 'soon' is not"),
        (["run", "--memory", "4QB"], "--memory '4QB' is not"),
        (["run", "--data", "absent.h5ad"], "absent.h5ad"),
        (["run", "--label-key", "x"], "need --data"),
        (["run", "--plugin", "absent.py"], "absent.py does not exist"),
        (["info", "maskclas-best"], "did you mean maskclass-best"),
        (["info", "mse[t=1]"], "the metric 'mse' has no parameters"),
        (["list", "imputator"], "did you mean"),
        (["report", "nowhere"], "holds no impbench run"),
    ],
)
def test_mistake_is_one_clear_sentence_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, printed, said = ask(capsys, *args)
    assert (status, printed) == (2, "")
    assert message in said
    assert "Traceback" not in said


def test_process_ends_with_that_sentence_and_status() -> None:
    done = call("run", "--imputers", "magik")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean magic?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "kind", ["imputers", "metrics", "datasets", "protocols", "suites", "executors", "figures"]
)
def test_list_and_info_know_everything(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    listing = json.loads(ask(capsys, "list", kind, "--json")[1])[kind]
    assert listing
    assert all(listing.values()), "every entry has a summary"
    name = next(iter(listing))
    assert name in ask(capsys, "info", name)[1]


@pytest.mark.parametrize(
    "spec", ["magic[knnn=3]", "magic[knn=x]", "magic[knn=3", "oracle[t=2]", "magik[knn=3]"]
)
def test_info_refuses_what_run_refuses_in_the_same_words(spec: str) -> None:
    def said(work: Callable[[], object]) -> str:
        with pytest.raises(ImpbenchError) as refused:
            work()
        return str(refused.value)

    told = said(lambda: print_info(spec))
    if spec.startswith("magik"):
        assert "did you mean magic" in told
    else:
        assert told == said(lambda: api.plan(imputers=[spec]))
    if "knnn" in spec:
        assert "did you mean knn" in told


def test_info_takes_the_parameter_that_every_imputer_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_info("magic[per=batch]")
    assert "magic[per=batch]" in capsys.readouterr().out


def test_info_says_how_each_batch_is_imputed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_info("magic")
    assert "magic[per=batch], or --per batch" in capsys.readouterr().out


def test_info_shows_the_values_that_a_spec_gives(capsys: pytest.CaptureFixture[str]) -> None:
    print_info("magic[knn=3]")
    assert re.search(r"knn +5; here 3", capsys.readouterr().out)


def test_info_shows_parameters_scale_citation_devices_and_requirements() -> None:
    shown = call("info", "maskclass-best").stdout
    for fact in ("gamma", "γ", "0.3", "counts", "citation", "cuda", "requires", "stochastic"):
        assert fact in shown, fact


def test_listing_imports_nothing_that_takes_long_to_load() -> None:
    script = (
        "import sys; sys.argv = ['impbench', 'list']\n"
        "from impbench.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'scanpy', 'anndata', 'sklearn', 'matplotlib', 'numba', 'rdata'}\n"
        "heavy |= {'pandas', 'pyarrow', 'scipy.io', 'scipy.linalg', 'scipy.optimize'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'{heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_stops_cleanly_and_says_how_to_resume(tmp_path: Path) -> None:
    args = ["run", "--datasets", "sim_equal[n_cells=100,n_genes=200]", "--seeds", "2"]
    args += ["--imputers", "magic", "-j", "1", "--out", str(tmp_path / "x")]
    args += ["--protocols", "simulated-truth", "--no-report"]
    process = subprocess.Popen(
        [IMPBENCH, *args],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Shells start background jobs with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "x" / "records").glob("*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert "To go on:" in stderr
    assert "impbench run" in stderr
    resumed = call(*args)
    assert resumed.returncode == 0
    assert "of them done already" in resumed.stderr


def test_progress_bar_shows_in_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [IMPBENCH, "run", *QUICK, "--seeds", "1", "--out", str(tmp_path / "x")],
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    assert process.wait(60) == 0
    assert b"left" in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l"), "the cursor is shown again"
    assert b"writing the report" in shown
