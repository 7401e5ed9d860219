"""MaskClass on a GPU: one seed, ten seeds side by side, and 100 000 cells.

Run ``python benchmarks/maskclass_gpu.py [--device cuda] [--epochs 300]`` with the repository
installed or, on a machine that has only PyTorch, NumPy, SciPy and numba, with the package
`impbench_plugins` importable. Goals on one H200, 300 epochs, batch 32: 5 000 cells in at most
5 s, ten seeds in at most twice the time of one, 100 000 cells in at most 90 s. The time is that of
preparing (p_bio, scaling), training and reconstructing, after one untimed warm-up run.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from impbench_plugins.maskclass.batched import train_many
from impbench_plugins.maskclass.training import MaskClassData, MaskClassSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--genes", type=int, default=1091)
    parser.add_argument("--cells", type=int, nargs="+", default=[5000, 100000])
    arguments = parser.parse_args()
    on_gpu = arguments.device.startswith("cuda")
    if on_gpu and not torch.cuda.is_available():
        parser.error("PyTorch sees no CUDA device here; --device cpu runs the same code slowly")
    name = torch.cuda.get_device_name(arguments.device) if on_gpu else "CPU"
    print(f"{name}, torch {torch.__version__}, {arguments.epochs} epochs, batch 32")
    counts, lognorm = simulated(200, arguments.genes)
    seconds(counts, lognorm, 1, 2, arguments.device)
    for n_cells in arguments.cells:
        counts, lognorm = simulated(n_cells, arguments.genes)
        one = seconds(counts, lognorm, 1, arguments.epochs, arguments.device)
        print(f"{n_cells:7} cells,  1 seed  {one:8.1f} s", flush=True)
        if n_cells <= 10000:
            ten = seconds(counts, lognorm, 10, arguments.epochs, arguments.device)
            print(f"{n_cells:7} cells, 10 seeds {ten:8.1f} s ({ten / one:.2f} x one)", flush=True)


def seconds(
    counts: np.ndarray, lognorm: np.ndarray, n_seeds: int, epochs: int, device: str
) -> float:
    start = time.perf_counter()
    data = MaskClassData.prepare(counts, lognorm)
    settings, seeds = MaskClassSettings(gamma=1.0, epochs=epochs), list(range(1, n_seeds + 1))
    for network, _ in train_many(data, settings, seeds, lambda done, total: None, device):
        network.reconstruct(data)
    return time.perf_counter() - start


def simulated(n_cells: int, n_genes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.6, 30, n_genes)
    counts = np.empty((n_cells, n_genes), dtype=np.int32)
    for cells in np.array_split(np.arange(n_cells), max(1, n_cells // 1000)):
        true = rng.poisson(mean * rng.gamma(5, 0.2, (len(cells), n_genes)))
        counts[cells] = true * (rng.random(true.shape) > 1 / (1 + mean * np.exp(-2.5)))
    size = counts.sum(axis=1)
    factor = (size / np.median(size)).astype(np.float32)
    return counts, np.log2(1 + counts.astype(np.float32) / factor[:, None])


if __name__ == "__main__":
    main()
