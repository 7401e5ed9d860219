"""What numba compiles for a method of ours is kept in one folder, whoever wrote the function."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from impbench.runner.walls import compiled_folder

pytestmark = pytest.mark.slow

SUITE = """
seeds = 1
controls = false
imputers = ["contrastive-sc[epochs=1,n_hvg=40]"]
[[question]]
datasets = ["sim_rare[n_cells=60,n_genes=80]"]
protocols = ["clustering[source=embedding]"]
"""


def test_a_method_of_ours_may_use_a_package_that_has_never_compiled_before(tmp_path):
    """scanpy keeps what it compiles beside itself, which is closed once the walls are up."""
    (tmp_path / "suite.toml").write_text(SUITE)
    environment = {**os.environ, "IMPBENCH_CACHE": str(tmp_path / "cache")}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-P", "-m", "impbench", "run", "--suite", "suite.toml"]
    command += ["--out", "out", "--no-report", "--jobs", "1"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kept = [path.name for path in (tmp_path / "cache" / "compiled").rglob("*.nbi")]
    assert any("sparse_mean_var" in name for name in kept), kept


def test_where_no_folder_can_be_made_numba_keeps_to_its_own_choice(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "below"))
    compiled_folder.cache_clear()
    try:
        assert compiled_folder() is None
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new"))
        compiled_folder.cache_clear()
        assert compiled_folder() == Path(tmp_path / "new").resolve()
    finally:
        compiled_folder.cache_clear()
