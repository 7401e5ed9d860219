"""The documentation's R example: a method in R, run and held against the same in NumPy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from impbench.context import Context
from impbench.errors import InputError
from impbench.external.manifest import imputer_class
from impbench.imputer import Observed
from impbench.testing.example import example_counts, observe

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"

pytestmark = [
    pytest.mark.r,
    pytest.mark.skipif(shutil.which("Rscript") is None, reason="needs R"),
]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The example's files, as the page shows them."""
    text = PAGE.read_text(encoding="utf-8")
    for file, body in re.findall(r"^```\w+ file=(r_mean\S+)\n(.*?)^```$", text, re.M | re.S):
        (tmp_path / file).write_text(body, encoding="utf-8")
    return tmp_path / "r_mean.toml"


def test_r_example_computes_what_it_says(manifest: Path) -> None:
    imputer = imputer_class(manifest, __name__)(weight=0.25)  # type: ignore[call-arg]
    genes = [f"HLA-{j}" for j in range(40)]
    observed = observe(example_counts(), gene_names=genes)
    context = Context(scratch=manifest.parent)
    imputer.prepare(context)
    values = imputer.impute(observed, context).expression
    expected = 0.75 * observed.lognorm + 0.25 * observed.lognorm.mean(axis=0)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


def test_r_example_refuses_one_cell_in_words(manifest: Path) -> None:
    observed = Observed.from_counts(np.ones((1, 3), dtype=int))
    with pytest.raises(InputError, match="refuses these data: r-mean needs at least 2 cells"):
        imputer_class(manifest, __name__)().impute(observed, Context(scratch=manifest.parent))
