"""What grows with the square of the cells or genes is refused before it starts, with its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import impbench
from impbench.errors import InputError
from impbench.imputer import Context, Observed
from impbench.registry import registry
from impbench.runner.settings import Settings


@pytest.mark.parametrize(
    "spec",
    [
        "scimpute[n_groups=2]",
        "drimpute",
        "ccimpute[n_groups=2]",
        "ccimpute-bioc[n_groups=2]",
        "cnnimpute",
    ],
)
def test_more_memory_than_there_is_is_refused_at_once(spec: str) -> None:
    counts = np.random.default_rng(0).poisson(2.0, (120, 90))
    imputer = registry().imputer(spec)
    with pytest.raises(InputError, match=r"120 cells.* would take .* and 9.31e-06 GiB may be used"):
        imputer.impute(Observed.from_counts(counts), Context(memory=10_000))


def test_the_limit_of_a_run_is_what_a_method_may_use(tmp_path: Path) -> None:
    plugin = tmp_path / "greedy.py"
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "from impbench import Context, Imputed, Imputer, Observed, hookimpl\n"
        "@dataclass(frozen=True)\n"
        "class Greedy(Imputer):\n"
        "    name = 'greedy'\n"
        "    summary = 'Asks for more than there is.'\n"
        "    citation = 'none'\n"
        "    input_scale = 'counts'\n"
        "    factor: float = 1.0\n"
        "    def impute(self, observed: Observed, context: Context) -> Imputed:\n"
        "        assert context.memory is not None\n"
        "        context.need_memory(self.factor * context.memory, 'a table')\n"
        "        return Imputed(observed.lognorm, 'lognorm')\n"
        "@hookimpl\n"
        "def impbench_imputers():\n"
        "    return [Greedy]\n"
    )
    results = impbench.run(
        datasets=["sim_equal[n_cells=40,n_genes=60]"],
        protocols=["simulated-truth"],
        imputers=["greedy", "greedy[factor=2]"],
        seeds=1,
        out=tmp_path / "out",
        plugins=[plugin],
        report=False,
        settings=Settings(memory=2**30),
    )
    (failed,) = results.failed
    assert failed.imputer == "greedy[factor=2.0]"
    (reason,) = {row.reason for row in results.scores.itertuples() if row.status == "failed"}
    assert "a table would take 2 GiB or more, and 1 GiB may be used" in reason
