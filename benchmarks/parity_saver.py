"""Our SAVER against outputs of SAVER 1.1.3, and seconds beside the original's.

Run ``python benchmarks/parity_saver.py REFERENCE [NAME ...]``. The folder REFERENCE holds
``saver/NAME.npz`` (estimate_seedN, se_seed1, info_seed1) and the raw counts, cells × genes, as
``inputs/NAME.h5ad`` or ``splat/NAME.h5ad``. Prints the rows of the parity table in docs/saver.md.
CPU seconds are those of one thread, compilation apart.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import anndata
import numpy as np
from impbench_plugins.saver import Saver
from impbench_plugins.saver.genes import Genes
from numpy.typing import NDArray

from impbench import Context, Observed


def main(reference: Path, names: list[str]) -> None:
    names = names or sorted(path.stem for path in (reference / "saver").glob("*.npz"))
    Saver().prepare(Context())
    print("| input, seed | estimate | sd | maxcor | genes with λ | CPU s | wall s |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        found = [reference / folder / f"{name}.h5ad" for folder in ("inputs", "splat")]
        cells = anndata.read_h5ad(next(path for path in found if path.exists()))
        original = np.load(reference / "saver" / f"{name}.npz")
        for key in sorted(key for key in original if key.startswith("estimate_seed")):
            print(row(name, int(key.removeprefix("estimate_seed")), cells, original), flush=True)


def row(name: str, seed: int, cells: anndata.AnnData, original: np.lib.npyio.NpzFile) -> str:
    observed = Observed.from_counts(cells.X)
    wall, cpu = time.perf_counter(), time.process_time()
    imputed = Saver().impute(observed, Context(seed=seed))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    library_sizes = observed.dense_counts.sum(axis=1, dtype=np.float64)
    size_factors = (library_sizes / library_sizes.mean())[:, None]
    estimate = relative(imputed.expression / size_factors, original[f"estimate_seed{seed}"])
    facts = ["", "", str(imputed.info["predicted_genes"])]
    if seed == 1:
        info = original["info_seed1"]
        facts[0] = f"{relative(imputed.std / size_factors, original['se_seed1']):.1e}"
        genes = Genes.of(observed.dense_counts.astype(np.float64))
        correlation = [genes.largest_correlation(gene) for gene in range(observed.n_genes)]
        facts[1] = f"{np.abs(correlation - info[:, 0]).max():.1e}"
        facts[2] += f" of {np.count_nonzero(info[:, 1])}"
    return f"| {name}, {seed} | {estimate:.1e} | {' | '.join(facts)} | {cpu:.2f} | {wall:.2f} |"


def relative(ours: NDArray[np.float64], original: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(ours - original) / np.linalg.norm(original))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
