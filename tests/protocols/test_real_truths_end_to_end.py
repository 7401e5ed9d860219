"""Mixtures and technical controls of a user's own file, asked of real workers and scored apart."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import impbench
from impbench.plan.suite import Question, Suite
from impbench.runner.settings import Settings

PROTOCOLS = ("mixture", "technical-noise")
IMPUTERS = ("no-imputation", "gene-mean")


def own_file(folder: Path) -> Path:
    """30 cells of two lines, 30 wells of both, and 20 splits of each of these three as pools."""
    rng = np.random.default_rng(4)
    lines = rng.gamma(1, 20, (2, 40)) + 2
    share = np.repeat([[1.0, 0], [0, 1], [0.5, 0.5]] * 2, [15, 15, 30, 20, 20, 20], axis=0)
    control = np.arange(len(share)) >= 60
    own = np.exp(rng.normal(0, 0.4, (len(share), 40)) * ~control[:, None])
    names = [f"c{i}" for i in range(len(share))]
    obs = pd.DataFrame({"kind": [f"{a}/{b}" for a, b in share], "technical": control}, index=names)
    data = anndata.AnnData(rng.poisson(share @ lines * own).astype(np.float32), obs)
    data.obsm["mixture"] = pd.DataFrame(share, index=names, columns=["A", "B"])
    data.write_h5ad(folder / "own.h5ad")
    return folder / "own.h5ad"


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("truths")
    source = f"file[path={own_file(folder)},label_key=kind,genes=0]"
    results = impbench.run(
        Suite("truths", "truths", "", (Question((source,), PROTOCOLS),), IMPUTERS, controls=False),
        folder / "out",
        settings=Settings(jobs=2, threads=1, timeout=120),
    )
    assert results.report.exists()
    assert (results.scores.status == "ok").all(), results.scores.reason.unique()
    return results.scores.set_index(["imputer", "metric"]).value.groupby(level=[0, 1]).mean()


def test_the_oracle_answers_where_there_is_an_expectation_and_nowhere_else(scores):
    assert scores["oracle", "mixture-error"] == pytest.approx(0, abs=1e-6)
    assert ("oracle", "technical-error") not in scores.index
    assert "attainable" not in scores.index.get_level_values(0)


def test_doing_nothing_keeps_noise_and_signal_and_filling_zeros_keeps_less(scores):
    assert scores["no-imputation", "technical-noise-left"] == pytest.approx(1)
    assert scores["no-imputation", "technical-signal-error"] == pytest.approx(0, abs=1e-6)
    assert 0 < scores["gene-mean", "technical-noise-left"] < 1
    assert scores["no-imputation", "mixture-error"] > 0.01
    assert scores["no-imputation", "mixture-slope-error"] < 0.3
