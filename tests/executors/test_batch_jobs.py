"""Batch jobs: their scripts, and a whole run on a batch system that is three lines of shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from dask_cluster import HOSTILE, run
from typer.testing import CliRunner

import impbench
from impbench.cli import app
from impbench.errors import ImpbenchError, InputError, UnavailableError
from impbench.executors.batch_jobs import LSF, PBS, SGE, BatchJobs, Slurm
from impbench.registry import load_file, registry
from impbench.results.record import Record
from impbench.runner.settings import Listener, Settings

pytestmark = pytest.mark.slow

dask = pytest.importorskip("dask")
Scheduler = pytest.importorskip("distributed").Scheduler
pytest.importorskip("dask_jobqueue")

SMALL = ("cores=8", "memory=16GB")


@pytest.mark.parametrize(
    ("executor", "lines"),
    [
        (Slurm, ["#SBATCH --cpus-per-task=8", "#SBATCH --mem=15G", "#SBATCH -p short"]),
        (PBS, ["#PBS -l select=1:ncpus=8:mem=15GB", "#PBS -q short"]),
        (LSF, ["#BSUB -n 8", "#BSUB -q short"]),
        (SGE, ["#$ -q short", "#$ -l h_rt=02:00:00"]),
    ],
)
def test_job_script_asks_for_what_was_given(executor: type[BatchJobs], lines: list[str]) -> None:
    options = (*SMALL, "queue=short", "walltime=02:00:00")
    script = executor(options=options).job_script(1).splitlines()
    assert set(lines) <= set(script)
    (command,) = [line for line in script if "dask_worker" in line]
    assert "tcp://SCHEDULER:PORT" in command
    assert "--nthreads 8" in command
    assert "--nworkers" not in command


def test_threads_of_a_job_make_for_fewer_jobs_at_once() -> None:
    command = Slurm(options=SMALL).job_script(threads=4)
    assert command.rstrip().endswith("--nthreads 2")
    with pytest.raises(InputError, match="--threads 9 is more than a worker has: 8 cores"):
        Slurm(options=SMALL).job_script(threads=9)


def test_encryption_reaches_the_job_script(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).touch()
    tls = {f"tls_{name}": str(tmp_path / name) for name in ("cert", "key")}
    command = Slurm(options=SMALL, tls_ca_file=str(tmp_path / "ca"), **tls).job_script(1)
    assert "tls://SCHEDULER:PORT" in command
    assert f"--tls-ca-file {tmp_path / 'ca'}" in command
    assert f"--tls-key {tmp_path / 'key'}" in command
    with pytest.raises(InputError, match=r"TLS file .*nowhere does not exist"):
        Slurm(options=SMALL, tls_ca_file=str(tmp_path / "nowhere"), **tls).job_script(1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("cores=8",), "how much cores and memory"),
        ((*SMALL, "coers=8"), "unexpected keyword argument 'coers'"),
        (("cores=8", "memory=lots"), "Could not interpret 'lots'"),
    ],
)
def test_option_that_does_not_fit_is_said(options: tuple[str, ...], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Slurm(options=options).job_script(1)


def test_options_are_typed_as_dask_types_its_own() -> None:
    script = Slurm(options=(*SMALL, "nanny=false", "job_extra_directives=['--gres=gpu:1']"))
    lines = script.job_script(1).splitlines()
    assert "#SBATCH --gres=gpu:1" in lines
    assert "--no-nanny" in lines[-1]
    with pytest.raises(InputError, match="'cores 8' is not of the form name=value"):
        Slurm(options=("cores 8",))


def test_dask_s_own_configuration_fills_in() -> None:
    with dask.config.set({"jobqueue.slurm.queue": "long", "jobqueue.slurm.processes": 2}):
        script = Slurm(options=SMALL).job_script(1)
    assert "#SBATCH -p long" in script
    assert "--nworkers 2" in script


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--executor", "slrum"], "no executor is called 'slrum'"),
        (["--executor", "dask"], "needs the address of a scheduler"),
        (["--scheduler", "tcp://a:1"], "need --executor"),
        (["--workers", "3"], "need --executor"),
        (["--executor", "slurm", "--scheduler", "tcp://a:1"], "slurm has no parameter 'scheduler'"),
        (["--executor", "slurm", "--jobs", "4"], "give --workers"),
        (["--executor", "slurm", "--device", "cuda:1"], "on a cluster a job takes any GPU"),
        (["--executor", "slurm", "--tls-cert", "a"], "needs all of --tls-ca-file"),
        (["--executor", "slurm", "--allow-network"], "are for this machine, not for a cluster"),
        (["--executor", "slurm[workers=0]"], "workers=0 must be at least 1"),
        (["--executor", "local", "--workers", "3"], "local has no parameter 'workers'"),
        (["--job-script"], "the executor local submits no batch jobs"),
        (["--executor", "dask", "--scheduler", "tcp://a:1", "--job-script"], "has no job script"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str], reason: str) -> None:
    result = CliRunner().invoke(app, ["run", *arguments])
    assert isinstance(result.exception, ImpbenchError)
    assert reason in str(result.exception)


def test_command_line_shows_the_job_script() -> None:
    options = ["--cluster-option", "cores=8", "--cluster-option", "memory=16GB"]
    result = CliRunner().invoke(app, ["run", "--executor", "sge", *options, "--job-script"])
    assert result.exit_code == 0, result.output
    assert result.stdout == SGE(options=SMALL).job_script(1)


def test_options_and_brackets_say_the_same() -> None:
    directives = "job_extra_directives=['--gres=gpu:1', '--comment=\"a, b\"']"
    texts = ("cores=4", "memory=3GB", directives)
    options = [word for text in texts for word in ("--cluster-option", text)]
    one = CliRunner().invoke(app, ["run", "--executor", "slurm", *options, "--job-script"])
    spec = Slurm(options=texts).spec
    assert registry().executor(spec) == Slurm(options=texts)
    other = CliRunner().invoke(app, ["run", "--executor", spec, "--job-script"])
    assert one.exit_code == other.exit_code == 0
    assert '#SBATCH --comment="a, b"' in one.stdout.splitlines()
    assert one.stdout == other.stdout


def test_batch_system_that_is_not_there_or_refuses_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Slurm(options=SMALL)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(UnavailableError, match=r"slurm did not take a batch job: .*'sbatch'"),
        cluster.connect(threads=1),
    ):
        pass
    program(tmp_path / "sbatch", "echo 'invalid partition' >&2; exit 1")
    with (
        pytest.raises(UnavailableError, match=r"(?s)did not take a batch job.*invalid partition"),
        cluster.connect(threads=1),
    ):
        pass


def test_batch_jobs_without_a_gpu_are_not_submitted_for_gpu_jobs(tmp_path: Path) -> None:
    load_file(Path(__file__).parents[1] / "example_plugins" / "elsewhere.py")
    with pytest.raises(InputError, match=r"the batch jobs announce no GPU: .*worker_extra_args="):
        impbench.run(
            "default",
            tmp_path,
            datasets=["sim_equal[n_cells=40,n_genes=60]"],
            protocols=["simulated-truth"],
            imputers=["tells-gpu"],
            executor=Slurm(options=SMALL),
            settings=Settings(device="cuda"),
        )


def program(path: Path, commands: str) -> None:
    path.write_text(f"#!/bin/sh\n{commands}\n")
    path.chmod(0o755)


@pytest.fixture
def batch_system(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Environment with an ``sbatch`` that runs its script at once, and notes the process."""
    programs, jobs = tmp_path / "programs", tmp_path / "jobs"
    programs.mkdir()
    start = f'cp "$1" {tmp_path}/script; setsid sh {tmp_path}/script >/dev/null 2>&1 </dev/null &'
    program(programs / "sbatch", f"{start}\necho $! >> {jobs}; echo Submitted batch job $!")
    program(programs / "scancel", 'kill -TERM -- "-$1"')
    # A lost worker is given up for lost at once.
    quick = {"DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "100ms"}
    yield {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **quick}
    for pid in map(int, jobs.read_text().split()):
        deadline = time.monotonic() + 20
        while psutil.pid_exists(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not psutil.pid_exists(pid), "a batch job outlived the run"


def test_run_on_batch_jobs_submits_again_what_ends(
    tmp_path: Path, batch_system: dict[str, str]
) -> None:
    suite = tmp_path / "tiny.toml"
    suite.write_text(
        'title = "tiny"\nimputers = ["slow"]\nseeds = 3\ncontrols = false\n[[question]]\n'
        'datasets = ["sim_equal[n_cells=40,n_genes=60]"]\nprotocols = ["simulated-truth"]\n'
    )
    options = ["cores=1", "memory=1GB", "nanny=false", f"local_directory={tmp_path}"]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "impbench.cli", "run", "--suite", str(suite)),
            *(
                "--plugin",
                str(Path(__file__).parents[1] / "example_plugins" / "hostile.py"),
                "--out",
                str(tmp_path / "o"),
            ),
            *("--executor", "slurm", "--json"),
            *(word for option in options for word in ("--cluster-option", option)),
        ],
        env=batch_system,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 150
    while not list((tmp_path / "o" / "records").glob("*.json")) and process.poll() is None:
        assert time.monotonic() < deadline, "no record came"
        time.sleep(0.1)
    (first,) = map(int, (tmp_path / "jobs").read_text().split())
    os.killpg(first, signal.SIGKILL)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert {row["status"] for row in json.loads(out)["scores"]} == {"ok"}
    assert len((tmp_path / "jobs").read_text().split()) == 2


def test_results_that_a_batch_job_takes_along_are_made_again(
    tmp_path: Path, batch_system: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends after its last job, before the runner has fetched what came out."""
    monkeypatch.setenv("PATH", batch_system["PATH"])

    class KillsOnce(Listener):
        """Looks away until everything is done there, and nothing but the first record here."""

        def finished(self, record: Record) -> None:
            if killed:
                return
            (scheduler,) = (one for one in list(Scheduler._instances) if one.workers)
            deadline = time.monotonic() + 60
            while any(task.state != "memory" for task in list(scheduler.tasks.values())):
                assert time.monotonic() < deadline, "the worker does not get done"
                time.sleep(0.1)
            killed.extend(map(int, (tmp_path / "jobs").read_text().split()))
            os.killpg(killed[0], signal.SIGKILL)

    killed: list[int] = []
    load_file(HOSTILE)
    options = ("cores=1", "memory=1GB", "nanny=false", f"local_directory={tmp_path}")
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "100ms"}):
        executor = Slurm(options=options)
        results = run(tmp_path / "o", None, "slow", executor=executor, listener=KillsOnce())
    assert set(results.scores.status) == {"ok"}
    assert len(killed) == 1
    assert len((tmp_path / "jobs").read_text().split()) == 2


def test_help_and_list_import_no_dask() -> None:
    for command in (["--help"], ["run", "--help"], ["list", "executors"]):
        script = (
            "import sys; from impbench.cli import app\n"
            "try: app(sys.argv[1:])\n"
            "except SystemExit: pass\n"
            "sys.exit(bool({'dask', 'distributed', 'dask_jobqueue'} & set(sys.modules)))\n"
        )
        done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
