"""Controls are known by the role that they declare, and only impbench's own can declare one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import impbench
from impbench import registry as registry_module
from impbench.description import read_plugin, tell_imputer
from impbench.errors import InputError
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file, registry
from impbench.report.analysis.run import run_of_results
from impbench.results.manifest import AboutImputer, RunManifest
from impbench.runner.settings import Settings
from impbench.stand_in import stand_in

METHOD = """
from dataclasses import dataclass
import impbench

@dataclass(frozen=True)
class Mine(impbench.Imputer):
    name, summary, input_scale = "mine", "Leaves the data alone.", "lognorm"
    packages = ("pluggy", "not-installed-anywhere")
    ROLE

    def impute(self, observed, context):
        return impbench.Imputed(observed.lognorm.copy(), "lognorm")

@impbench.hookimpl
def impbench_imputers():
    return [Mine]
"""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry of this test's own, forgotten afterwards."""
    monkeypatch.setattr(registry_module, "_files", [])
    registry.cache_clear()
    yield
    registry.cache_clear()


def plugin(folder: Path, role: str = "") -> Path:
    path = folder / "mine.py"
    path.write_text(METHOD.replace("ROLE", role))
    return path


def test_each_role_is_declared_by_one_control_of_ours() -> None:
    roles = {item.name: item.role for item in registry().imputers.ours() if item.role}
    assert roles == {"no-imputation": "nothing", "maskclass-prior": "formula"}
    assert all(item.is_control for item in registry().imputers.ours() if item.role)


def test_a_strangers_class_cannot_claim_a_role(fresh: None, tmp_path: Path) -> None:
    load_file(plugin(tmp_path, 'role = "nothing"'))
    (broken,) = registry().broken
    assert "says role = 'nothing', but roles are those of impbench's own controls" in broken.reason
    assert "mine" not in registry().imputers


def test_a_description_that_claims_a_role_gives_none() -> None:
    real = registry().imputers["no-imputation"]
    claims: Any = {"imputers": [{**tell_imputer(real), "role": "nothing"}], "parts": []}
    told = read_plugin({**claims, "broken": []})
    assert stand_in(told["imputers"][0]).role == ""
    parameter = tell_imputer(registry().imputers["magic"])["parameters"][0]
    parameter |= {"name": "role", "type": "str", "default": "nothing", "min": None, "max": None}
    claims = {**tell_imputer(real), "parameters": [parameter]}
    with pytest.raises(InputError, match="a parameter 'role', which is a name of impbench's own"):
        stand_in(claims)


@pytest.mark.parametrize("packages", [["../etc"], [""], ["a b"], ["torch>=2"], ["x"] * 51])
def test_what_a_description_calls_packages_are_names(packages: list[str]) -> None:
    told = tell_imputer(registry().imputers["no-imputation"])
    with pytest.raises(InputError, match="expected at most 50 names of distributions"):
        stand_in({**told, "packages": packages})


def test_packages_in_one_text_are_refused(fresh: None, tmp_path: Path) -> None:
    text = METHOD.replace('("pluggy", "not-installed-anywhere")', '("torch")').replace("ROLE", "")
    (tmp_path / "mine.py").write_text(text)
    load_file(tmp_path / "mine.py")
    (broken,) = registry().broken
    assert "packages = 'torch', a text; expected a tuple of names" in broken.reason


def test_manifest_tells_roles_and_versions_and_records_tell_what_is_declared(
    fresh: None, tmp_path: Path
) -> None:
    load_file(plugin(tmp_path))
    question = Question(("sim_equal[n_cells=40,n_genes=40]",), ("simulated-truth",))
    names = ("mine", "no-imputation", "maskclass-prior")
    results = impbench.run(
        Suite("roles", "roles", "", (question,), names, seeds=1, controls=False),
        tmp_path / "out",
        settings=Settings(jobs=1, threads=1),
        report=False,
    )
    manifest = json.loads((results.folder / "manifest.json").read_text())
    roles = {spec: facts["role"] for spec, facts in manifest["imputers"].items()}
    assert roles == {
        "mine": "",
        "no-imputation": "nothing",
        "maskclass-prior": "formula",
        "oracle": "",
        "attainable": "",
    }
    before = {"anndata", "magic-impute", "numba", "numpy", "pandas", "scanpy", "scikit-learn"}
    versions = manifest["environment"]["versions"]
    assert {*before, "scipy", "scranpy", "torch", "pluggy"} <= set(versions)
    assert "not-installed-anywhere" not in versions
    records = [json.loads(path.read_text()) for path in (results.folder / "records").iterdir()]
    recorded = {record["job"]["imputer"]: record["versions"] for record in records}
    assert set(recorded["mine"]) == {"python", "mine", "numpy", "scipy", "pluggy", "impbench"}
    assert recorded["mine"]["pluggy"] == versions["pluggy"]
    assert {"python", "numpy", "scipy", "no-imputation"} <= set(recorded["no-imputation"])


def test_a_strangers_permuted_is_no_control_to_the_report() -> None:
    """Roles and controls are what the manifest says, whatever the name."""
    names = ("permuted", "no-imputation", "mine")
    rows = [
        {"dataset": "d", "protocol": "p", "imputer": name, "seed": 1, "metric": "mse"}
        for name in names
    ]
    results = pd.DataFrame(rows).assign(value=0.5, status="ok", reason="", params="{}", key="")
    told = {name: AboutImputer(name, version="1") for name in names}
    run = run_of_results(results, RunManifest(seeds=(1,), imputers=told))
    assert run.methods == list(names)
    assert run.controls == []
    told["no-imputation"] = AboutImputer("no-imputation", is_control=True, role="nothing")
    run = run_of_results(results, RunManifest(seeds=(1,), imputers=told))
    assert run.methods == ["permuted", "mine"]
    assert run.controls == ["no-imputation"]
