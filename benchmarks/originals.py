"""Our ports beside the originals they were written after: time and difference, in one run.

Run ``python benchmarks/originals.py [--dataset SPEC] [--only PORT,PORT]``. Every method runs as a
benchmark's job does, in a process of its own with one thread, and only its imputation is timed.
Two seeds each: times are means, the difference is that of the two methods with the same seed, and
beside it stands that of the original's own two seeds; all relative, |A - B| / |B| in Frobenius
norm of the log2 values. An original that is not to be had here is listed with the reason.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

import impbench
from impbench import Context, Observed
from impbench.errors import UnavailableError
from impbench.registry import registry
from impbench.runner.separate_process import ImputationError, impute_apart


@dataclass(frozen=True)
class Pair:
    """A port, its original, and how many times faster the port has to be."""

    port: str
    original: str
    floor: float


PAIRS = (
    Pair("saver", "saver-r", 5),
    Pair("scimpute", "scimpute-r", 10),
    Pair("ccimpute", "ccimpute-r", 2),
    Pair("alra", "alra-r", 1),
    Pair("drimpute", "drimpute-r", 1),
    Pair("baynorm", "baynorm-r", 1),
    Pair("dca", "dca-original", 2),
    Pair("deepimpute", "deepimpute-original", 1),
    Pair("magic", "magic-original", 1),
)
SEEDS = (1, 2)


def main(dataset: str, pairs: tuple[Pair, ...], timeout: float) -> None:
    """Print one line per pair."""
    data = registry().dataset(dataset).load()
    observed = Observed.from_counts(data.counts, n_groups=data.n_groups)
    print(f"{dataset}: {observed.n_cells} cells × {observed.n_genes} genes, one thread\n")
    print("| port | original | original, s | ours, s | times faster | floor | difference | seeds |")
    print("|---|---|---|---|---|---|---|---|")
    for pair in pairs:
        try:
            theirs = timed(pair.original, observed, timeout)
        except (UnavailableError, ImputationError) as error:
            status = "unavailable" if isinstance(error, UnavailableError) else "failed"
            reason = " ".join(str(error).split())
            print(f"| {pair.port} | {pair.original} | {status}: {reason} |", flush=True)
            continue
        ours = timed(pair.port, observed, timeout)
        original, port = (np.mean([seconds for _, seconds in runs]) for runs in (theirs, ours))
        apart = np.mean([relative(a, b) for (a, _), (b, _) in zip(ours, theirs, strict=True)])
        seeds = relative(theirs[1][0], theirs[0][0])
        print(
            f"| {pair.port} | {pair.original} | {original:.2f} | {port:.2f} "
            f"| {original / port:.1f} | {pair.floor:g} | {apart:.1e} | {seeds:.1e} |",
            flush=True,
        )


def timed(spec: str, observed: Observed, timeout: float) -> list[tuple[np.ndarray, float]]:
    """Impute once per seed; return log2 values and seconds."""
    imputer = impbench.get_imputer(spec)
    runs = [impute_apart(imputer, observed, Context(seed=seed), timeout=timeout) for seed in SEEDS]
    return [(run.imputed.lognorm(observed), run.wall_seconds) for run in runs]


def relative(values: np.ndarray, reference: np.ndarray) -> float:
    """Return the Frobenius norm of the difference over that of `reference`."""
    return float(np.linalg.norm(values - reference) / np.linalg.norm(reference))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="sim_rare[n_cells=200,n_genes=300]")
    parser.add_argument("--only", help="Ports, comma-separated.")
    parser.add_argument("--timeout", type=float, default=1200, help="Seconds per imputation.")
    given = parser.parse_args()
    chosen = tuple(p for p in PAIRS if not given.only or p.port in given.only.split(","))
    main(given.dataset, chosen, given.timeout)
