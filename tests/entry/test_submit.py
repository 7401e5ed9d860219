"""A stranger enters a method: checked, measured on what nobody knows, one file to review."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from impbench.entry import submit as entry
from impbench.errors import InputError
from impbench.merging.merge import read_run
from impbench.plan.suite import Question, Suite
from impbench.results.store import Store
from impbench.runner.secret import Secret

pytestmark = pytest.mark.slow

IMPBENCH = Path(sys.executable).with_name("impbench")
SUITE = """title = "tiny"
imputers = []
seeds = 2
controls = false
[[question]]
datasets = ["sim_equal[n_cells=40,n_genes=60]"]
protocols = ["simulated-truth"]
"""
PLUGIN = '''"""Fill every zero with its gene's mean."""

from dataclasses import dataclass

import numpy as np

import impbench


@dataclass(frozen=True)
class Filled(impbench.Imputer):
    """Means of genes in place of zeros."""

    name = "filled"
    summary = "Means of genes in place of zeros."
    citation = "unpublished, A. Nobody, https://example.org"
    version = "1"

    def impute(self, observed, context):
        values = observed.lognorm
        means = np.broadcast_to(values.mean(axis=0, keepdims=True), values.shape)
        return impbench.Imputed(np.where(values > 0, values, means), scale="lognorm")


@impbench.hookimpl
def impbench_imputers():
    return [Filled]
'''


def call(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [IMPBENCH, *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def prepare(folder: Path, plugin: str = PLUGIN) -> Path:
    (folder / "tiny.toml").write_text(SUITE)
    (folder / "filled.py").write_text(plugin)
    return folder


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a row in it; nobody may change what is there."""
    folder = prepare(tmp_path_factory.mktemp("submitted"))
    asked = ["submit", "filled.py", "--suite", "tiny.toml", "--out", "row.json", "--no-report"]
    done = call(folder, *asked, "--unisolated")
    assert done.returncode == 0, done.stderr
    assert "row.json: send this file in a pull request" in done.stdout
    return folder


def test_the_row_says_who_passed_what_and_scored_how(submitted: Path) -> None:
    row = json.loads((submitted / "row.json").read_text())
    (method,) = row["methods"]
    assert method["imputer"] == "filled"
    assert method["source"] == "filled.py"
    assert method["sha256"] == hashlib.sha256(PLUGIN.encode()).hexdigest()
    assert set(method["conformance"].values()) == {"passed", "skipped"}
    assert method["conformance"]["no-network"] == "passed"
    scores = row["scores"]["simulated-truth on sim_equal[n_cells=40,n_genes=60]"]
    assert set(scores["mse"]) == {"filled", "attainable", "oracle"}
    assert scores["mse"]["oracle"] == 0 < scores["mse"]["filled"]
    told = row["manifest"]
    assert len(told["secret_seed"]) == 32
    assert told["environment"]["isolation"]
    assert told["imputers"]["filled"]["plugin"] == "filled.py"
    assert str(submitted) not in (submitted / "row.json").read_text().replace("row.json", "")


def test_the_row_holds_the_run_whole(submitted: Path) -> None:
    run = Store.open(submitted / "row-run").read()
    row = read_run(submitted / "row.json")
    for record in run.records:
        kept = dataclasses.replace(record, log="") if record.status == "ok" else record
        assert row.records[record.key].to_json() == kept.to_json()
    assert row.manifest.keys == run.manifest.keys
    drawn = call(submitted, "merge", "row.json", "--out", "shown")
    assert drawn.returncode == 0, drawn.stderr
    assert "filled" in (submitted / "shown" / "report.html").read_text(encoding="utf-8")


def test_whoever_runs_it_again_with_the_revealed_seed_sees_any_difference(submitted: Path) -> None:
    seed = json.loads((submitted / "row.json").read_text())["manifest"]["secret_seed"]
    again = ["run", "--suite", "tiny.toml", "--imputers", "filled", "--plugin", "filled.py"]
    again += ["--revealed-seed", seed, "--out", "again", "--no-report", "--quiet"]
    assert call(submitted, *again).returncode == 0
    both = ["merge", "row.json", "again", "--no-report", "--out", "both"]
    assert call(submitted, *both).returncode == 0
    store = Store.open(submitted / "again")
    record = next(r for r in store.read().records if r.job.imputer == "filled")
    record.scores["mse"] /= 2
    store.write_record(record)
    refused = call(submitted, *both[:-1], "other")
    assert refused.returncode == 2
    assert "filled on sim_equal[n_cells=40,n_genes=60], simulated-truth" in refused.stderr


def damaged(data: bytes) -> dict[str, bytes]:
    tree = json.loads(data)
    better = json.loads(data)
    better["records"][0]["scores"] = {"mse": 0.0}
    return {
        "empty": b"",
        "cut short": data[: len(data) // 2],
        "another's JSON": b"{}",
        "a list": b"[]",
        "another format": json.dumps({**tree, "format": 2}).encode(),
        "a better score": json.dumps(better).encode(),
        "no digest": json.dumps({k: v for k, v in tree.items() if k != "digest"}).encode(),
    }


def test_a_row_that_was_changed_or_is_none_is_refused_by_name(
    submitted: Path, tmp_path: Path
) -> None:
    path = tmp_path / "strange.json"
    for kind, data in damaged((submitted / "row.json").read_bytes()).items():
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"strange\.json") as error:
            read_run(path)
        if kind == "a better score":
            assert "was changed after impbench wrote it" in str(error.value)


def test_what_fails_the_conformance_suite_is_not_measured(tmp_path: Path) -> None:
    folder = prepare(tmp_path, PLUGIN.replace("citation = ", "nothing = "))
    asked = ["submit", "filled.py", "--suite", "tiny.toml", "--out", "row.json", "--unisolated"]
    done = call(folder, *asked)
    assert done.returncode == 2
    assert "filled fails 1 of" in done.stderr
    assert "citation-is-given: citation is empty; Set `citation`" in done.stderr
    assert not (folder / "row.json").exists()
    assert not (folder / "row-run").exists()


def test_where_methods_cannot_be_shut_in_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "in_force", lambda: "none")
    suite = Suite("s", "s", "", (Question(("sim_equal",), ("simulated-truth",)),), (), 1, False)
    with pytest.raises(InputError, match=r"cannot be shut in .*none.*--unisolated"):
        entry.submit("gene-mean", suite, tmp_path / "row.json")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_goes_on_with_its_secret_and_a_finished_one_never(
    tmp_path: Path,
) -> None:
    """Whoever saw a result must not be able to try again on the same masks."""
    known = Secret.draw()
    store = Store.create(tmp_path)
    manifest = {"secret_seed": known.value, "interrupted": True, "finished": None}
    store.write_manifest(manifest)
    assert entry._secret(tmp_path) == known
    store.write_manifest({**manifest, "finished": "2026-01-01T00:00:00+00:00"})
    assert entry._secret(tmp_path) != known
    assert entry._secret(tmp_path / "nowhere") != known
