"""Walls one by one: what is opened, what is hidden, what protects where Landlock is missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import pytest
from attacked import NOBODY, package_links, python_of_anybody

from impbench.results.store import Store
from impbench.worker import landlock

CLOSED = {"gpu": False, "network": False}
needs_landlock = pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")

PLUGIN = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from impbench import Imputed, Imputer, hookimpl

@dataclass(frozen=True)
class Weighs(Imputer):
    name, summary = "weighs", "Needs a file that lies beside it."

    def impute(self, observed, context):
        weight = float(Path(__file__).with_name("weight.txt").read_text())
        return Imputed(observed.lognorm * np.float32(weight), "lognorm")

@hookimpl
def impbench_imputers():
    return [Weighs]
"""


def shut_in(walls: dict[str, Any], code: str) -> list[Any]:
    """Run `code` behind walls in a process of its own; return what it printed as JSON."""
    walls = {"module": "", "readable": [], "writable": [], "hidden": [], **CLOSED, **walls}
    script = (
        "import json\n"
        "from pathlib import Path\n"
        "from impbench.worker.isolation import shut_in\n"
        f"shut_in({walls!r})\n"
        "def refused(act):\n"
        "    try:\n"
        "        act()\n"
        "    except PermissionError:\n"
        "        return True\n"
        "    return False\n"
        f"print(json.dumps({code}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout)
    return told


@needs_landlock
def test_hidden_file_inside_an_open_folder_stays_hidden(tmp_path: Path) -> None:
    inner = tmp_path / "open" / "inner"
    inner.mkdir(parents=True)
    for name in ("labels", "weights"):
        (inner / name).write_text(name)
    (tmp_path / "link").symlink_to(inner / "labels")
    told = shut_in(
        {"readable": [str(tmp_path / "open")], "hidden": [str(tmp_path / "link")]},
        f"[Path({str(inner / 'weights')!r}).read_text(),"
        f" refused(lambda: Path({str(inner / 'labels')!r}).read_text()),"
        f" refused(lambda: Path({str(tmp_path / 'link')!r}).read_text()),"
        f" sorted(p.name for p in Path({str(inner)!r}).iterdir())]",
    )
    assert told == ["weights", True, True, ["labels", "weights"]]


@needs_landlock
def test_only_what_is_writable_can_be_written(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    told = shut_in(
        {"readable": [str(tmp_path)], "writable": [str(tmp_path / "mine")]},
        f"[refused(lambda: Path({str(tmp_path / 'other' / 'x')!r}).write_text('x')),"
        f" refused(lambda: Path({str(tmp_path / 'mine' / 'x')!r}).write_text('x')),"
        f" refused(lambda: Path({str(tmp_path / 'mine' / 'x')!r}).unlink())]",
    )
    assert told == [True, False, False]


@needs_landlock
@pytest.mark.parametrize("network", [False, True])
def test_network_is_closed_until_it_is_opened(network: bool) -> None:
    # As R's clusters of workers do.
    told = shut_in(
        {"network": network},
        "[refused(lambda: __import__('socket').create_server(('127.0.0.1', 0)).close())]",
    )
    assert told == [not network]


@needs_landlock
@pytest.mark.skipif(not os.access("/proc/sys/vm/drop_caches", os.W_OK), reason="needs root")
def test_a_process_reads_about_itself_also_after_the_kernel_was_short_of_memory() -> None:
    # As threadpoolctl does each time that BLAS is limited to one thread.
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from impbench.worker.isolation import shut_in\n"
        "walls = {'module': '', 'readable': [], 'writable': [], 'hidden': [], 'gpu': False}\n"
        "shut_in({**walls, 'network': False})\n"
        "for _ in range(2):\n"
        "    Path('/proc/self/maps').read_bytes(), Path('/proc/meminfo').read_bytes()\n"
        "    print('read', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "read\n"
        Path("/proc/sys/vm/drop_caches").write_text("2\n")
        process.stdin.write("\n\n")
        process.stdin.flush()
        assert process.stdout.readline() == "read\n"


@needs_landlock
def test_process_with_threads_is_not_shut_in() -> None:
    script = (
        "import threading; from impbench.worker.landlock import restrict;"
        "threading.Thread(target=threading.Event().wait, daemon=True).start(); restrict([])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "several threads" in done.stderr


@pytest.mark.slow
@needs_landlock
def test_file_beside_a_plugin_is_closed_until_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "weighs.py").write_text(PLUGIN)
    (tmp_path / "weight.txt").write_text("0.5")
    command = [
        *(sys.executable, "-c", "from impbench.cli import main; main()", "run", "--quiet"),
        *("--plugin", tmp_path / "weighs.py", "--imputers", "weighs", "--no-report"),
        *("--datasets", "sim_equal[n_cells=40,n_genes=60]", "--protocols", "simulated-truth"),
        *("--seeds", "1", "-j", "1", "--out", tmp_path / "out"),
    ]
    closed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert closed.returncode == 3, closed.stderr
    (record,) = (r for r in Store(tmp_path / "out").read().records if r.job.imputer == "weighs")
    assert record.status == "failed"
    assert "PermissionError" in record.reason
    assert "--allow-read" in record.reason
    opened = [*command, "--allow-read", tmp_path / "weight.txt"]
    subprocess.run(opened, capture_output=True, text=True, check=True)
    (record,) = (r for r in Store(tmp_path / "out").read().records if r.job.imputer == "weighs")
    assert record.status == "ok", record.reason
    environment = Store(tmp_path / "out").manifest().environment
    assert environment.opened == (str(tmp_path / "weight.txt"),)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs another user")
@pytest.mark.parametrize("asks", [True, False])
def test_without_landlock_an_ordinary_user_cannot_look_into_who_asked(asks: bool) -> None:
    """Two processes of one ordinary user: one holds the truth, the other opens its descriptor."""
    holder = (
        "import sys, tempfile\n"
        "from impbench.worker import isolation, landlock\n"
        "landlock.abi = lambda: 0\n"
        "file = tempfile.TemporaryFile()\n"
        "file.write(b'the truth')\n"
        "file.flush()\n"
        f"isolation.make_unreadable({asks})\n"
        "print(file.fileno(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    folder = Path(tempfile.mkdtemp(prefix="impbench-unreadable-"))
    folder.chmod(0o755)
    path = f"{package_links(folder)}:{sysconfig.get_path('purelib')}"
    who: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    who |= {"env": {**os.environ, "PYTHONPATH": path}, "cwd": "/", "text": True}
    python = python_of_anybody()
    try:
        with subprocess.Popen(
            [python, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **who
        ) as process:
            assert process.stdout is not None
            number = process.stdout.readline().strip()
            read = f"print(open('/proc/{process.pid}/fd/{number}').read())"
            found = subprocess.run([python, "-c", read], capture_output=True, check=False, **who)
            assert process.stdin is not None
            process.stdin.close()
    finally:
        shutil.rmtree(folder)
    if asks:
        assert "PermissionError" in found.stderr
    else:
        assert found.stdout.strip() == "the truth"
