"""A user's own file, from `impbench run` to the line it prints, which is run as it stands."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import impbench
from impbench.errors import InputError
from impbench.runner.outcome import Results
from impbench.runner.settings import Settings

pytestmark = pytest.mark.slow

IMPBENCH = str(Path(sys.executable).with_name("impbench"))
PLUGIN = """
from dataclasses import dataclass
import numpy as np
import impbench

@dataclass(frozen=True)
class Filler(impbench.Imputer):
    name, summary = "filler", "Fills zeros with the mean of the gene's other values."

    def impute(self, observed, context):
        log = np.asarray(observed.lognorm, dtype=np.float32)
        mean = log.sum(axis=0) / np.maximum((log > 0).sum(axis=0), 1)
        chance = np.random.default_rng(context.seed).normal(0, 0.01, log.shape)
        filled = np.where(log > 0, log, np.maximum(mean + chance, 0)).astype(np.float32)
        return impbench.Imputed(filled, "lognorm")

@impbench.hookimpl
def impbench_imputers():
    return [Filler]
"""


def simulated() -> anndata.AnnData:
    adata = impbench.simulate("sim_rare", n_cells=100, n_genes=100, seed=7)
    del adata.layers["true_counts"]
    return adata


def call(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Folder, terminal and page of a run on a file of values that are no whole counts."""
    folder = tmp_path_factory.mktemp("own")
    adata = simulated()
    adata.layers["my values"] = adata.X * 1.1
    # Of an earlier day: the printed line must not run into it.
    adata.layers["imputed"] = np.ones(adata.shape, dtype=np.float32)
    adata.X = np.log1p(adata.X)
    adata.obs["donor"] = "d1"
    (folder / "my  data").mkdir()
    adata.write_h5ad(folder / "my  data" / "it's mine.h5ad")
    (folder / "my  data" / "filler.py").write_text(PLUGIN)
    done = call(
        *(IMPBENCH, "run", "--data", "my  data/it's mine.h5ad", "--layer", "my values"),
        *("--scale", "counts", "--label-key", "cell_type", "--batch-key", "donor", "--genes", "0"),
        *("--imputers", "filler", "--plugin", "my  data/filler.py", "--seeds", "2", "-j", "2"),
        *("--out", "out"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    return folder, done.stdout, html.unescape(page)


def test_terminal_and_page_are_about_the_file_and_not_about_the_suite(told):
    _, terminal, page = told
    for text in (terminal, page):
        assert "Does imputation help it's mine.h5ad?" in text
        assert "100 cells × 99 genes" in text
        assert "counts read from layers['my values']" in text
        assert "two simulated data sets" not in text
    assert "<title>Does imputation help it's mine.h5ad?" in page


def test_both_begin_with_a_verdict_for_each_purpose_and_how_sure_it_is(told):
    _, terminal, page = told
    verdict = r"For recovering dropouts: use filler \((fairly|quite) sure\)"
    assert re.search(verdict, terminal)
    assert terminal.index("For recovering dropouts") < terminal.index("score (rank)")
    assert re.search(r"For clustering: (use filler|leave your data alone) \(", terminal)
    assert page.index("For recovering dropouts") < page.index("What came out")


def test_the_printed_line_runs_and_writes_the_layer(told):
    folder, terminal, page = told
    lines = [line.strip() for line in terminal.splitlines()]
    (line,) = [line for line in lines if line.startswith("impbench impute")]
    assert f"<code>{line}</code>" in page
    done = call("bash", "-euo", "pipefail", "-c", line, cwd=folder)
    assert done.returncode == 0, done.stderr
    out = anndata.read_h5ad(folder / "it-s-mine-filler.h5ad")
    assert out.layers["imputed_2"].shape == (100, 99)
    assert out.uns["imputed_2"]["imputer"] == "filler"
    assert (out.layers["imputed"] == 1).all()


def test_what_was_left_out_is_said_with_its_reason_and_how_to_get_it(told):
    _, terminal, page = told
    for text in (terminal, page):
        assert "no whole counts; thinning deals molecules: name a layer with raw counts" in text
        assert "every cell of it's mine" in text
        assert "is of batch 'd1'; whether batches mix can be asked of two or more" in text
        assert "has no bulk expression of all its cell types" in text


def test_terms_are_explained_where_they_stand_and_scores_are_shown(told):
    _, terminal, page = told
    for text in (terminal, page):
        assert "How well the groups found by clustering match your cell types" in text
        assert "counts are replaced by zeros, as if dropped out" in text
    assert re.search(r"no-imputation +\d+\.\d+ +\(\d+\.?\d*\)", terminal)
    assert "score (rank)" in terminal
    assert "skill: 0 is leaving the data alone" in terminal
    assert "Skill says how much of the way from leaving the data alone (0)" in page
    # By the page's own means: in the heads of tables too.
    assert '<abbr title="How well the groups found' in page


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("memory")
    adata = simulated()
    adata.obs["donor"] = ["x", "y"] * 50
    return impbench.run(
        adata,
        folder,
        label_key="cell_type",
        batch_key="donor",
        imputers=["knn-smoothing"],
        protocols=["masking", "clustering"],
        seeds=2,
        settings=Settings(jobs=2, threads=1, timeout=60),
        report=False,
    )


def test_table_has_a_row_per_imputer_and_says_which_way_is_better(results: Results) -> None:
    table = results.table()
    assert next(iter(table.index)) == "knn-smoothing"
    assert list(table.index)[-1] == "oracle"
    assert {("clustering", "ARI ↑"), ("clustering", "Batch ASW ↑")} <= set(table.columns)
    scores = results.scores
    ari = scores[(scores.metric == "ari") & (scores.imputer == "knn-smoothing")].value.mean()
    assert table.loc["knn-smoothing", ("clustering", "ARI ↑")] == pytest.approx(ari)
    purposes = results.table("purposes")
    assert "clustering (mean rank ↓)" in purposes.columns
    assert purposes.loc["knn-smoothing", "time (s) ↓"] > 0


def test_answers_give_the_call_that_imputes(results: Results) -> None:
    found = results.answers()
    assert found.loc["recovering dropouts", "verdict"] == "use knn-smoothing"
    adata = simulated()
    adata.obs["donor"] = ["x", "y"] * 50
    exec(found.loc["recovering dropouts", "command"], {"impbench": impbench, "adata": adata})
    assert adata.layers["imputed"].shape == adata.shape


def test_plot_is_a_figure_and_an_unknown_one_is_refused(results: Results, tmp_path: Path) -> None:
    figure = results.plot()
    figure.savefig(tmp_path / "x.png")
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert "clustering" in texts
    with pytest.raises(InputError, match="heatmap-skill"):
        results.plot("nonsense")


def test_notebook_shows_answers_and_scores(results: Results) -> None:
    shown = results._repr_html_()
    assert "Does imputation help your AnnData?" in shown
    assert "<strong>use knn-smoothing</strong>" in shown
    assert "ARI ↑" in shown


def test_arguments_of_an_anndata_need_one_and_other_things_are_refused() -> None:
    with pytest.raises(InputError, match="label_key: only where an AnnData"):
        impbench.run("default", label_key="cell_type")
    with pytest.raises(InputError, match="expected an AnnData"):
        impbench.run(pd.DataFrame({"a": [1]}))  # type: ignore[arg-type]
