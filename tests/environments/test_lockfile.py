"""Exact versions for a method's environment, and what `impbench env` does with them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from impbench.environments.lockfile import write_lock
from impbench.registry import load_file, registry

PLUGIN = '''
from dataclasses import dataclass

from impbench import Imputed, Imputer, hookimpl, parameter
from impbench.errors import InputError


@dataclass(frozen=True)
class Halves(Imputer):
    """Halves the counts and fills every other zero, never the same way twice for a seed."""

    name = "halves"
    summary = "test"
    stochastic = True
    requires = ("pluggy>=0.13",)
    lockfile = "locks/halves.txt"

    most: int = parameter(1000, "Genes.")

    def impute(self, observed, context):
        import os

        import numpy as np
        import pluggy

        if self.most < observed.n_genes:
            raise InputError(f"halves takes at most {self.most} genes")
        values = observed.dense_counts / 2.0
        values[:, ::2][values[:, ::2] == 0] = 1 + os.urandom(1)[0]
        values[0, 1] = -1
        return Imputed(values, "counts", info={"pluggy": pluggy.__version__})


@hookimpl
def impbench_imputers():
    return [Halves]
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "halves_file.py"
    path.write_text(PLUGIN)
    return path


def _env(plugin: Path, *words: str) -> subprocess.CompletedProcess[str]:
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    surroundings = {**os.environ, "PATH": beside, "IMPBENCH_CACHE": str(plugin.parent / "cache")}
    impbench = str(Path(sys.executable).with_name("impbench"))
    command = [impbench, "env", *words, "--plugin", str(plugin)]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True)


def test_a_missing_lockfile_is_named_with_the_command_that_writes_it(plugin: Path) -> None:
    told = _env(plugin, "build", "halves").stderr
    assert "locks/halves.txt, the lockfile of halves, is missing or empty" in told
    assert "impbench env lock halves writes it" in told
    tried = _env(plugin, "test", "halves")
    assert tried.returncode == 1
    assert tried.stdout.startswith("halves: failed\n  reason: locks/halves.txt, the lockfile of")


def test_a_line_that_is_no_version_is_named(plugin: Path) -> None:
    lock = plugin.parent / "locks" / "halves.txt"
    lock.parent.mkdir()
    lock.write_text("# CPython 3.11.7\nnumpy==1.26.4\npluggy=>1\n")
    told = _env(plugin, "build", "halves").stderr
    assert "halves.txt, the lockfile of halves, line 3: 'pluggy=>1' is not a package" in told


def test_env_test_needs_a_name_or_all(plugin: Path) -> None:
    assert "needs names of methods, or --all" in _env(plugin, "test").stderr
    assert "gene-mean needs no environment" in _env(plugin, "test", "gene-mean").stderr


def test_a_lock_names_no_build_that_others_cannot_install(plugin: Path) -> None:
    load_file(plugin)
    versions = {"pip": "23.2", "torch": "2.13.0+cpu", "numpy": "2.4.6"}
    path = write_lock(type(registry().imputer("halves")), "CPython 3.11.7", versions)
    assert path.read_text() == "# CPython 3.11.7\nnumpy==2.4.6\ntorch==2.13.0\n"


@pytest.mark.slow
def test_a_lock_is_written_heeded_and_tried(plugin: Path, package_registry: None) -> None:
    lock = plugin.parent / "locks" / "halves.txt"
    assert _env(plugin, "lock", "halves").stdout.strip() == str(lock)
    text = lock.read_text()
    assert text.startswith(f"# CPython {sys.version.split()[0]}\n")
    newest = next(line for line in text.splitlines() if line.startswith("pluggy=="))
    assert newest != "pluggy==0.13.1"

    lock.write_text(text.replace(newest, "pluggy==0.13.1"))
    table = plugin.parent / "table.csv"
    done = _env(plugin, "test", "halves", "--out", str(table))
    assert done.returncode == 0, done.stderr
    assert "observed values changed" in done.stdout
    (row,) = csv.DictReader(table.open())
    assert row["status"] == "ok"
    assert "pluggy 0.13.1" in row["versions"]
    assert row["seeds"] == "ignored"
    assert row["keeps_observed"] == "False"
    assert 0.3 < float(row["zeros_filled"]) < 0.7
    assert row["negatives"] == "1"

    refused = _env(plugin, "test", "halves[most=9]")
    assert refused.returncode == 0, refused.stderr
    assert refused.stdout.startswith("halves[most=9]: refused")
    assert "reason: halves takes at most 9 genes\n" in refused.stdout


@pytest.mark.slow
def test_the_reason_of_a_failed_build_is_short(plugin: Path, package_registry: None) -> None:
    lock = plugin.parent / "locks" / "halves.txt"
    lock.parent.mkdir()
    lock.write_text("pluggy==99.0\n")
    done = _env(plugin, "test", "halves")
    assert done.returncode == 1
    assert done.stdout.startswith("halves: unavailable")
    assert "pluggy==99.0" in done.stdout
    assert "from versions" not in done.stdout
