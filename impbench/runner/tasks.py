"""Group the jobs on posed problems into tasks for workers, in a good order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from impbench.imputer import Imputer
from impbench.per_batch import is_alone
from impbench.plan.plan import Plan
from impbench.plan.task import Posed, Task, shares_seeds
from impbench.runner.problems import Problems
from impbench.runner.settings import DEFAULT_TIMEOUT, Settings
from impbench.truth_control import ORACLE, TruthControl


def make_tasks(plan: Plan, problems: Problems, settings: Settings) -> list[Task]:
    """Group the jobs that one imputation serves, those of one imputer side by side, controls last.

    Protocols that show the imputer the same data share its imputation. Seeds share a worker only
    where the method gains by it and runs on a GPU: on a CPU, separate workers use more cores. Each
    batch alone is imputed where there are two or more.
    """
    views: dict[tuple[Imputer | TruthControl, Path, Any], list[Posed]] = {}
    for item in plan.asked:
        posed = problems.posed.get((item.source.spec, item.protocol.spec))
        if posed is None:
            continue
        batches = item.source.spec in problems.with_batches
        imputers = [imputer for imputer in item.imputers if batches or not is_alone(imputer)]
        everyone: list[Imputer | TruthControl] = [*imputers, *posed.controls]
        for one in everyone:
            group = views.setdefault((one, posed.view, posed.again), [])
            if posed not in group:
                group.append(posed)
    tasks = []
    for (one, *_), group in views.items():
        imputer = one if isinstance(one, Imputer) else None
        can_use = imputer is not None and "cuda" in type(imputer).devices
        device = settings.device if can_use else "cpu"
        together = imputer is not None and shares_seeds(imputer) and device != "cpu"
        for seeds in [plan.seeds] if together else [(seed,) for seed in plan.seeds]:
            imputations = len(seeds) * (1 + len(group[0].again))
            task = Task(
                imputer=imputer,
                seeds=seeds,
                posed=tuple(group),
                device=device,
                threads=settings.threads or 1,
                timeout=time_limit(settings, imputations),
                memory=settings.memory,
                pictures=seeds[0] == plan.seeds[0],
                control=one if isinstance(one, TruthControl) else ORACLE,
            )
            tasks.append(task)
    # Controls last, and side by side what one worker can serve.
    answering = list(dict.fromkeys((task.imputer, task.control) for task in tasks))
    modules = [type(imputer).__module__ for imputer, _ in answering]
    order = {
        one: (one[0] is None or one[0].is_control, modules.index(module), place)
        for place, (one, module) in enumerate(zip(answering, modules, strict=True))
    }
    return sorted(tasks, key=lambda task: order[task.imputer, task.control])


def time_limit(settings: Settings, imputations: int) -> float | None:
    """Return the seconds that so many imputations may take together; None is no limit."""
    each = DEFAULT_TIMEOUT if settings.timeout is None else settings.timeout
    return None if math.isinf(each) else each * imputations


def controls_first(tasks: Sequence[Task]) -> list[Task]:
    """Sort tasks as they are carried out: controls are quick, so that soon there is a score.

    Controls of one module come view by view, because whoever scores keeps the last view at hand.
    """
    modules = list(dict.fromkeys(type(task.imputer).__module__ for task in tasks))
    views = list(dict.fromkeys(task.posed[0].view for task in tasks))

    def turn(task: Task) -> tuple[int, ...]:
        if task.imputer is not None and not task.imputer.is_control:
            return (1,)
        return (0, modules.index(type(task.imputer).__module__), views.index(task.posed[0].view))

    return sorted(tasks, key=turn)


def in_plan_order(tasks: Sequence[Task]) -> list[Task]:
    """Sort tasks as a reader expects: by dataset, then methods, controls last."""
    order = list(dict.fromkeys(task.posed[0].view for task in tasks))
    return sorted(tasks, key=lambda task: order.index(task.posed[0].view))
