"""Build a method's environment anew, impute in it, and tell what came of a small matrix."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

import numpy as np

from impbench.context import Context
from impbench.data.scenarios import SimRare
from impbench.environments import environments
from impbench.environments.interpreters import BuildError
from impbench.errors import InputError, UnavailableError
from impbench.imputer import Imputer, Observed
from impbench.runner.separate_process import ImputationError, impute_apart
from impbench.runner.walls import Openings

KEPT = 1e-3
"""How far a log2 value may move that was observed, and still count as kept."""


@dataclass(frozen=True)
class Trial:
    """What became of one method."""

    imputer: str
    tried: date
    """On which day."""
    status: Literal["ok", "refused", "unavailable", "failed"]
    """``refused``: the environment works, and the method has a rule that so small a matrix
    breaks."""
    reason: str = ""
    """How it failed and why; what could not be measured is None."""
    interpreter: str = ""
    """Of its environment."""
    versions: str = ""
    """Of what it asked for, such as ``halra 0.1.0``."""
    build_seconds: float | None = None
    """What the environment took, from nothing."""
    megabytes: float | None = None
    """What it occupies."""
    seconds: float | None = None
    """One imputation of 200 cells × 300 genes."""
    keeps_observed: bool | None = None
    """Whether every value above zero came back as it was, to `KEPT`."""
    zeros_filled: float | None = None
    """Which part of the zeros came back above zero."""
    negatives: int | None = None
    """How many values came back below zero."""
    seeds: Literal["honoured", "no effect", "ignored"] | None = None
    """``honoured``: the same seed gives the same values, another others; ``no effect``: every
    seed gives the same; ``ignored``: the same seed gives other values."""


def try_environment(imputer: Imputer, announce: Callable[[str], None] = lambda text: None) -> Trial:
    """Build the environment of `imputer` from nothing, then impute three times in it.

    An environment that is there already is replaced once the new one is complete.

    Parameters
    ----------
    announce
        Called with what is being built.
    """
    today = datetime.now(tz=UTC).date()
    start = time.perf_counter()
    try:
        wish = environments.Wish.of(type(imputer))
        assert wish is not None, f"{imputer.name} asks for no environment"
        built = environments.obtain(wish, announce=lambda: announce(imputer.spec), anew=True)
    except BuildError as error:
        return Trial(imputer.spec, today, error.status, str(error))
    build_seconds = time.perf_counter() - start
    asked = {name: version for name, version in built.versions().items() if name in built.packages}
    found = Trial(
        imputer.spec,
        today,
        "ok",
        interpreter=built.interpreter,
        versions=", ".join(f"{name} {version}" for name, version in asked.items()),
        build_seconds=build_seconds,
        megabytes=environments.size(built.folder) / 2**20,
    )
    return _imputed(found, imputer)


def _imputed(found: Trial, imputer: Imputer) -> Trial:
    """Add to `found` what three imputations show: two of one seed, one of another."""
    dataset = SimRare(n_cells=200, n_genes=300).load()
    observed = Observed.from_counts(dataset.counts)
    try:
        # Behind the same walls as in a run: what works without them may fail there.
        apart = [
            impute_apart(imputer, observed, Context(seed=seed), openings=Openings())
            for seed in (1, 1, 2)
        ]
    except UnavailableError as error:
        return replace(found, status="unavailable", reason=str(error))
    except ImputationError as error:
        reason = str(error).partition("\n")[0].removeprefix(f"{imputer.spec}: ")
        status: Literal["refused", "failed"] = "failed"
        if reason.startswith(f"{InputError.__name__}: "):
            status, reason = "refused", reason.removeprefix(f"{InputError.__name__}: ")
        return replace(found, status=status, reason=reason)
    first, again, other = (
        one.imputed.embedding if one.imputed.expression is None else one.imputed.expression
        for one in apart
    )
    assert first is not None
    assert again is not None
    assert other is not None
    if not np.array_equal(first, again):
        seeds: Literal["honoured", "no effect", "ignored"] = "ignored"
    else:
        seeds = "no effect" if np.array_equal(first, other) else "honoured"
    found = replace(found, seconds=apart[0].wall_seconds, seeds=seeds)
    if apart[0].imputed.expression is None:
        return found
    before, after = observed.lognorm, apart[0].imputed.lognorm(observed)
    zero = before == 0
    return replace(
        found,
        keeps_observed=bool((np.abs(after - before)[~zero] <= KEPT).all()),
        zeros_filled=float((after[zero] > 0).mean()),
        negatives=int((apart[0].imputed.expression < 0).sum()),
    )
