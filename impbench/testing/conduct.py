"""Checks of how an imputer behaves towards its surroundings while it works."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import scipy.sparse as sp
from numpy.typing import NDArray

from impbench.context import Context
from impbench.errors import Cancelled, InputError
from impbench.imputer import Observed
from impbench.testing.check import check
from impbench.testing.example import example_counts, observe
from impbench.testing.subject import Subject, hushed, largest_difference
from impbench.testing.surveillance import captured_stdout, watched
from impbench.testing.violation import DoesNotApply, Violation

SLOW = 2.0
"""Seconds on the example data after which a method must report progress."""


@check(
    reason="In Python the data belong to the user, and other methods read the same arrays.",
    remedy="Work on copies: observed.lognorm.copy(), counts.copy(); beware of out= and *=.",
)
def input_is_not_modified(subject: Subject) -> None:
    """Counts, size factors and log values are the same afterwards, dense and sparse."""
    counts = example_counts()
    for matrix in (counts.astype(np.float64), sp.csr_matrix(counts.astype(np.float64))):
        observed = observe(matrix)
        before = {name: np.array(value) for name, value in _arrays(observed).items()}
        subject.impute(observed)
        for name, value in _arrays(observed).items():
            if value.shape != before[name].shape or (value != before[name]).any():
                raise Violation(f"observed.{name} was changed")


def _arrays(observed: Observed) -> dict[str, NDArray[Any]]:
    counts = observed.counts
    return {
        "counts": counts.toarray() if sp.issparse(counts) else counts,
        "dense_counts": observed.dense_counts,
        "size_factors": observed.size_factors,
        "lognorm": observed.lognorm,
    }


@check(
    reason="Somebody who waits for hours needs to see that something moves, and when it ends.",
    remedy="Call context.progress(done, total) about every second, such as once per epoch.",
)
def progress_is_reported(subject: Subject) -> str | None:
    """A method that takes seconds reports progress: never backwards, never past the total."""
    steps: list[tuple[int, int]] = []
    start = time.perf_counter()
    subject.impute(on_progress=lambda done, total: steps.append((done, total)))
    seconds = time.perf_counter() - start
    if not steps:
        if seconds > SLOW:
            raise Violation(f"took {seconds:.1f} s on {_size()} without a call of progress")
        return "reports none, and is fast"
    for (done, total), (later, _) in zip(steps, [*steps[1:], steps[-1]], strict=True):
        if not 0 <= done <= total:
            raise Violation(f"reported {done} of {total} steps")
        if later < done:
            raise Violation(f"went back from {done} to {later} of {total} steps")
    return f"reports {len(steps)} times"


def _size() -> str:
    n_cells, n_genes = example_counts().shape
    return f"{n_cells} cells × {n_genes} genes"


@check(
    reason="Ctrl-C and the stop button reach a method only through progress.",
    remedy="Let exceptions of context.progress pass: no `except Exception` around it.",
)
def cancel_is_obeyed(subject: Subject) -> None:
    """A `Cancelled` raised by progress ends the imputation."""
    calls = 0

    def cancel(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        raise Cancelled("stopped by the check")

    try:
        subject.impute(on_progress=cancel)
    except Cancelled:
        if calls > 1:
            raise Violation(f"went on after Cancelled: progress was called {calls} times") from None
        return
    if calls == 0:
        raise DoesNotApply("reports no progress, so it cannot be cancelled")
    raise Violation("swallowed Cancelled and went on to the end")


@check(
    reason="Files elsewhere collide between jobs that run side by side, and nobody deletes them.",
    remedy="Write to context.scratch only, and pass it to libraries as their temporary folder.",
)
def writes_only_to_scratch(subject: Subject) -> None:
    """No file is created, changed or removed outside the scratch folder."""
    _ = subject.prepared
    with tempfile.TemporaryDirectory() as scratch, watched(Path(scratch)) as seen:
        subject.impute(scratch=Path(scratch))
    if seen.written:
        raise Violation(f"wrote {seen.written[0]}" + _more(seen.written))


@check(
    reason="Data can be confidential, compute nodes have no network, and downloads change.",
    remedy="Ship what you need with the package; fetch models in a documented, separate step.",
)
def no_network(subject: Subject) -> None:
    """No connection to another machine is attempted."""
    _ = subject.prepared
    with watched() as seen:
        try:
            subject.impute()
        except Exception:
            # Whatever it makes of the refused connection.
            if not seen.contacted:
                raise
    if seen.contacted:
        raise Violation(f"tried to reach {seen.contacted[0]}" + _more(seen.contacted))


def _more(found: list[str]) -> str:
    return f" and {len(found) - 1} more" if len(found) > 1 else ""


@check(
    reason="Standard output belongs to the caller: `impbench run --json | jq` reads it.",
    remedy="Remove prints, silence libraries (verbose=0), or log to standard error.",
)
def quiet_stdout(subject: Subject) -> None:
    """Nothing is printed to standard output, by Python or by compiled code."""
    with captured_stdout() as printed:
        subject.impute(hush=False)
    if text := printed.text.strip():
        first = text.splitlines()[0][:80]
        raise Violation(f"printed {len(text)} characters, beginning {first!r}")


@check(
    reason="What is left running takes cores from the methods measured next.",
    remedy="Join pools and wait for child processes before you return.",
)
def leaves_no_process(subject: Subject) -> None:
    """No child process is left running."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    subject.impute()
    left = [
        child
        for child in psutil.Process().children(recursive=True)
        if child.pid not in before and child.status() != psutil.STATUS_ZOMBIE
    ]
    if left:
        names = ", ".join(f"{child.name()} ({child.pid})" for child in left)
        for child in left:
            child.kill()
        psutil.wait_procs(left, timeout=5)
        raise Violation(f"still running: {names}")


@check(
    reason="Whoever calls the method goes on working in the same process.",
    remedy="Use `with np.errstate(...)`, contextlib.chdir and a generator of your own.",
)
def surroundings_are_restored(subject: Subject) -> None:
    """Working folder, NumPy's error handling and its global generator are as before."""
    # A number drawn: whoever seeds the generator comes to another state than this.
    np.random.random_sample()  # noqa: NPY002
    folder, errors, state = os.getcwd(), np.geterr(), _global_state()
    subject.impute()
    moved, changed = os.getcwd(), np.geterr()
    os.chdir(folder)
    np.seterr(**errors)
    if moved != folder:
        raise Violation(f"changed the working folder to {moved}")
    if changed != errors:
        raise Violation(f"changed np.seterr to {changed}")
    if _global_state() != state:
        raise Violation("changed the state of np.random's global generator")


def _global_state() -> str:
    return str(np.random.get_state(legacy=False))  # noqa: NPY002


@check(
    reason="Runners may prepare once for several jobs, or again after a failure.",
    remedy="Let prepare import and compile only; what depends on data or seed belongs to impute.",
)
def prepare_can_be_repeated(subject: Subject) -> None:
    """Calling `prepare` again changes no result."""
    before = subject.by_seed[0]
    with hushed():
        for seed in (7, 8):
            subject.prepared.prepare(Context(seed=seed))
    difference = largest_difference(subject.imputed_values(), before)
    if difference > 0:
        raise Violation(f"the result changed by up to {difference:.2g} (relative)")


@check(
    reason="`Context()` is what a user types first; without a folder nothing may be written.",
    remedy="Do without files, or raise InputError saying that a scratch folder is needed.",
)
def works_without_scratch(subject: Subject) -> str | None:
    """Without a scratch folder it works without files, or refuses in words."""
    subject.must_have_no_fault()
    imputer = subject.prepared
    with watched() as seen, hushed():
        try:
            imputed = imputer.impute(observe(example_counts()), Context())
        except InputError as refusal:
            return f"refuses: {refusal}"
    subject.values_of(imputed)
    if seen.written:
        raise Violation(f"wrote {seen.written[0]}" + _more(seen.written))
    return None
