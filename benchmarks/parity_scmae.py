"""Our scMAE beside the stored output of its authors' code, in distribution.

Run ``python benchmarks/parity_scmae.py REFERENCE``, where REFERENCE holds ``inputs`` and ``scmae``:
for each of three seeds the embedding, the decoder's output brought to the log2 scale by our rule,
and the losses of the last pass. Random numbers differ, so means and standard deviations over seeds
stand side by side. An embedding may be turned: what is compared are the distances between cells.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from itertools import combinations, product
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.scmae import Scmae
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from sklearn.metrics import adjusted_rand_score

from impbench import Context, Observed
from impbench.protocols.partition import kmeans

SEEDS = (1, 2, 3)
COLUMNS = ("mse", "dropout", "biozero", "reconstruction", "mask", "ARI", "distances", "CPU s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    reference = parser.parse_args().reference
    Scmae().prepare(Context())
    print(f"| input | by | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 2)}")
    for path in sorted((reference / "scmae").glob("*.npz")):
        compare(path, anndata.read_h5ad(reference / "inputs" / f"{path.stem}.h5ad"))


def compare(path: Path, cells: anndata.AnnData) -> None:
    observed, truth = Observed.from_counts(cells.X), None
    if "true_counts" in cells.layers:
        truth = Observed.from_counts(cells.layers["true_counts"]).lognorm
    labels = cells.obs["cell_type"].astype(str).to_numpy()
    stored, about = np.load(path), json.loads(path.with_suffix(".json").read_text())
    rows: dict[str, list[list[float]]] = {"original": [], "ours": []}
    embeddings: dict[str, list[NDArray[Any]]] = {"original": [], "ours": []}

    def note(by: str, values: NDArray[Any], embedding: NDArray[Any], rest: list[float]) -> None:
        found = kmeans(embedding, len(np.unique(labels)), 10, 1)
        seconds = rest.pop()
        ari = adjusted_rand_score(labels, found)
        rows[by].append([*errors(values, observed, truth), *rest, ari, np.nan, seconds])
        embeddings[by].append(pdist(embedding))

    for seed, run in zip(SEEDS, about["runs"], strict=True):
        losses = [run["last_epoch"][name] for name in ("reconstruction", "mask")]
        seconds = run.get("cpu_seconds", np.nan)
        values, embedding = (stored[f"{what}_seed{seed}"] for what in ("imputed", "embedding"))
        note("original", values, embedding, [*losses, seconds])
        start = time.process_time()
        imputed = Scmae().impute(observed, Context(seed=seed))
        seconds = time.process_time() - start
        assert imputed.embedding is not None
        losses = [imputed.info["reconstruction_loss"], imputed.info["mask_loss"]]
        note("ours", imputed.expression, imputed.embedding, [*losses, seconds])
    for by, pairs in (
        ("original", combinations(embeddings["original"], 2)),
        ("ours", product(embeddings["ours"], embeddings["original"])),
    ):
        alike = np.mean([np.corrcoef(one, other)[0, 1] for one, other in pairs])
        shown = [show(column) for column in np.transpose(rows[by])]
        shown[COLUMNS.index("distances")] = f"{alike:.3f}"
        print(f"| {path.stem} | {by} | {' | '.join(shown)} |", flush=True)


def errors(
    values: NDArray[Any], observed: Observed, truth: NDArray[Any] | None
) -> tuple[float, float, float]:
    """MSE of all entries, dropouts and biological zeros; NaN without a truth."""
    if truth is None:
        return np.nan, np.nan, np.nan
    squares, zero = (values - truth) ** 2, observed.lognorm == 0
    parts = (np.ones_like(zero), zero & (truth > 0), zero & (truth == 0))
    return tuple(float(squares[part].mean()) for part in parts)  # type: ignore[return-value]


def show(values: NDArray[Any]) -> str:
    """Mean (sd) over the seeds that have a value."""
    known = values[np.isfinite(values)]
    if not len(known):
        return ""
    return f"{known.mean():.3f} ({known.std(ddof=1):.3f})"


if __name__ == "__main__":
    main()
