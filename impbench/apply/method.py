"""A method found by name and applied once, here or in the environment it asks for."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import psutil

from impbench.apply.options import Options
from impbench.errors import InputError, UnavailableError
from impbench.gives import only_embedding
from impbench.imputer import Context, Imputed, Imputer, Observed
from impbench.per_batch import alone, is_alone
from impbench.registry import registry
from impbench.runner.separate_process import impute_apart, needs_environment


def ready(imputer: str | Imputer, options: Options) -> Imputer:
    """Return the imputer of that name, able to run on this machine.

    Raises
    ------
    NotFoundError, InputError
        If there is no such imputer or parameter, or each batch is to be imputed alone and no column
        names the batches; or if an option is about a layer, and the method gives only an embedding.
    UnavailableError
        If it lacks something here; says what installs it.
    """
    method = registry().real_imputer(imputer) if isinstance(imputer, str) else imputer
    if options.per == "batch":
        method = alone(method)
    if only_embedding(method.gives):
        options.of_an_embedding(method.spec)
    if is_alone(method) and options.batch_key is None:
        raise InputError(
            f"{method.spec} imputes each batch alone: name the column of obs with the batches, "
            "--batch-key (batch_key)"
        )
    if lack := type(method).unavailable():
        raise UnavailableError(f"{type(method).name} cannot run here: {lack}")
    return method


def apply(method: Imputer, observed: Observed, options: Options) -> Imputed:
    """Impute and check what comes back.

    Raises
    ------
    InputError
        If the method refuses the data or returns something unusable, or there is only one batch
        where each is to be imputed alone.
    UnavailableError, ImputationError
        If a method that has an environment of its own cannot be had or fails there.
    """
    batches = [] if observed.batch is None else list(map(str, np.unique(observed.batch)))
    if is_alone(method) and len(batches) == 1:
        raise InputError(
            f"obs[{options.batch_key!r}] holds one batch, {batches[0]!r}, of all cells: to impute "
            "it alone is to impute all together; leave out --per batch"
        )
    with tempfile.TemporaryDirectory(prefix="impbench-") as scratch:
        context = Context(
            seed=options.seed,
            device=options.device,
            threads=options.threads,
            scratch=Path(scratch),
            memory=psutil.virtual_memory().available,
        )
        if needs_environment(method):
            imputed = impute_apart(method, observed, context).imputed
        else:
            method.prepare(context)
            imputed = method.impute(observed, context)
    imputed.check(observed)
    imputed.must_hold(method.gives)
    return imputed
