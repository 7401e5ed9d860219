"""HDF5 that claims, points or links where it must not is refused before anything follows it."""

import os
import signal
import subprocess
import sys
import time

import anndata
import h5py
import numpy as np
import pandas as pd
import psutil
import pytest
import scipy.sparse as sp

from impbench.data import hdf5_program, hdf5_trial
from impbench.data.read import read_counts_file
from impbench.errors import InputError


@pytest.fixture
def path(tmp_path):
    counts = sp.csr_matrix(np.random.default_rng(0).integers(1, 9, (8, 5)).astype(np.float32))
    data = anndata.AnnData(
        counts,
        obs=pd.DataFrame(index=[f"cell{i}" for i in range(8)]),
        var=pd.DataFrame(index=[f"Gene{i}" for i in range(5)]),
    )
    data.write_h5ad(tmp_path / "my.h5ad")
    return tmp_path / "my.h5ad"


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_counts_file(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("shape", [(10**12,), (10**7, 10**7)], ids=str)
def test_claim_of_terabytes_in_some_kilobytes_is_refused(path, shape):
    with h5py.File(path, "r+") as file:
        del file["X/data"]
        file.create_dataset("X/data", shape, "f4", chunks=tuple(min(1000, n) for n in shape))
    assert path.stat().st_size < 10**5
    message = refusal(path)
    assert "claims to hold" in message
    assert f"X/data claims {shape}" in message


@pytest.mark.parametrize("value", [5, -1, 2**30])
def test_column_outside_the_matrix_is_refused(path, value):
    with h5py.File(path, "r+") as file:
        file["X/indices"][3] = value
    assert "X of" in (message := refusal(path))
    assert "no sound sparse matrix" in message


def test_row_that_ends_before_it_begins_is_refused(path):
    with h5py.File(path, "r+") as file:
        file["X/indptr"][2] = 35
    assert "no sound sparse matrix" in refusal(path)


def test_fractional_columns_are_refused(path):
    with h5py.File(path, "r+") as file:
        columns = file["X/indices"][()]
        del file["X/indices"]
        file["X/indices"] = columns + 0.5
    assert "no whole numbers" in refusal(path)


def test_column_outside_10x_output_is_refused_before_scanpy_follows_it(tmp_path):
    path = tmp_path / "my.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["data"], group["indices"] = np.ones(3, "i4"), np.array([0, 10**9, 1])
        group["indptr"], group["shape"] = np.array([0, 2, 3]), np.array([2, 2])
        group["barcodes"] = np.array([b"a", b"b"])
        for name in ("id", "name", "genome"):
            group[f"features/{name}"] = np.array([b"x", b"y"])
        group["features/feature_type"] = np.array([b"Gene Expression", b"Antibody Capture"])
    assert "matrix of" in refusal(path)


def test_link_to_another_file_is_refused(path, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones((8, 5))
    with h5py.File(path, "r+") as file:
        file["layers/counts"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")
    assert "/layers/counts lies in another file" in refusal(path)


def test_content_stored_in_another_file_is_refused(path, tmp_path):
    (tmp_path / "private").write_bytes(bytes(range(40)))
    with h5py.File(path, "r+") as file:
        outside = [(str(tmp_path / "private"), 0, 40)]
        file.create_dataset("layers/counts", (8, 5), "u1", external=outside)
    assert "layers/counts lies in another file" in refusal(path)


def test_view_of_another_file_is_refused(path, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones((8, 5))
    layout = h5py.VirtualLayout((8, 5), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (8, 5))
    with h5py.File(path, "r+") as file:
        file.create_virtual_dataset("layers/counts", layout)
    assert "layers/counts lies in another file" in refusal(path)


@pytest.fixture
def ending(tmp_path, monkeypatch):
    """Let a process end in the library that reads a file, as HDF5 would make it."""

    def ends(how):
        for name in ("h5py", "hdf5plugin"):
            (tmp_path / f"{name}.py").write_text(
                f"import os, signal, time\n\n\ndef File(*_):\n    {how}\n"
            )
        monkeypatch.syspath_prepend(tmp_path)

    hdf5_trial._end_program()
    yield ends
    hdf5_trial._end_program()


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGALRM"])
def test_file_on_which_the_library_crashes_or_hangs_is_refused_in_words(path, ending, name):
    ending(f"os.kill(os.getpid(), signal.{name})")
    message = refusal(path)
    assert "crashes or comes to no end" in message
    assert "truncated or damaged: write or copy it again" in message


@pytest.mark.parametrize(
    "how",
    [
        "raise SystemExit(1)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getppid(), signal.SIGKILL)",
    ],
)
def test_process_that_could_not_try_says_nothing_about_the_file(path, ending, how):
    ending(how)
    assert read_counts_file(path).counts.shape == (8, 5)


def test_program_that_ended_meanwhile_starts_again(path):
    assert hdf5_trial.is_whole(path)
    before = hdf5_trial._program
    before.kill()
    before.wait()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert not hdf5_trial.is_whole(path)
    assert hdf5_trial._program is not before


def test_who_interrupts_an_attempt_leaves_no_answer_and_no_process(path, ending, tmp_path):
    ending(
        f"print(os.getpid(), file=open({str(tmp_path / 'pid')!r}, 'w'), flush=True); time.sleep(60)"
    )

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 2)
        with pytest.raises(KeyboardInterrupt):
            hdf5_trial.attempt(path, whole=False)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert hdf5_trial._program is None
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_forked_process_asks_a_program_of_its_own(path):
    assert hdf5_trial.is_whole(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if (child := os.fork()) == 0:
        own = hdf5_trial._program is None and not hdf5_trial.is_whole(path)
        hdf5_trial._end_program()
        os._exit(0 if own else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not hdf5_trial.is_whole(path)


def is_alive(process):
    return psutil.pid_exists(process) and psutil.Process(process).status() != "zombie"


def test_program_ends_with_whoever_asked(path):
    code = (
        "from impbench.data import hdf5_trial\nfrom pathlib import Path\nimport os, signal\n"
        f"hdf5_trial.is_whole(Path({str(path)!r}))\n"
        "print(hdf5_trial._program.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while is_alive(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(done.stdout))


def test_part_that_comes_to_no_end_ends_its_process(path, monkeypatch):
    monkeypatch.setattr(hdf5_program, "_read_attributes", lambda _: time.sleep(60))
    monkeypatch.setattr(hdf5_program, "_SECONDS", 1)
    if (child := os.fork()) == 0:
        hdf5_program._read_and_end(str(path), whole=False)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGALRM


def test_packages_that_only_this_process_knows_are_known_to_the_trial_too(path):
    """As where they lie in the user's own folder, or in one of a cluster's modules."""
    code = (
        f"import sys; sys.path += {sys.path!r}\n"
        "from impbench.data import hdf5_trial\nfrom pathlib import Path\n"
        f"print(hdf5_trial.attempt(Path({str(path)!r}), whole=True))"
    )
    without_venv = sys._base_executable
    done = subprocess.run([without_venv, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_what_python_prints_as_it_starts_is_no_answer(path, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("print('hello')\n")
    monkeypatch.syspath_prepend(tmp_path)
    hdf5_trial._end_program()
    assert hdf5_trial.is_whole(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert not hdf5_trial.is_whole(path)
    hdf5_trial._end_program()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user may not start Python as another")
def test_file_is_read_where_no_further_process_may_start(path):
    path.parent.chmod(0o755)
    code = (
        "import os, resource\nfrom impbench.data import hdf5_trial\nfrom pathlib import Path\n"
        "os.setuid(65534)\nresource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\n"
        f"print(hdf5_trial.survives(Path({str(path)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_file_that_another_program_writes_is_not_called_damaged(path):
    code = f"import h5py; f = h5py.File({str(path)!r}, 'a'); print('open', flush=True); input()"
    writer = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert writer.stdout.readline() == b"open\n"
        assert "another program has it open for writing" in refusal(path)
    finally:
        writer.communicate(b"\n")
    assert read_counts_file(path).counts.shape == (8, 5)


def test_types_that_h5py_does_not_know_are_no_damage(path):
    with h5py.File(path, "r+") as file:
        space = h5py.h5s.create_simple((3,))
        h5py.h5d.create(file["uns"].id, b"time", h5py.h5t.UNIX_D32LE, space)
    assert hdf5_trial.is_whole(path)
    assert read_counts_file(path).counts.shape == (8, 5)


def test_sound_and_half_readable_files_are_told_apart_by_a_process_of_their_own(path):
    assert hdf5_trial.survives(path)
    assert hdf5_trial.is_whole(path)
    with h5py.File(path, "r+") as file:
        file.create_dataset("uns/large", (10**9,), "f8", chunks=(1000,))
        file["uns/large"][:3] = 1
    assert hdf5_trial.is_whole(path), "what was never written is no damage"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert hdf5_trial.survives(path), "an error that h5py raises is said by the reading proper"
    assert not hdf5_trial.is_whole(path)
    assert "truncated" in refusal(path)
