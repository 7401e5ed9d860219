"""Environments that are really built, with real conflicts, real failures and real kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pluggy
import psutil
import pytest
from anndata import AnnData

import impbench
from impbench.environments import environments
from impbench.environments.environments import Wish, obtain
from impbench.environments.interpreters import BuildError, find_interpreter
from impbench.environments.package_links import link_packages
from impbench.errors import UnavailableError
from impbench.imputer import Imputer
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.settings import Listener, Settings

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PLUGIN = HERE.parent / "example_plugins" / "own_environment.py"
TINY = Wish((f"tiny @ {(HERE / 'packages' / 'tiny').as_uri()}",))
SUITE = Suite(
    name="tiny",
    title="tiny",
    description="",
    questions=(Question(("sim_equal[n_cells=30,n_genes=40]",), ("simulated-truth",)),),
    imputers=(),
    seeds=2,
    controls=False,
)
OBTAIN = (
    "import sys; from impbench.environments.environments import Wish, obtain; "
    "print(obtain(Wish((sys.argv[1],))).folder)"
)


@pytest.fixture(scope="module", autouse=True)
def uv_beside_python() -> Iterator[None]:
    """Let uv build what does not have to show that pip can: it is faster."""
    with pytest.MonkeyPatch.context() as patch:
        beside = str(Path(sys.executable).parent)
        patch.setenv("PATH", os.pathsep.join([beside, *os.get_exec_path()]))
        yield


@pytest.fixture
def without_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [folder for folder in os.get_exec_path() if not (Path(folder) / "uv").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IMPBENCH_TEST_BUILDS", str(tmp_path / "builds"))
    monkeypatch.setenv("UV_NO_CACHE", "1")
    return tmp_path / "cache" / "environments"


class Told(Listener):
    """Keeps what the run says of its building."""

    def __init__(self) -> None:
        self.built: list[str] = []

    def building(self, environment: str) -> None:
        self.built.append(environment.split()[0])


@dataclass(frozen=True)
class Ran:
    """Two runs one after the other with the same cache: records by imputer, what was built."""

    out: Path
    records: dict[str, list[Record]]
    first: list[str]
    second: list[str]


IMPUTERS = ("old-pluggy", "no-such-version", "no-such-python", "no-specifier", "unbuildable")


@pytest.fixture(scope="module")
def ran(package_registry: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    load_file(PLUGIN)
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        first, second = Told(), Told()
        settings = Settings(jobs=2, threads=1, timeout=60)
        for imputers, told in ((IMPUTERS, first), (IMPUTERS[:2], second)):
            impbench.run(
                SUITE, out, imputers=imputers, listener=told, settings=settings, report=False
            )
            if told is first:
                records = Store(out).read().records
        named = {name: [r for r in records if r.job.imputer == name] for name in IMPUTERS}
        yield Ran(out, named, first.built, second.built)


def test_plugin_sees_the_version_it_asked_for_while_the_runner_keeps_ours(ran: Ran) -> None:
    assert pluggy.__version__ != "0.13.1"
    for record in ran.records["old-pluggy"]:
        assert record.status == "ok", record.reason
        assert record.info["pluggy"] == "0.13.1"
        assert record.info["python"] == list(sys.version_info[:2])


def test_environment_holds_nothing_that_was_not_asked_for(ran: Ran) -> None:
    assert ran.records["old-pluggy"][0].info["seen"] == []


def test_record_shows_hash_interpreter_and_versions_of_the_environment(ran: Ran) -> None:
    versions = ran.records["old-pluggy"][0].versions
    assert versions["pluggy"] == "0.13.1"
    assert versions["interpreter"].startswith("CPython 3.")
    assert (environments.cache_folder() / versions["environment"]).is_dir()
    assert {"numpy", "scipy", "python", "impbench"} <= versions.keys()


@pytest.mark.parametrize(
    ("imputer", "status", "words"),
    [
        ("no-such-version", "unavailable", "pluggy==99.0"),
        ("no-such-python", "unavailable", "needs Python ==3.8.999"),
        ("no-specifier", "failed", "not a pip specifier"),
        ("unbuildable", "failed", "could not be built"),
    ],
)
def test_failing_build_is_a_record_for_every_seed(
    ran: Ran, imputer: str, status: str, words: str
) -> None:
    records = ran.records[imputer]
    assert {record.job.seed for record in records} == {1, 2}
    for record in records:
        assert record.status == status
        assert words in record.reason


def test_job_log_holds_all_that_the_build_printed(ran: Ran) -> None:
    for record in ran.records["unbuildable"]:
        log = (ran.out / "logs" / f"{record.key}.log").read_text()
        assert "no compiler today" in log
        assert "pip install" in log


def test_failed_build_is_tried_once_a_run_and_again_in_the_next(ran: Ran) -> None:
    # Where there is uv, it was asked for the Python that does not exist.
    built = [name for name in ran.first if name != "no-such-python"]
    assert sorted(built) == ["no-such-version", "old-pluggy", "unbuildable"]
    assert ran.second == ["no-such-version"]


def test_anndata_function_runs_the_method_in_its_environment(ran: Ran) -> None:
    adata = AnnData(np.random.default_rng(0).poisson(3, (6, 4)).astype(np.float32))
    impbench.impute(adata, "old-pluggy")
    assert adata.layers["imputed"].shape == (6, 4)
    with pytest.raises(UnavailableError, match=r"==3\.8\.999"):
        impbench.impute(adata, "no-such-python", key_added="other")


def test_command_line_builds_lists_and_cleans(ran: Ran) -> None:
    def env(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "impbench.cli", "env", *words]
        return subprocess.run(command, capture_output=True, text=True)

    key = ran.records["old-pluggy"][0].versions["environment"]
    assert key in env("list").stdout
    assert key in env("build", "old-pluggy", "--plugin", str(PLUGIN)).stdout
    refused = env("build", "no-such-python", "--plugin", str(PLUGIN))
    assert refused.returncode == 2
    assert "needs Python ==3.8.999" in refused.stderr


def test_closed_network_is_unavailable(
    package_registry: None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(BuildError) as caught:
        obtain(Wish(("pluggy==0.13.1",)))
    assert caught.value.status == "unavailable"
    assert "refused" in caught.value.log
    assert "pluggy" in str(caught.value)
    assert list(cache.glob("[!.]*/")) == []


def test_worker_runs_on_the_oldest_python(package_registry: None, cache: Path) -> None:
    try:
        find_interpreter(">=3.8,<3.9")
    except BuildError as error:
        pytest.skip(str(error))
    load_file(PLUGIN)
    adata = AnnData(np.random.default_rng(0).poisson(3, (6, 4)).astype(np.float32))
    impbench.impute(adata, "python38")
    np.testing.assert_allclose(2 ** adata.layers["imputed"][0, 0] - 1 > 0, adata.X[0, 0] > 0)


def test_two_builders_at_once_build_once_and_get_the_same(cache: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OBTAIN, TINY.requires[0]]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate()[0].strip() for process in both}
    assert folders == {str(obtain(TINY).folder)}
    assert len((tmp_path / "builds").read_text().split()) == 1


def test_kill_during_build_leaves_neither_half_an_environment_nor_a_process(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPBENCH_TEST_PAUSE", "300")
    builder = subprocess.Popen([sys.executable, "-c", OBTAIN, TINY.requires[0]])
    builds = tmp_path / "builds"
    wait_until(lambda: builds.exists() and builds.read_text().endswith("\n"))
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    started = int(builds.read_text())
    wait_until(lambda: not running(started))
    assert environments.cached() == []

    monkeypatch.setenv("IMPBENCH_TEST_PAUSE", "0")
    built = obtain(TINY)
    assert list(cache.glob(".building-*")) == []
    # Scripts know where their environment ended up.
    said = subprocess.run([built.folder / "bin" / "tiny"], capture_output=True, text=True)
    assert Path(said.stdout.strip()) == built.python

    assert environments.clean() > 0
    assert environments.cached() == []


def test_build_has_a_limit_of_its_own(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPBENCH_TEST_PAUSE", "300")
    with pytest.raises(BuildError, match=r"longer than 0\.5 s") as caught:
        obtain(TINY, limit=0.5)
    assert caught.value.status == "failed"
    assert environments.cached() == []


@pytest.mark.usefixtures("package_registry", "cache", "without_uv")
def test_pip_builds_where_there_is_no_uv() -> None:
    built = obtain(Wish(("pluggy==0.13.1",)))
    assert built.packages["pluggy"] == "0.13.1"
    assert "-m pip install" in (built.folder / "build.log").read_text()
    with pytest.raises(BuildError, match=r"No matching distribution found for pluggy==99\.0") as no:
        obtain(Wish(("pluggy==99.0",)))
    assert no.value.status == "unavailable"


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the uv of the extra `test` on PATH."""
    scripts = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([scripts, os.environ["PATH"]]))


def test_uv_builds_where_it_is(package_registry: None, cache: Path, uv: None) -> None:
    built = obtain(Wish(("pluggy==0.13.1",)))
    assert built.packages["pluggy"] == "0.13.1"
    assert "uv pip install" in (built.folder / "build.log").read_text()


def test_pip_builds_what_uv_cannot_reach(
    package_registry: None, cache: Path, uv: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    built = obtain(Wish(("pluggy==0.13.1",)))
    assert built.packages["pluggy"] == "0.13.1"
    log = (built.folder / "build.log").read_text()
    assert log.index("127.0.0.1:9") < log.index("pip install --no-input")


def test_packages_of_a_third_party_are_importable_and_nothing_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "from impbench import Imputer\n"
        "class Theirs(Imputer):\n    name = 'theirs'\n    summary = 'theirs'\n"
    )
    for home, module in (
        ("one", "far_package/inner.py"),
        ("two", "far_module.py"),
        ("three", "far_space/near/inner.py"),
    ):
        file = tmp_path / home / module
        file.parent.mkdir(parents=True)
        file.write_text(source)
        (file.parent / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path / home)
    (tmp_path / "one" / "far_space" / "other").mkdir(parents=True)
    for name, link in (
        ("far_package.inner", "far_package"),
        ("far_module", "far_module.py"),
        ("far_space.near.inner", "far_space"),
    ):
        imputer: type[Imputer] = __import__(name, fromlist=["Theirs"]).Theirs
        folder = tmp_path / f"importable-{link}"
        link_packages(imputer, folder)
        assert {path.name for path in folder.iterdir()} == {"impbench", "impbench_plugins", link}
        code = f"import {name}; print({name}.Theirs.name)"
        said = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
        )
        assert said.stdout == "theirs\n", said.stderr


def test_worker_and_plugin_import_with_numpy_and_scipy_alone(tmp_path: Path) -> None:
    libraries = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "scipy", "scipy.libs"):
        (tmp_path / name).symlink_to(libraries / name)
    (tmp_path / "impbench").symlink_to(Path(impbench.__file__).parent)
    reference = {"module": "own", "file": str(PLUGIN), "class": "OldPluggy", "params": {}}
    code = (
        "import impbench.worker.worker; from impbench.worker.imputation import build_imputer;"
        f"print(build_imputer({reference}))"
    )
    said = subprocess.run(
        [sys.executable, "-S", "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert said.stdout == "OldPluggy()\n", said.stderr


def wait_until(happened, seconds: float = 60) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_building_anew_replaces_only_when_the_new_one_is_complete(cache: Path) -> None:
    first = obtain(TINY)
    (first.folder / "mine").touch()
    with pytest.raises(BuildError, match="took longer than"):
        obtain(TINY, limit=0.01, anew=True)
    assert (first.folder / "mine").exists()
    assert obtain(TINY, anew=True) == first
    assert not (first.folder / "mine").exists()
