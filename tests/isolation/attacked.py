"""One run of every attack, through the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from impbench.results.record import Record
from impbench.results.store import Store
from impbench.worker.isolation import OURS

PLUGINS = ("attacks.py", "cheats.py")
SIMULATED = "sim_equal[n_cells=40,n_genes=60]"
NOBODY = 65534


@dataclass(frozen=True)
class Attacked:
    """What a run left behind, and where things were."""

    folder: Path
    data: Path
    records: list[Record]
    printed: str

    def of(self, name: str, target: str | None = None) -> list[Record]:
        """Return the records of one attack, against each of the data sets."""
        found = [
            record
            for record in self.records
            if record.job.imputer.partition("[")[0] == name
            and target in (None, record.job.params.get("target"))
        ]
        assert found, f"{name} left no record\n{self.printed}"
        return found


def run_attacks(folder: Path, python: str, port: int, ordinary: bool) -> Attacked:
    """Run all attacks against a simulated set and a user's own file with labels, in `folder`."""
    data, out, left, home = (folder / name for name in ("my.h5ad", "out", "left", "home"))
    _write_data(data)
    for new in (left, home):
        new.mkdir()
    for plugin in PLUGINS:
        shutil.copy(Path(__file__).with_name(plugin), folder)
    attacks = [
        *("opens-descriptors", "reads-memory", "sends-signals", "patches-clocks"),
        *("answers-itself", "hides-work", "leaves-process"),
        *(f'reads-file[target="{path}"]' for path in (data, out / "manifest.json")),
        f'writes-file[target="{out}"]',
        f'uses-network[target="{port}"]',
        f'carries[target="{left}"]',
        f'prepares-ahead[target="{out}"]',
        f'reaches-out[target="{folder}"]',
        f'marks-files[target="{data}"]',
        *("digs-deep", "overflows"),
    ]
    program = [
        *(python, "-c", "from impbench.cli import main; main()", "run"),
        *(word for plugin in PLUGINS for word in ("--plugin", folder / plugin)),
        *("--datasets", SIMULATED, "--data", data, "--label-key", "type", "--genes", "0"),
        *("--protocols", "clustering,simulated-truth", "--seeds", "1", "-j", "1"),
        *("--no-report", "--quiet"),
    ]
    environment = {**os.environ, "HOME": str(home)}
    if ordinary:
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        environment["PYTHONPATH"] = f"{package_links(folder)}:{sysconfig.get_path('purelib')}"
    as_whom = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if ordinary else {}

    def run(imputers: list[str], out: Path, limit: str) -> str:
        """Run some of the attacks; return what it printed."""
        options = ["--imputers", ",".join(imputers), "--out", out, "--timeout", limit]
        done = subprocess.run(
            [str(word) for word in [*program, *options]],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **as_whom,
        )
        assert (out / "manifest.json").exists(), done.stderr
        return done.stderr

    printed = run(attacks, out, "20s")
    # It keeps two processes busy until its limit: one that the others could miss on a busy machine.
    printed += run(["floods-channel"], folder / "flooded", "5s")
    records = [*Store(out).read().records, *Store(folder / "flooded").read().records]
    return Attacked(out, data, records, printed)


def _write_data(path: Path) -> None:
    draw = np.random.default_rng(0)
    counts = draw.poisson(2.0, (40, 50)).astype(np.float32)
    types = pd.Series(np.repeat(["a", "b"], 20), dtype="category").to_numpy()
    cells = pd.DataFrame({"type": pd.Categorical(types)}, index=[f"c{i}" for i in range(40)])
    anndata.AnnData(counts, obs=cells).write_h5ad(path)


def python_of_anybody() -> str:
    """Return a Python that an ordinary user may start, of the version our packages are for."""
    version = f"import sys; print(sys.version_info[:2] == {tuple(sys.version_info[:2])})"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            found = subprocess.run(
                [python, "-c", version],
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            continue
        if found.stdout.strip() == "True":
            return python
    pytest.skip("an ordinary user can start no Python of this version here")


def package_links(folder: Path) -> Path:
    """Make a folder that holds our packages, wherever they are installed from."""
    links = folder / "links"
    links.mkdir()
    for name in OURS:
        spec = find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        (links / name).symlink_to(spec.submodule_search_locations[0])
    found = subprocess.run(
        [python_of_anybody(), "-c", "import impbench.cli, impbench_plugins, numpy"],
        env={**os.environ, "PYTHONPATH": f"{links}:{sysconfig.get_path('purelib')}"},
        cwd="/",
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    if found.returncode != 0:
        pytest.skip("our packages lie where an ordinary user cannot read them")
    return links


def manifest(attacked: Attacked) -> dict[str, object]:
    """Return the run's manifest."""
    text = (attacked.folder / "manifest.json").read_text(encoding="utf-8")
    content: dict[str, object] = json.loads(text)
    return content
