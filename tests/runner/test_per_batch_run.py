"""A run that imputes each batch alone: who takes part, what fails, what is skipped and kept."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import impbench
from impbench.api import plan
from impbench.data.read import FileSource
from impbench.errors import InputError
from impbench.executors.dask.worker_plugin import Reference
from impbench.per_batch import alone
from impbench.plan.plan import make_plan
from impbench.plan.suite import Question, Suite
from impbench.plan.task import Posed, Task
from impbench.registry import load_file, registry
from impbench.runner.problems import pose_all
from impbench.runner.run import Results
from impbench.runner.settings import Settings
from impbench.stand_in import StandIn, stand_in

PLUGIN = Path(__file__).parents[1] / "example_plugins" / "needs_ten.py"
BATCHES = "sim_batch[n_cells=45,n_genes=60]"
NONE = "sim_rare[n_cells=40,n_genes=60]"
SETTINGS = Settings(jobs=2, threads=1, timeout=60)
SUITE = Suite("both", "both", "", (Question((BATCHES, NONE), ("simulated-truth",)),), (), 1, False)


@pytest.fixture(scope="module", autouse=True)
def plugin() -> None:
    load_file(PLUGIN)


def carry_out(folder: Path, **options: object) -> Results:
    imputers = ["gene-mean", "needs-ten[even=4]", "no-imputation"]
    return impbench.run(SUITE, folder, imputers=imputers, per="batch", settings=SETTINGS, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return carry_out(tmp_path_factory.mktemp("run"))


def values(results: Results, dataset: str) -> dict[str, float]:
    rows = results.scores[(results.scores.metric == "mse") & (results.scores.dataset == dataset)]
    return dict(zip(rows.imputer, rows.value, strict=True))


def test_each_method_runs_both_ways_and_doing_nothing_once(results: Results) -> None:
    found = values(results, BATCHES)
    assert set(found) == {
        *("gene-mean", "gene-mean[per=batch]", "no-imputation", "attainable", "oracle"),
        *("needs-ten[even=4]", "needs-ten[even=4,per=batch]"),
    }
    assert found["gene-mean"] != found["gene-mean[per=batch]"]
    # 15 cells are added to each value where 45 are together.
    assert found["needs-ten[even=4,per=batch]"] < found["needs-ten[even=4]"] / 4
    assert set(results.scores.status) == {"ok"}


def test_a_dataset_without_batches_is_asked_together_only_and_that_is_said(
    results: Results,
) -> None:
    assert not any("per=batch" in imputer for imputer in values(results, NONE))
    (skipped,) = results.stored.manifest.skipped
    assert (skipped.dataset, skipped.protocol) == (NONE, "per=batch")
    assert "it has no batches" in skipped.reason


def test_the_page_answers_the_question(results: Results) -> None:
    assert results.report is not None
    page = results.report.read_text(encoding="utf-8")
    assert "Batches: impute together, or each alone?" in page
    assert "Batch1 (15), Batch2 (15), Batch3 (15)" in page
    assert len(list((results.folder / "figures").glob("batches-*.svg"))) == 1


def test_the_same_run_again_does_nothing(results: Results) -> None:
    records = {path: path.stat().st_mtime_ns for path in results.folder.glob("records/*.json")}
    again = carry_out(results.folder, report=False)
    pd.testing.assert_frame_equal(again.scores, results.scores)
    assert {path: path.stat().st_mtime_ns for path in records} == records


def test_a_batch_that_is_too_small_is_a_failure_with_its_name(tmp_path: Path) -> None:
    source = FileSource(path=str(own_file(tmp_path)), batch_key="donor", hvg="none")
    found = impbench.run(
        Suite("own", "own", "", (Question(("x",), ("masking",)),), (), 1, False),
        tmp_path / "run",
        datasets=[source],
        imputers=["needs-ten"],
        per="batch",
        settings=SETTINGS,
        report=False,
    )
    (reason,) = found.scores.loc[found.scores.status == "failed", "reason"].unique()
    assert "batch 'small' alone (4 cells): IndexError: ten cells are needed" in reason
    assert found.without_result == ("needs-ten[per=batch]",)
    assert "ok" in set(found.scores.status)


@pytest.mark.parametrize(("batch_key", "warned"), [("donor", False), ("type", True)])
def test_batches_that_tell_the_cell_types_are_warned_of(
    batch_key: str, warned: bool, tmp_path: Path
) -> None:
    source = FileSource(
        path=str(own_file(tmp_path)), batch_key=batch_key, label_key="type", hvg="none"
    )
    suite = Suite("own", "own", "", (Question(("x",), ("clustering",)),), (), 1, False)
    asked = make_plan(suite, registry(), sources=[source], imputers=["gene-mean[per=batch]"])
    with closing(pose_all(asked, tmp_path / "work", registry().metrics)) as found:
        (facts,) = found.datasets.values()
    assert ("Every batch holds one cell type only" in facts["warning"]) == warned


def own_file(folder: Path) -> Path:
    counts = np.random.default_rng(3).poisson(2.0, (30, 20)).astype(np.float32)
    obs = pd.DataFrame(
        {
            "donor": ["small"] * 4 + ["large"] * 26,
            "type": ["left", "right"] * 15,
            "same": ["only"] * 30,
        },
        index=[f"cell{i}" for i in range(30)],
    )
    anndata.AnnData(counts, obs=obs).write_h5ad(folder / "own.h5ad")
    return folder / "own.h5ad"


def test_own_data_without_a_column_of_batches_are_refused_before_anything_is_read() -> None:
    with pytest.raises(InputError, match="--batch-key"):
        plan(datasets=[FileSource(path="nowhere.h5ad")], imputers=["gene-mean"], per="batch")
    with pytest.raises(InputError, match="--batch-key"):
        plan(datasets=[FileSource(path="nowhere.h5ad")], imputers=["gene-mean[per=batch]"])


@pytest.mark.parametrize(
    ("dataset", "words"),
    [(NONE, "it has no batches"), ("same", "all its cells are of batch 'only'")],
)
def test_a_run_in_which_nothing_has_two_batches_is_refused(
    dataset: str, words: str, tmp_path: Path
) -> None:
    path = str(own_file(tmp_path))
    source = FileSource(path=path, batch_key=dataset) if dataset == "same" else dataset
    with pytest.raises(InputError, match=f"two or more batches:\n  .*{words}"):
        impbench.run(
            SUITE,
            tmp_path / "run",
            datasets=[source],
            protocols=["masking"],
            imputers=["gene-mean"],
            per="batch",
            settings=SETTINGS,
        )


def test_per_is_all_or_batch() -> None:
    with pytest.raises(InputError, match="expected one of all, batch"):
        plan(datasets=[BATCHES], imputers=["gene-mean"], per="donor")  # type: ignore[arg-type]


def test_a_suite_may_name_it_like_any_parameter() -> None:
    (asked,) = plan(
        datasets=[BATCHES], protocols=["clustering"], imputers=["magic[per=batch]"]
    ).asked
    assert asked.imputers[0] == alone(registry().imputer("magic"))


@pytest.mark.parametrize("spec", ["gene-mean", "needs-ten[even=6]"])
def test_what_travels_to_a_cluster_stands_for_the_same_jobs(spec: str) -> None:
    apart = alone(registry().imputer(spec))
    reference = Reference.of(apart)
    arrived = stand_in(reference.told, PLUGIN if reference.file else None)(**reference.params)
    assert isinstance(arrived, StandIn)
    posed = Posed("d", "p", "f", Path(), hidden=-1, metrics=(), has_truth=False)
    there, here = (Task(imputer, (1,), (posed,)) for imputer in (arrived, apart))
    assert (there.keys, there.spec) == (here.keys, here.spec)


def test_a_stranger_checks_its_parameters_itself() -> None:
    with pytest.raises(InputError):
        registry().imputer("needs-ten[even=3,per=batch]")
    assert registry().imputer("needs-ten[per=batch]").parameters() == {"even": 2, "per": "batch"}
    assert registry().real_imputer("needs-ten[per=batch]").spec == "needs-ten[per=batch]"
