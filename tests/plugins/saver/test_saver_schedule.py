import shutil
import subprocess

import numpy as np
import pytest
from impbench_plugins.saver.schedule import GeneOutcome, schedule
from impbench_plugins.shared.r_random import folds, permutation


def test_permutation_is_rs():
    assert (permutation(1, 10) + 1).tolist() == [9, 4, 7, 1, 2, 5, 3, 10, 6, 8]
    assert (permutation(42, 5) + 1).tolist() == [1, 5, 4, 3, 2]


@pytest.mark.r
@pytest.mark.parametrize(("seed", "n"), [(3, 1), (7, 200), (2**31 - 1, 1000), (5, 70_000)])
def test_permutation_is_that_of_the_r_at_hand(seed, n):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    script = f"set.seed({seed}); cat(sample({n}))"
    done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=True)
    assert (permutation(seed, n) + 1).tolist() == [int(i) for i in done.stdout.split()]


def test_folds_differ_in_size_by_one_at_most():
    sizes = np.bincount(folds(3, 47, 5))
    assert sizes.sum() == 47
    assert sizes.max() - sizes.min() == 1


class Recorder:
    """Runs nothing; the gain and λ of a gene follow its correlation."""

    def __init__(self, correlation):
        self.correlation, self.tasks = correlation, []

    def __call__(self, tasks):
        self.tasks += tasks
        for task in tasks:
            c = float(self.correlation[task.gene])
            if task.fold_seed is None:
                yield GeneOutcome(task.largest, task.chosen, 0.0)
            else:
                yield GeneOutcome(1.0, np.exp(-np.sqrt(2 * c)), c**2)


def run(n_genes, do_fast):
    correlation = np.random.default_rng(0).permutation(np.linspace(0.1, 0.9, n_genes))
    recorder = Recorder(correlation)
    order = np.random.default_rng(1).permutation(n_genes)
    summary = schedule(order, correlation, np.full(n_genes, 2.0), recorder, do_fast)
    assert sorted(task.gene for task in recorder.tasks) == list(range(n_genes))
    assert [task.gene for task in recorder.tasks] == order.tolist()
    return correlation, recorder.tasks, summary


def test_fold_seeds_start_anew_in_every_block():
    _, tasks, _ = run(600, do_fast=True)
    seeds = [task.fold_seed for task in tasks[:100]]
    assert seeds == [*range(1, 9), *range(1, 93)]
    second = [task.fold_seed for task in tasks[100:200]]
    assert all(seed in (None, i + 1) for i, seed in enumerate(second))


def test_useful_correlation_and_penalties_come_from_the_genes_before():
    correlation, tasks, summary = run(600, do_fast=True)
    # √gain is the correlation here, so the cutoff is 0.5, and ln(λmax/λmin)² is twice it.
    assert summary.cutoff == pytest.approx(0.5)
    share = np.mean([correlation[task.gene] > 0.5 for task in tasks[:100]])
    start_of_rest = 100 + int(np.ceil(100 / share))
    for i, task in enumerate(tasks[100:], start=100):
        c = correlation[task.gene]
        if c <= 0.5:
            assert task.fold_seed is None
            assert task.chosen == 0
        elif i < start_of_rest:
            assert task.fold_seed == i - 99
        else:
            assert task.largest == pytest.approx(2 * c)
            assert np.log(task.largest / task.chosen) ** 2 == pytest.approx(2 * c)


def test_without_do_fast_every_gene_is_cross_validated():
    _, tasks, summary = run(300, do_fast=False)
    assert all(task.fold_seed for task in tasks)
    assert summary.cutoff is None
