"""What a cluster needs and is not installed is said before anything is prepared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import impbench
from impbench.errors import UnavailableError


@pytest.mark.parametrize(
    ("executor", "package"),
    [
        ("dask[scheduler=tcp://127.0.0.1:1]", "distributed"),
        ("slurm", "distributed"),
        ("slurm", "dask_jobqueue"),
    ],
)
def test_missing_extra_is_said_first_and_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UnavailableError) as said:
        impbench.run(out=tmp_path / "x", executor=executor)
    assert str(said.value) == (
        f'running on a cluster needs {package}: pip install "impbench[dask]"'
    )
    assert not (tmp_path / "x").exists()
