"""Whatever R does, it does it to itself: errors come back in words, and nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from impbench.errors import Cancelled, InputError, UnavailableError
from impbench.external.r import RError, RPackage, RSession, open_session, prepare_session

pytestmark = [pytest.mark.r, pytest.mark.slow]

PID = "function() Sys.getpid()"


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RSession]:
    with RSession(tmp_path_factory.mktemp("r")) as session:
        yield session


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RSession]:
    """A session that a test may ruin."""
    with RSession(tmp_path) as session:
        yield session


def gone(pid: int, within: float = 10.0) -> bool:
    """Whether the process ends in time."""
    end = time.monotonic() + within
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_error_brings_rs_message_and_call_and_the_session_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "function(x) { g <- function(y) stop('the matrix displeases me'); g(x) }"
    with RSession(tmp_path) as r:
        with pytest.raises(RError, match=r"^the matrix displeases me \(in R's g\(x\)\)$"):
            r.call(code, {"x": 1})
        assert r.call("sum", {"x": [1, 2]}).tolist() == [3]
    assert "Error in R: the matrix displeases me\n  f(x = x)\n  g(x)\n" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("function( bad", "unexpected end of input"),
        ("no_such_function", "object 'no_such_function' not found"),
        ("nopackage::f", "there is no package called"),
        ("function() { g <- function() g(); g() }", "infinite recursion|nested too deeply|C stack"),
        ("function() 1 + 'a'", "non-numeric argument to binary operator"),
    ],
)
def test_every_kind_of_error_comes_back(r: RSession, code: str, message: str) -> None:
    with pytest.raises(RError, match=message):
        r.call(code, {})
    assert r.is_open


def test_want_of_memory_is_a_memory_error(r: RSession) -> None:
    with pytest.raises(MemoryError, match="R cannot allocate vector of size"):
        r.call("function() numeric(1e13)", {})


def test_messages_warnings_and_prints_go_to_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with RSession(tmp_path) as r:
        r.call(
            "function() { message('a message: å'); warning('a warning'); print('a print'); "
            "system('echo from a child') }",
            {},
        )
    printed = capfd.readouterr()
    assert printed.out == ""
    for text in ("a message: å\n", "a warning", '[1] "a print"\n', "from a child\n"):
        assert text in printed.err


def test_seed_decides_random_numbers_as_set_seed_does(r: RSession) -> None:
    draws = [r.call("stats::runif", {"n": 2}, seed=seed).tolist() for seed in (1, 2, 1)]
    assert draws[0] == draws[2] != draws[1]
    assert draws[0] == pytest.approx([0.2655087, 0.3721239], abs=1e-7)
    with pytest.raises(InputError, match="seed 2147483648 does not fit R"):
        r.call("stats::runif", {"n": 1}, seed=2**31)


def test_versions_are_those_of_r_rpy2_and_the_packages(tmp_path: Path) -> None:
    with RSession(tmp_path, RPackage("Matrix")) as session:
        assert list(session.versions) == ["R", "rpy2", "Matrix"]
        assert session.versions["Matrix"] == RPackage("Matrix").version()
        assert [session.versions["R"]] == session.call("as.character", {"x": session.versions["R"]})
        # Attached, as library() does.
        assert "package:Matrix" in session.call("search", {}).tolist()


def test_missing_package_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"^R has no package nope: Rscript -e 'install"):
        RSession(tmp_path, RPackage("nope"))


def test_package_that_does_not_load_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "library" / "broken"
    broken.mkdir(parents=True)
    (broken / "DESCRIPTION").write_text("Package: broken\nVersion: 1\n")
    monkeypatch.setenv("R_LIBS", str(broken.parent))
    with pytest.raises(UnavailableError, match="broken does not load: there is no package"):
        RSession(tmp_path, RPackage("broken"))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("function() quit(status = 3)", "ended with status 3 in the middle of a call"),
        ("function() q('no')", "ended with status 0 in the middle of a call"),
        ("function() tools::pskill(Sys.getpid(), 11)", "killed by SIGSEGV"),
        ("function() tools::pskill(Sys.getpid(), tools::SIGTERM)", "killed by SIGTERM"),
        (
            "function() { tools::pskill(Sys.getpid(), tools::SIGINT); repeat {} }",
            "killed by SIGINT",
        ),
    ],
)
def test_end_of_rs_process_is_an_error_here(fresh: RSession, code: str, message: str) -> None:
    with pytest.raises(RError, match=message):
        fresh.call(code, {})
    assert not fresh.is_open
    with pytest.raises(RError, match="this R session is closed"):
        fresh.call(PID, {})


def test_exception_while_waiting_ends_an_endless_loop(fresh: RSession) -> None:
    (pid,) = fresh.call(PID, {})

    def cancel() -> None:
        raise Cancelled("enough")

    start = time.monotonic()
    with pytest.raises(Cancelled):
        fresh.call("function() repeat {}", {}, on_wait=cancel)
    assert time.monotonic() - start < 5
    assert gone(pid)


SCRIPT = """
import signal, sys
from pathlib import Path
from impbench.external.r import RSession
signal.signal(signal.SIGINT, signal.default_int_handler)
with RSession(Path(sys.argv[1])) as r:
    # A cluster as SAVER starts one: R processes of R's own.
    cluster = (
        "function() { workers <<- parallel::makePSOCKcluster(1);"
        " parallel::clusterCall(workers, Sys.getpid)[[1]] }"
    )
    print(*r.call("Sys.getpid", {}), *r.call(cluster, {}), flush=True)
    r.call("function() repeat {}", {})
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_r_and_its_children_end_with_us(tmp_path: Path, name: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 2
    assert all(psutil.pid_exists(pid) for pid in pids)
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=20)
    if name == "SIGINT":
        assert "KeyboardInterrupt" in errors
    assert all(gone(pid) for pid in pids)


def test_files_stay_in_the_scratch_folder_and_start_up_files_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "with a blank"
    scratch.mkdir()
    (scratch / ".Rprofile").write_text("stop('read')")
    monkeypatch.setenv("R_PROFILE_USER", str(scratch / ".Rprofile"))
    with RSession(scratch) as session:
        assert Path(session.call("getwd", {})[0]) == scratch
        assert Path(session.call("tempfile", {})[0]).is_relative_to(scratch)


def test_sorting_does_not_follow_the_users_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    with RSession(tmp_path) as session:
        assert session.call("sort", {"x": ["b", "B", "a", "é"]}).tolist() == ["B", "a", "b", "é"]


def test_session_started_ahead_is_used_once_and_only_where_it_fits(tmp_path: Path) -> None:
    prepare_session(tmp_path)
    prepare_session(tmp_path)
    children = [child.pid for child in psutil.Process().children()]
    with open_session(tmp_path) as first:
        (pid,) = first.call(PID, {})
        assert pid in children
        with open_session(tmp_path) as second:
            assert second.call(PID, {})[0] != pid
    prepare_session(tmp_path)
    ahead = {child.pid for child in psutil.Process().children()}
    other = tmp_path / "other"
    other.mkdir()
    with open_session(other) as third:
        assert third.call(PID, {})[0] not in ahead
    assert not {child.pid for child in psutil.Process().children()} & ahead - set(children)
    with pytest.raises(InputError, match="needs a scratch folder"):
        open_session(None)


def test_nothing_of_ours_changes(tmp_path: Path) -> None:
    before = dict(os.environ), signal.getsignal(signal.SIGINT), os.getcwd()
    with RSession(tmp_path) as session:
        session.call("function() { Sys.setenv(A_B_C = '1'); setwd('/') }", {})
    assert (dict(os.environ), signal.getsignal(signal.SIGINT), os.getcwd()) == before
