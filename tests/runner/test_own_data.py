"""A user's own file is asked what the suite asks of own files; datasets by name are not."""

from __future__ import annotations

from pathlib import Path

import impbench
from impbench import api
from impbench.data.read import FileSource
from impbench.plan.suite import read_suite
from impbench.runner.settings import Settings

MINE = FileSource(path="mine.h5ad", label_key="cell_type")
NAMED = "sim_rare[n_cells=60]"


def asked(*sources: str | FileSource, suite: str = "default", **options: object) -> set:
    plan = api.plan(suite, datasets=sources, imputers=["magic"], **options)
    return {(item.source.spec, item.protocol.spec) for item in plan.asked}


def test_own_file_is_asked_for_every_purpose_and_a_named_dataset_is_not() -> None:
    assert asked(MINE, NAMED) == {
        ("mine", "thinning"),
        ("mine", "masking"),
        ("mine", "clustering"),
        ("mine", "differential-expression"),
        ("mine", "true-correlation"),
        (NAMED, "simulated-truth"),
        (NAMED, "clustering"),
    }


def test_protocols_of_ones_choice_replace_the_suites() -> None:
    assert asked(MINE, protocols=["masking"]) == {("mine", "masking")}


def test_suite_without_a_choice_asks_its_own_questions(tmp_path: Path) -> None:
    assert asked(MINE, suite="openproblems-denoising") == {("mine", "thinning")}
    text = 'own_data = ["masking"]\n[[question]]\ndatasets = ["zeisel"]\nprotocols = ["clustering"]'
    (tmp_path / "s.toml").write_text(text)
    assert read_suite(tmp_path / "s.toml").own_data == ("masking",)
    assert asked(MINE, suite=str(tmp_path / "s.toml")) == {("mine", "masking")}


def test_file_without_cell_types_is_thinned_and_masked(tmp_path: Path) -> None:
    adata = impbench.simulate("sim_rare", n_cells=60, n_genes=80, seed=7)
    del adata.layers["true_counts"]
    adata.write_h5ad(tmp_path / "mine.h5ad")
    results = impbench.run(
        "default",
        tmp_path / "out",
        datasets=[FileSource(path=str(tmp_path / "mine.h5ad"))],
        imputers=["no-imputation"],
        seeds=1,
        settings=Settings(jobs=2, threads=1, timeout=60),
        report=False,
    )
    assert set(results.scores.protocol) == {"thinning", "masking"}
    assert {"oracle", "no-imputation", "gene-mean"} <= set(results.scores.imputer)
    assert (results.scores.status == "ok").all()
