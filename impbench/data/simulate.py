"""`impbench.simulate`: one of the simulated scenarios as an AnnData object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from impbench import scale
from impbench.data.scenarios import (
    Scenario,
    SimBatch,
    SimEqual,
    SimRare,
    SimUnequal,
    gene_table,
    numbered,
)
from impbench.lookup import find
from impbench.parameters import no_parameter

if TYPE_CHECKING:
    from anndata import AnnData

SCENARIOS: dict[str, type[Scenario]] = {
    scenario.name: scenario for scenario in (SimEqual, SimUnequal, SimRare, SimBatch)
}


def simulate(name: str, n_cells: int = 1000, seed: int = 42, **parameters: Any) -> AnnData:
    """Simulate one of the MaskClass paper's scenarios with the Splat model.

    Parameters
    ----------
    name
        ``"sim_equal"``, ``"sim_unequal"``, ``"sim_rare"`` or ``"sim_batch"``.
    n_cells, seed
        Number of cells and seed; the same arguments always give the same data.
    parameters
        Any other parameter of the scenario, such as ``n_genes`` or ``dropout_mid``.

    Returns
    -------
    Cells × genes. ``X`` are the observed counts and ``layers["true_counts"]`` those before dropout,
    both dense int32. In ``obs``: ``cell_type``, ``batch``, ``expected_library_size`` (what the
    model drew for the cell), ``true_library_size`` (the cell's total of true counts, which is what
    "true library size" means throughout impbench), ``library_size`` (its total of observed
    counts) and ``size_factor`` (observed library size over the median one). In ``var``: gene means,
    outlier, DE and batch factors. In ``uns["impbench"]``: parameters, dropout midpoints and shapes.

    Raises
    ------
    NotFoundError
        If there is no such scenario.
    InputError
        If a parameter is unknown or out of range, or no gene is seen in three cells.
    """
    import pandas as pd
    from anndata import AnnData

    scenario = find("dataset", SCENARIOS, name)
    known = [parameter.name for parameter in scenario.describe()]
    for key in parameters:
        if key not in known:
            raise no_parameter(name, key, known)
    source = scenario(n_cells=n_cells, seed=seed, **parameters)
    simulation = source.simulate()
    library_size = scale.library_sizes(simulation.counts)
    cells = pd.DataFrame(
        {
            "cell_type": pd.Categorical(numbered("Group", simulation.groups)),
            "batch": pd.Categorical(numbered("Batch", simulation.batches)),
            "expected_library_size": simulation.expected_library_size,
            "true_library_size": scale.library_sizes(simulation.true_counts),
            "library_size": library_size,
            "size_factor": scale.size_factors(library_size),
        },
        index=numbered("Cell", range(n_cells)),
    )
    facts = {
        key: np.asarray(value) if isinstance(value, list) else value
        for key, value in source.facts(simulation).items()
    }
    return AnnData(
        X=simulation.counts,
        obs=cells,
        var=gene_table(simulation),
        uns={"impbench": {"name": source.spec, **facts}},
        layers={"true_counts": simulation.true_counts},
    )
