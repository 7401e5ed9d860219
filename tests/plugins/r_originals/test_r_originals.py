"""The adapters call the originals as documented; stand-ins of a few lines take their place here.

This says nothing of what the originals compute, see tests/data/r_packages.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from impbench_plugins.r_originals.original import CellsWithCounts

import impbench
from impbench.context import Context
from impbench.errors import InputError, UnavailableError
from impbench.external.r import RMatrix
from impbench.imputer import Imputed, Observed
from impbench.plan.suite import Question, Suite
from impbench.protocols.simulated_truth import SimulatedTruth
from impbench.registry import registry
from impbench.results.record import Record
from impbench.runner.settings import Settings
from impbench.testing import checks

pytestmark = [pytest.mark.r, pytest.mark.slow]

STAND_INS = Path(__file__).parents[2] / "data" / "r_packages"
ORIGINALS = ("saver-r", "scimpute-r", "ccimpute-r", "alra-r", "drimpute-r", "baynorm-r")
INSTALL = {
    "saver-r": 'install.packages("SAVER"',
    "scimpute-r": 'remotes::install_github("Vivianstats/scImpute")',
    "ccimpute-r": 'BiocManager::install("ccImpute"',
    "alra-r": 'remotes::install_github("KlugerLab/ALRA")',
    "drimpute-r": 'install.packages("DrImpute"',
    "baynorm-r": 'BiocManager::install("bayNorm"',
}
RUNIF_1 = 0.26550866
"""What R's ``set.seed(1); runif(1)`` gives."""


@pytest.fixture
def observed() -> Observed:
    """Counts with an empty cell and a silent gene, under names that R would not choose."""
    counts = np.random.default_rng(0).poisson(1.0, (12, 8))
    counts[3] = 0
    counts[:, 5] = 0
    genes = [f"HLA-{i} α" for i in range(8)]
    return Observed.from_counts(counts, gene_names=genes, n_groups=3)


def impute(name: str, observed: Observed, tmp_path: Path, threads: int = 1) -> Imputed:
    imputer = impbench.get_imputer(name)
    context = Context(seed=1, threads=threads, scratch=tmp_path)
    imputer.prepare(context)
    imputed = imputer.impute(observed, context)
    imputed.check(observed)
    return imputed


@pytest.mark.usefixtures("stand_ins")
def test_saver_gets_counts_and_its_values_are_scaled_to_each_cells_library(
    observed: Observed, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    imputed = impute("saver-r[null_model=true,do_fast=false]", observed, tmp_path, threads=2)
    assert imputed.scale == "counts"
    counts = observed.dense_counts
    np.testing.assert_allclose(imputed.expression, (2 + 0.1 * RUNIF_1) * counts, rtol=1e-6)
    library = counts.sum(axis=1)
    factor = (library / library[library > 0].mean())[:, None]
    np.testing.assert_allclose(imputed.std, np.sqrt(counts * factor), rtol=1e-6)
    assert imputed.info["versions"]["SAVER"] == "0.0.0.1"
    assert "2 cores, do.fast FALSE, null.model TRUE" in capfd.readouterr().err


@pytest.mark.usefixtures("stand_ins")
def test_scimpute_reads_and_writes_its_files_and_leaves_none(
    observed: Observed, tmp_path: Path
) -> None:
    imputed = impute("scimpute-r[threshold=0.25]", observed, tmp_path)
    counts = observed.dense_counts
    expected = np.where(counts == 0, 3.25, counts)
    expected[3] = 0
    assert imputed.scale == "counts"
    np.testing.assert_array_equal(imputed.expression, expected)
    assert not list(tmp_path.rglob("*.rds"))
    other = impute("scimpute-r[n_groups=2]", observed, tmp_path)
    assert other.expression[0].max() == max(2.5, counts[0].max())


@pytest.mark.parametrize(
    ("library", "version", "n_groups"),
    [("stand_ins", "0.0.0.1", 4), ("stand_ins", "0.0.0.1", None), ("new_ccimpute", "0.0.0.2", 4)],
)
def test_ccimpute_is_called_in_both_generations_of_its_interface(
    observed: Observed,
    tmp_path: Path,
    library: str,
    version: str,
    n_groups: int | None,
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue(library)
    unknown = dataclasses.replace(observed, n_groups=None)
    name = "ccimpute-r" if n_groups is None else f"ccimpute-r[n_groups={n_groups}]"
    imputed = impute(name, unknown, tmp_path, threads=2 if n_groups else 1)
    # Without k the stand-in takes 100.
    expected = np.where(observed.lognorm == 0, n_groups or 100, observed.lognorm)
    expected[3] = 0
    assert imputed.scale == "lognorm"
    np.testing.assert_array_equal(imputed.expression, expected)
    assert imputed.info["versions"]["ccImpute"] == version
    assert impbench.get_imputer(name).version == f"1+ccImpute-{version}"


@pytest.mark.usefixtures("stand_ins")
def test_refusals_are_in_words(observed: Observed, tmp_path: Path) -> None:
    context = Context(scratch=tmp_path)
    unknown = dataclasses.replace(observed, n_groups=None)
    with pytest.raises(InputError, match=r"pass scimpute-r\[n_groups=K\]"):
        impbench.get_imputer("scimpute-r").impute(unknown, context)
    single = Observed.from_counts(np.eye(3, dtype=int)[:1])
    with pytest.raises(InputError, match="saver-r needs at least 2 cells with counts, got 1"):
        impbench.get_imputer("saver-r").impute(single, context)
    with pytest.raises(InputError, match="needs a scratch folder"):
        impbench.get_imputer("saver-r").impute(observed, Context())


def test_result_with_other_genes_or_cells_is_refused(observed: Observed) -> None:
    cells = CellsWithCounts(observed, "saver-r")
    given = cells.to_r(observed.dense_counts)
    with pytest.raises(InputError, match="was given 8 genes and returned 7"):
        cells.from_r(RMatrix(given.values[1:]))
    swapped = RMatrix(given.values, given.rows, list(given.columns or ())[::-1])
    with pytest.raises(InputError, match="returned the cells under other names or reordered"):
        cells.from_r(swapped)


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize(
    "check",
    [
        "seed-is-honoured",
        "cancel-is-obeyed",
        "writes-only-to-scratch",
        "quiet-stdout",
        "leaves-no-process",
    ],
)
def test_adapter_keeps_the_promises_of_an_imputer(check: str) -> None:
    (wanted,) = (item for item in checks() if item.name == check)
    result = wanted.result(impbench.get_imputer("saver-r"))
    assert result.verdict == "passed", result


@pytest.mark.usefixtures("stand_ins")
def test_record_of_a_run_names_r_and_the_package(tmp_path: Path) -> None:
    suite = Suite(
        name="tiny",
        title="tiny",
        description="",
        questions=(Question(("sim_equal[n_cells=20,n_genes=30]",), ("simulated-truth",)),),
        imputers=("saver-r",),
        seeds=1,
        controls=False,
    )
    limits = Settings(jobs=1, threads=1, timeout=120.0)
    impbench.run(suite, tmp_path, settings=limits, report=False)
    found = [Record.from_json(path.read_text()) for path in tmp_path.glob("records/*.json")]
    (record,) = (record for record in found if record.job.imputer == "saver-r")
    assert (record.status, record.reason) == ("ok", "")
    assert record.versions["saver-r"] == "1+SAVER-0.0.0.1"
    assert record.versions["SAVER"] == "0.0.0.1"
    assert record.versions["R"].count(".") == 2
    assert "stand-in for SAVER: 1 cores" in record.log


@pytest.mark.usefixtures("stand_ins")
def test_splatter_gets_the_scenarios_parameters_and_becomes_a_dataset_like_ours() -> None:
    sizes = "n_cells=20,n_genes=30,dropout_mid=2.5"
    dataset = registry().dataset(f"splatter[scenario=batch,{sizes}]").load()
    ours = registry().dataset(f"sim_batch[{sizes}]").load()
    assert dataset.name == f"splatter[scenario=batch,{sizes}]"
    # The stand-in loses every second gene, in all cells but one.
    assert dataset.gene_names == tuple(f"Gene{i}" for i in range(1, 30, 2))
    assert dataset.cell_names == ours.cell_names
    assert dataset.n_groups == 3
    assert dataset.batch is not None
    assert ours.batch is not None
    assert dataset.batch.tolist() == ours.batch.tolist()
    np.testing.assert_array_equal(dataset.counts, dataset.true_counts)
    np.testing.assert_array_equal(dataset.library_size, dataset.counts.sum(axis=1))
    assert list(dataset.genes.columns) == list(ours.genes.columns)
    assert set(ours.facts) <= set(dataset.facts)
    assert dataset.facts["versions"]["splatter"] == "0.0.0.1"
    assert SimulatedTruth().obstacle(dataset) is None
    # Where the stand-in writes what it was given: de.prob, dropout.mid[1], dropout.shape[1],
    # group.prob and, as a number, batch.rmEffect.
    told = dataset.genes.iloc[0]
    assert (told.base_gene_mean, told.outlier_factor) == (0.1, 2.5)
    assert told.gene_mean == pytest.approx(ours.facts["dropout_shape"][0], rel=1e-12)
    assert [told[f"de_factor_Group{group}"] for group in (1, 2, 3)] == [0.4, 0.3, 0.3]
    assert [told[f"batch_factor_Batch{batch}"] for batch in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.usefixtures("stand_ins")
def test_crash_of_splatter_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "source" / "splatter"
    shutil.copytree(STAND_INS / "SAVER", broken)
    for path, old, new in (
        ("DESCRIPTION", "SAVER", "splatter"),
        ("NAMESPACE", "saver", "setParams"),
        ("R/saver.R", "saver <- function(", "setParams <- function(...) quit()\nf <- function("),
    ):
        text = (broken / path).read_text()
        (broken / path).write_text(text.replace(old, new))
    library = tmp_path / "library"
    library.mkdir()
    command = ["R", "CMD", "INSTALL", "--no-docs", "--no-test-load", "-l", library, broken]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("R_LIBS", str(library))
    with pytest.raises(InputError, match="splatter failed: R ended with status 0"):
        registry().dataset("splatter[n_cells=20,n_genes=30]").load()


@pytest.mark.parametrize("name", ORIGINALS)
def test_missing_package_is_told_with_the_line_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("R_LIBS", "R_LIBS_USER"):
        monkeypatch.setenv(variable, str(tmp_path))
    imputer = registry().imputers[name]
    lack = imputer.unavailable()
    if lack is None:
        pytest.skip("the original itself is installed here")
    if importlib.util.find_spec("rpy2") is None:
        pytest.skip("rpy2 is not installed, and told of first")
    assert lack.startswith("R has no package ")
    assert INSTALL[name] in lack
    assert "\n" not in lack
    with pytest.raises(UnavailableError, match="R has no package"):
        imputer().prepare(Context(scratch=tmp_path))


def test_missing_r_and_missing_rpy2_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("rpy2") is not None:
        with monkeypatch.context() as patch:
            patch.setenv("PATH", "")
            patch.delenv("R_HOME", raising=False)
            for name in ORIGINALS:
                lack = registry().imputers[name].unavailable() or ""
                assert lack.startswith("R is not installed: ")
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "rpy2", raising=False)
        patch.setattr(sys, "path", [])
        lack = registry().imputers["saver-r"].unavailable()
        assert lack == "rpy2 is not installed: pip install 'impbench[r]'"


def test_listing_shows_what_is_missing_and_starts_no_r_in_its_own_process(tmp_path: Path) -> None:
    code = (
        "import sys; from impbench.listing import print_list; print_list('imputers', True); "
        "print([name for name in sys.modules if name.startswith('rpy2')], file=sys.stderr)"
    )
    environment = {**os.environ, "R_LIBS": "", "R_LIBS_USER": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stderr.strip() == "[]"
    summaries = json.loads(answer.stdout)["imputers"]
    assert set(ORIGINALS) <= set(summaries)
