"""Compare a run with a baseline: a status for every score, and whether the build passes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from impbench.errors import InputError
from impbench.regress.decide import holm, share_level, weigh
from impbench.regress.measured import UNDEFINED, Measured, ScoreKey
from impbench.regress.rules import Rules, floor_of
from impbench.regress.runtime import UNIT_BEFORE_ROLES, compare_runtimes
from impbench.regress.verdict import BuildCheck, ScoreChange, Status
from impbench.report.text import listed


def check(base: Measured, new: Measured, rules: Rules | None = None) -> BuildCheck:
    """Hold `new` against `base`.

    Raises
    ------
    InputError
        If the two cannot be compared: another scoring version, suite or content of a dataset, or
        nothing in common.
    """
    rules = rules or Rules()
    unit = rules.control or new.unit or base.unit or UNIT_BEFORE_ROLES
    rules = replace(rules, control=unit)
    _check_comparable(base, new, rules)
    findings = [
        _judge(entry, base, new, rules) for entry in sorted(base.scores.keys() | new.scores.keys())
    ]
    paces, runtime_note = compare_runtimes(
        base.runtimes, new.runtimes, rules.control, rules.max_slowdown, rules.alpha
    )
    return BuildCheck(
        base=base,
        new=new,
        rules=rules,
        findings=tuple(_decide(findings, rules.alpha)),
        paces=tuple(paces),
        runtime_note=runtime_note,
        notes=tuple(_notes(base, new)),
    )


def _check_comparable(base: Measured, new: Measured, rules: Rules) -> None:
    remedy = "compare runs of a kind, or write a new baseline with `impbench baseline create`"
    if base.scoring != new.scoring:
        raise InputError(
            f"the baseline was scored by version {base.scoring} of the scoring, the run by "
            f"{new.scoring}: the same imputation would get other scores; {remedy}"
        )
    if base.suite != new.suite and not rules.any_suite:
        raise InputError(
            f"the baseline is of suite {base.suite!r}, the run of suite {new.suite!r}; {remedy}"
        )
    shared = base.scores.keys() & new.scores.keys()
    if not shared:
        raise InputError(
            "baseline and run have no dataset, protocol, imputer and metric in common: the "
            f"baseline has {_extent(base)}; the run has {_extent(new)}; {remedy}"
        )
    for dataset in sorted({entry.dataset for entry in shared}):
        if base.datasets.get(dataset) != new.datasets.get(dataset):
            raise InputError(
                f"dataset {dataset} is not the same data in baseline and run (fingerprints "
                f"{base.datasets.get(dataset)} and {new.datasets.get(dataset)}); {remedy}"
            )


def _extent(measured: Measured) -> str:
    datasets = listed(sorted({entry.dataset for entry in measured.scores}))
    imputers = listed(sorted({entry.imputer for entry in measured.scores}))
    return f"{imputers} on {datasets}"


def _judge(entry: ScoreKey, base: Measured, new: Measured, rules: Rules) -> ScoreChange:
    """Say what can be said before the correction for the number of tests."""
    old, now = base.scores.get(entry), new.scores.get(entry)
    found = ScoreChange(entry, "unchanged", old, now)
    if old is None or now is None:
        return replace(found, status="new" if old is None else "missing")
    reason = new.reasons.get(entry[:3], "")
    if old.n == 0:
        if now.lost:
            return replace(found, status="still-failing", reason=reason)
        return replace(found, status="fixed")
    if now.n == 0 or now.share_lost > old.share_lost:
        undefined = UNDEFINED in now.lost.values()
        nan = f"the score is NaN for {listed([f'seed {seed}' for seed in now.lost])}"
        return replace(
            found,
            status="undecided" if undefined and not reason else "failed",
            reason=reason or nan,
        )
    shared = old.values.keys() & now.values.keys()
    if shared and all(old.values[seed] == now.values[seed] for seed in shared):
        return replace(found, status="identical")
    if min(old.n, now.n) < 2:
        few = "baseline" if old.n < 2 else "run"
        return replace(found, status="undecided", reason=f"only one seed has a score in the {few}")
    facts = base.metrics[entry.metric]
    floor = floor_of(entry.metric, facts, rules.floors).of(old.mean)
    return replace(found, evidence=weigh(old.values, now.values, facts.direction, floor))


def _decide(findings: list[ScoreChange], alpha: float) -> Iterator[ScoreChange]:
    """Correct the p values and turn them into verdicts; scores without noise need no correction."""
    tested = [f.evidence for f in findings if f.evidence is not None and f.tested]
    weights = share_level([finding.leads for finding in findings if finding.tested])
    worse = holm([evidence.p_worse for evidence in tested], weights)
    better = holm([evidence.p_better for evidence in tested], weights)
    # What regresses leaves its share of the level to the others.
    left = math.fsum(weight for weight, p in zip(weights, worse, strict=True) if p > alpha)
    corrected = iter(zip(worse, better, weights, strict=True))
    for finding in findings:
        evidence = finding.evidence
        if evidence is None:
            yield finding
            continue
        p_worse, p_better, level = evidence.p_worse, evidence.p_better, alpha
        if finding.tested:
            p_worse, p_better, weight = next(corrected)
            level = alpha * weight / (left if p_worse > alpha else left + weight)
        status: Status = "unchanged"
        if p_worse <= alpha:
            status = "regression"
        elif p_better <= alpha:
            status = "improvement"
        yield replace(
            finding,
            status=status,
            p_worse=p_worse,
            p_better=p_better,
            largest_passing_loss=evidence.largest_passing_loss(level),
        )


def _notes(base: Measured, new: Measured) -> Iterator[str]:
    """What differs between the runs besides scores, and what makes the check blunt."""
    if base.impbench != new.impbench:
        yield f"impbench {base.impbench} in the baseline, {new.impbench} in the run"
    for imputer in sorted(base.imputers.keys() & new.imputers.keys()):
        old, now = base.imputers[imputer], new.imputers[imputer]
        if old != now:
            yield f"{imputer} is version {old} in the baseline, {now} in the run"
    for name, measured in (("baseline", base), ("run", new)):
        if len(measured.seeds) < 5:
            yield f"{len(measured.seeds)} seeds in the {name}: only large changes can be told apart"
