"""Tell what slices of a suite lack together."""

from __future__ import annotations

from impbench.errors import ImpbenchError
from impbench.plan.plan import Plan, make_plan
from impbench.plan.suite import Suite, read_suite
from impbench.registry import Registry
from impbench.results.manifest import RunManifest


def suite_of(told: RunManifest, registry: Registry) -> Suite | None:
    """Return the suite that a run was of, or None where no suite of that name is known here."""
    try:
        return read_suite(registry.suite(told.suite.name))
    except ImpbenchError:
        return None


def still_replaced(told: RunManifest, suite: Suite | None, registry: Registry) -> list[str]:
    """Return those of ``told.suite.replaced`` of which the suite has more than the runs together.

    What the runs have besides, such as another's method, replaces nothing.
    """
    replaced = list(told.suite.replaced)
    if suite is None:
        return replaced
    try:
        whole = _whole(make_plan(suite, registry))
    except ImpbenchError:
        # A name of it is not known here, so nobody can say whether it was run.
        return replaced
    there: dict[str, set[str] | set[int]] = {
        "datasets": {*told.datasets, *(item.dataset for item in told.skipped)},
        "protocols": set(told.protocols),
        "imputers": set(told.imputers),
        "seeds": set(told.seeds),
    }
    return [part for part in replaced if part not in whole or not whole[part] <= there[part]]


def _whole(plan: Plan) -> dict[str, set[str] | set[int]]:
    return {
        "datasets": {item.source.spec for item in plan.asked},
        "protocols": {item.protocol.spec for item in plan.asked},
        "imputers": {imputer.spec for item in plan.asked for imputer in item.imputers},
        "seeds": set(plan.seeds),
    }
