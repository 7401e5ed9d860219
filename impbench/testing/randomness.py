"""Checks that the seed decides everything random, and that nothing else decides anything."""

from __future__ import annotations

import contextlib
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import threadpoolctl

from impbench.context import Context
from impbench.imputer import Imputer
from impbench.testing.check import check
from impbench.testing.example import example_counts, observe
from impbench.testing.subject import ROUNDING, Subject, hushed, largest_difference
from impbench.testing.violation import DoesNotApply, Violation


@check(
    reason="A result that cannot be repeated cannot be checked by anybody.",
    remedy="Draw every random number from np.random.default_rng(context.seed) or a generator "
    "seeded by it, and keep no state between calls.",
)
def same_seed_same_result(subject: Subject) -> None:
    """Two calls with the same seed return the same numbers."""
    subject.must_equal(subject.imputed_values(), "a second call with the same seed", 0.0)


@check(
    reason="The spread over seeds is the error bar of every score.",
    remedy="Use context.seed; or say stochastic = False, and the seed must not matter.",
)
def seed_is_honoured(subject: Subject) -> None:
    """A stochastic imputer differs between seeds, a deterministic one does not."""
    differs = any((values != subject.by_seed[0]).any() for values in subject.by_seed[1:])
    if not subject.imputer.stochastic and differs:
        raise Violation("declares stochastic = False, but seeds 1, 2 and 3 give other results")
    if subject.imputer.stochastic and not differs:
        # Some methods are random only at a certain size (an approximate PCA), or only without clear
        # structure (starts of k-means): more cells, each gene shuffled, many groups.
        rng = np.random.default_rng(0)
        large = observe(rng.permuted(example_counts(160, 130), axis=0), n_groups=24)
        first, second = (subject.imputed_values(large, seed) for seed in (1, 2))
        if (first == second).all():
            raise Violation("declares stochastic = True, but seeds give the same result")


@check(
    reason="Seeds are counted from 0 or drawn at random; both must do.",
    remedy="Pass the seed on unchanged; if a library takes less, reduce it modulo its limit.",
)
def any_seed_works(subject: Subject) -> None:
    """Seed 0 and the seed 2³¹ − 1 work."""
    for seed in (0, 2**31 - 1):
        subject.imputed_values(seed=seed)


@check(
    reason="Other code draws from the global generators too, so a result would depend on it.",
    remedy="Use np.random.default_rng(context.seed), random.Random(seed), torch.Generator; where "
    "a library insists on global state, seed it first and restore it after.",
)
def global_generators_do_not_matter(subject: Subject) -> None:
    """The result does not depend on the state of the global random generators."""
    with _global_generators(seed=12345):
        values = subject.imputed_values()
    subject.must_equal(values, "other states of the global random generators", 0.0)


@check(
    reason="Scores must not depend on the machine they were made on.",
    remedy="Split work so that no sum depends on the number of parts, or fix the number of parts.",
)
def threads_do_not_matter(subject: Subject) -> None:
    """One thread and two threads give the same result, up to rounding."""
    with _threads(2):
        values = subject.imputed_values(threads=2)
    subject.must_equal(values, "two threads instead of one")


@check(
    reason="A GPU run trains seeds together; its scores stand beside those of single seeds.",
    remedy="Let impute_many give, for every context, what impute gives for it.",
)
def many_seeds_equal_single_seeds(subject: Subject) -> None:
    """`impute_many`, where defined, returns what `impute` does for each seed."""
    if type(subject.imputer).impute_many is Imputer.impute_many:
        raise DoesNotApply("does not define impute_many")
    with tempfile.TemporaryDirectory(prefix="impbench-") as scratch, hushed():
        contexts = [Context(seed=seed, scratch=Path(scratch)) for seed in (1, 2)]
        together = subject.prepared.impute_many(observe(example_counts()), contexts)
    if len(together) != len(contexts):
        raise Violation(f"returned {len(together)} results for {len(contexts)} contexts")
    for one, single in zip(together, subject.by_seed, strict=False):
        difference = largest_difference(subject.values_of(one), single)
        if difference > ROUNDING:
            raise Violation(f"differs from impute by up to {difference:.2g} (relative)")


@contextlib.contextmanager
def _global_generators(seed: int) -> Iterator[None]:
    """Put every global generator into another state for a while."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    torch_state = None if torch is None else torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch is not None:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if torch is not None:
            torch.set_rng_state(torch_state)


@contextlib.contextmanager
def _threads(n: int) -> Iterator[None]:
    """Let BLAS, OpenMP, PyTorch and Numba use `n` threads, as the runner's environment does."""
    torch, numba = sys.modules.get("torch"), sys.modules.get("numba")
    torch_before = None if torch is None else torch.get_num_threads()
    numba_before = None if numba is None else numba.get_num_threads()
    if torch is not None:
        torch.set_num_threads(n)
    if numba is not None:
        numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))
    try:
        with threadpoolctl.threadpool_limits(n):
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(torch_before)
        if numba is not None:
            numba.set_num_threads(numba_before)
