"""MaskClass's CPU engine beside the reference engine and beside the sum of its own parts.

Run ``python benchmarks/maskclass_cpu.py [--cells 1000 5000 20000] [--genes 1091]``. Everything runs
on one thread and is measured in CPU time, so that a busy machine disturbs it little. The data are
simulated here: gamma means, Poisson counts, and dropout that falls with the mean; about 60 % zeros.

Times are per training step (batch 32), the fastest of several epochs; 300 epochs of N cells take
300 · ⌈N / 32⌉ steps, which the last column extrapolates to. "parts" is the sum of each part of a
step run alone, again and again on one mini-batch: the floor of a whole step, which meets cold data.
"products" is what the five large matrix products alone cost in dense BLAS (torch.mm), for scale.
"""

from __future__ import annotations

import argparse
import math
import platform
import time
from typing import Any

import numba
import numpy as np
import torch
from impbench_plugins.maskclass import fast, reference
from impbench_plugins.maskclass.fast_corruption import Rates, corrupt
from impbench_plugins.maskclass.fast_network import (
    adam,
    backward,
    forward,
    full_output,
    masked_output,
)
from impbench_plugins.maskclass.training import MaskClassData, MaskClassSettings
from timing import timed

BATCH, REPEATS = 32, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[1000, 5000, 20000])
    parser.add_argument("--genes", type=int, default=1091)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread")
    print(f"five dense products of {BATCH} x {arguments.genes} x 64, BLAS: "
          f"{1e6 * dense_products(arguments.genes):.0f} us")  # fmt: skip
    fast.compile_kernels()
    print(
        "variant    cells  parts us  ours us  reference us  ours/parts  reference/ours  300 epochs"
    )
    for n_cells in arguments.cells:
        data = simulated(n_cells, arguments.genes)
        for variant, gamma in (("best", 0.0), ("balanced", 1.0)):
            settings = MaskClassSettings(gamma=gamma)
            parts, ours = parts_alone(data, settings), fast_step(data, settings)
            theirs = reference_step(data, settings)
            total = 300 * math.ceil(n_cells / BATCH) * ours
            row = f"{variant:9}{n_cells:7}{1e6 * parts:10.0f}{1e6 * ours:9.0f}{1e6 * theirs:14.0f}"
            ratios = f"{ours / parts:12.2f}{theirs / ours:16.1f}"
            print(f"{row}{ratios}{total:10.1f} s", flush=True)


def simulated(n_cells: int, n_genes: int) -> MaskClassData:
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.6, 30, n_genes)
    counts = np.empty((n_cells, n_genes), dtype=np.int32)
    for cells in np.array_split(np.arange(n_cells), max(1, n_cells // 1000)):
        true = rng.poisson(mean * rng.gamma(5, 0.2, (len(cells), n_genes)))
        kept = rng.random(true.shape) > 1 / (1 + np.exp(np.log(mean + 1e-9) - 2.5))
        counts[cells] = true * kept
    size = counts.sum(axis=1, keepdims=True)
    lognorm = np.log2(1 + counts / (size / np.median(size)), dtype=np.float32, casting="same_kind")
    return MaskClassData.prepare(counts, lognorm)


def fast_step(data: MaskClassData, settings: MaskClassSettings) -> float:
    training = fast.Training.start(data, settings, 1)
    n_epochs = max(3, 20000 // data.n_cells)
    times = [timed(lambda epoch=epoch: training.run(epoch))[0] for epoch in range(n_epochs)]
    return min(times) / math.ceil(data.n_cells / BATCH)


def reference_step(data: MaskClassData, settings: MaskClassSettings) -> float:
    few = MaskClassData(
        data.lognorm[:1000], data.p_bio[:1000], data.max_count, data.scaler, data.curve
    )
    marks: list[float] = []
    settings = MaskClassSettings(gamma=settings.gamma, epochs=4)
    reference.train(few, settings, 1, lambda done, total: marks.append(time.process_time()))
    return float(np.diff(marks).min()) / math.ceil(few.n_cells / BATCH)


def parts_alone(data: MaskClassData, settings: MaskClassSettings) -> float:
    training = fast.Training.start(data, settings, 1)
    training.run(0)
    rates = Rates(settings.p_zero, settings.p_nonzero, settings.nu, settings.w_bio, settings.w_nz)
    arguments = (
        training.scaled, np.arange(BATCH), rates, settings.gamma, training.weights,
        training.gradient, training.m, training.v, training.batch, training.activations,
    )  # fmt: skip
    output = full_part if settings.gamma else masked_part
    kernels = (corrupt_part, forward_part, output, backward_part, adam_part)
    for kernel in kernels:
        kernel(1, *arguments)
    return sum(
        min(timed(lambda kernel=kernel: kernel(REPEATS, *arguments))[0] for _ in range(5)) / REPEATS
        for kernel in kernels
    )


@numba.njit(nogil=True)
def corrupt_part(n, scaled, cells, rates, gamma, w, g, m, v, batch, act):
    for k in range(n):
        corrupt(scaled, cells, np.uint64(k), rates, batch)


@numba.njit(nogil=True)
def forward_part(n, scaled, cells, rates, gamma, w, g, m, v, batch, act):
    for _ in range(n):
        forward(w, batch, act, cells.size)


@numba.njit(nogil=True)
def masked_part(n, scaled, cells, rates, gamma, w, g, m, v, batch, act):
    for _ in range(n):
        masked_output(w, g, batch, act, cells.size, 1000.0)


@numba.njit(nogil=True)
def full_part(n, scaled, cells, rates, gamma, w, g, m, v, batch, act):
    for _ in range(n):
        full_output(w, g, scaled, cells, batch, act, 1000.0, gamma)


@numba.njit(nogil=True)
def backward_part(n, scaled, cells, rates, gamma, w, g, m, v, batch, act):
    for _ in range(n):
        backward(w, g, batch, act, cells.size)


@numba.njit(nogil=True)
def adam_part(n, scaled, cells, rates, gamma, w, g, m, v, batch, act):
    for k in range(n):
        adam(w, g, m, v, k + 1, 1e-4)


def dense_products(n_genes: int) -> float:
    x, h, w = (torch.rand(shape) for shape in ((BATCH, n_genes), (BATCH, 64), (n_genes, 64)))
    calls: list[tuple[Any, Any]] = [(x, w), (x.T, h), (h, w.T), (x, w), (x.T, h)]

    def all_five() -> None:
        for _ in range(REPEATS):
            for a, b in calls:
                torch.mm(a, b)

    return min(timed(all_five) for _ in range(5)) / REPEATS


if __name__ == "__main__":
    main()
