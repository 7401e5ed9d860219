"""Impute once in a process of its own, in the environment that the method asks for."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from impbench.context import Context
from impbench.environments.environments import build_all
from impbench.errors import ImpbenchError, UnavailableError
from impbench.imputer import Imputed, Imputer, Observed
from impbench.plan.task import Posed, Task
from impbench.runner.attempt import Workplace, run_workers
from impbench.runner.walls import Openings
from impbench.worker.exchange import load_imputed, save_observed
from impbench.worker.reusable_worker import ReusableWorker


class ImputationError(ImpbenchError, RuntimeError):
    """A method failed in its process; the message ends with the last lines it printed."""


@dataclass(frozen=True)
class Apart:
    """What came back."""

    imputed: Imputed
    wall_seconds: float
    """From when the worker had the data until it had its answer, without its start."""
    versions: dict[str, str]
    """Of the libraries the method used."""


def needs_environment(imputer: Imputer) -> bool:
    """Whether `imputer` cannot run in this process: it asks for packages or another Python."""
    return bool(imputer.requires or imputer.requires_python)


def impute_apart(
    imputer: Imputer,
    observed: Observed,
    context: Context,
    *,
    timeout: float | None = None,
    announce: Callable[[str], None] = lambda text: None,
    openings: Openings | None = None,
) -> Apart:
    """Impute as a benchmark's job does, outside this process.

    Parameters
    ----------
    timeout
        Seconds it may take, imports included, or None; building the environment does not count.
    announce
        Called with what is being built before that starts.
    openings
        With walls around the method, as in a run, that let this through; None builds no walls.

    Raises
    ------
    UnavailableError
        If the method, or its environment, is not to be had on this machine.
    ImputationError
        If it fails, or takes too long.
    """
    environments = build_all([type(imputer)], announce)
    with tempfile.TemporaryDirectory(prefix="impbench-") as name:
        folder = Path(name)
        view = folder / "view"
        view.mkdir()
        save_observed(view, observed)
        task = Task(
            imputer=imputer,
            seeds=(context.seed,),
            posed=(Posed("", "", "", view, hidden=-1, metrics=(), has_truth=False),),
            device=context.device,
            threads=context.threads,
            timeout=timeout,
        )
        place = Workplace(folder, folder, folder, environments, openings)
        attempt = run_workers(task, folder, place, threading.Event(), ReusableWorker())
        if attempt.failure is not None:
            reason = attempt.failure.reason.removeprefix("UnavailableError: ")
            reason = f"{imputer.spec}: {reason}"
            if attempt.failure.status == "unavailable":
                raise UnavailableError(reason)
            last = "\n".join(attempt.log.splitlines()[-10:])
            raise ImputationError(f"{reason}\n{last}".strip())
        stored = load_imputed(attempt.outputs[""] / f"seed-{context.seed}")
        imputed = replace(
            stored,
            expression=None if stored.expression is None else np.array(stored.expression),
            std=None if stored.std is None else np.array(stored.std),
            embedding=None if stored.embedding is None else np.array(stored.embedding),
        )
        assert attempt.spent is not None
        return Apart(imputed, attempt.spent.wall_seconds, attempt.versions)
