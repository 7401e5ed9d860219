"""A method found by name and applied once, here or in the environment it asks for."""

from __future__ import annotations

import tempfile
from pathlib import Path

from impbench.apply.options import Options
from impbench.errors import UnavailableError
from impbench.imputer import Context, Imputed, Imputer, Observed
from impbench.registry import registry
from impbench.runner.separate_process import impute_apart, needs_environment


def ready(imputer: str | Imputer) -> Imputer:
    """Return the imputer of that name, able to run on this machine.

    Raises
    ------
    NotFoundError, InputError
        If there is no such imputer or parameter.
    UnavailableError
        If it lacks something here; says what installs it.
    """
    method = registry().real_imputer(imputer) if isinstance(imputer, str) else imputer
    if lack := type(method).unavailable():
        raise UnavailableError(f"{type(method).name} cannot run here: {lack}")
    return method


def apply(method: Imputer, observed: Observed, options: Options) -> Imputed:
    """Impute and check what comes back.

    Raises
    ------
    InputError
        If the method refuses the data or returns something unusable.
    UnavailableError, ImputationError
        If a method that has an environment of its own cannot be had or fails there.
    """
    with tempfile.TemporaryDirectory(prefix="impbench-") as scratch:
        context = Context(
            seed=options.seed,
            device=options.device,
            threads=options.threads,
            scratch=Path(scratch),
        )
        if needs_environment(method):
            imputed = impute_apart(method, observed, context).imputed
        else:
            method.prepare(context)
            imputed = method.impute(observed, context)
    imputed.check(observed)
    return imputed
