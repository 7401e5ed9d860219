"""What becomes of every score, and of the build."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from impbench.errors import ImpbenchError, InputError
from impbench.regress.baseline import from_json, to_json
from impbench.regress.check import check
from impbench.regress.measured import measure
from impbench.regress.rules import Rules, read_floors
from impbench.regress.verdict import BuildCheck

Make = Callable[..., Path]
D, P = "d", "p"
OLD = [0.400, 0.402, 0.399, 0.401, 0.400]
SIMILAR = [0.401, 0.399, 0.4005, 0.402, 0.3995]


@pytest.fixture
def held(make_run: Make) -> Callable[..., BuildCheck]:
    """Check new scores of one method, listed by metric, against old ones."""

    def run(old: dict, new: dict, rules: Rules | None = None, **options: object) -> BuildCheck:  # type: ignore[type-arg]
        a = measure(make_run("a", {(D, P, "method"): old}))
        b = measure(make_run("b", {(D, P, "method"): new}, **options))
        return check(a, b, rules)

    return run


def status(found: BuildCheck, metric: str = "mse") -> str:
    (finding,) = [f for f in found.findings if f.entry.metric == metric]
    return finding.status


def scaled(factor: float, values: list[float] = SIMILAR) -> list[float]:
    return [factor * value for value in values]


@pytest.mark.parametrize(
    ("metric", "factor", "expected", "code"),
    [
        ("mse", 1.05, "regression", 1),
        ("mse", 0.95, "improvement", 0),
        ("mse", 1.0, "unchanged", 0),
        ("ari", 1.05, "improvement", 0),
        ("ari", 0.95, "regression", 1),
    ],
)
def test_direction_of_the_metric_is_known(
    held: Callable[..., BuildCheck], metric: str, factor: float, expected: str, code: int
) -> None:
    found = held({metric: OLD}, {metric: scaled(factor)}, seeds=[11, 12, 13, 14, 15])
    assert (status(found, metric), found.exit_code) == (expected, code)


def test_same_scores_for_the_same_seeds_are_identical_and_not_tested(
    held: Callable[..., BuildCheck],
) -> None:
    found = held({"mse": OLD, "ari": OLD}, {"mse": OLD, "ari": SIMILAR})
    assert (status(found), status(found, "ari")) == ("identical", "unchanged")
    assert (found.tested, found.exit_code) == (1, 0)


def test_same_seeds_show_a_loss_that_other_seeds_hide(held: Callable[..., BuildCheck]) -> None:
    noisy = [0.40, 0.42, 0.38, 0.41, 0.395]
    worse = [1.05 * value + 1e-5 * i for i, value in enumerate(noisy)]
    assert status(held({"mse": noisy}, {"mse": worse})) == "regression"
    assert status(held({"mse": noisy}, {"mse": worse}, seeds=[6, 7, 8, 9, 10])) == "unchanged"


@pytest.mark.parametrize(("factor", "expected"), [(1.004, "unchanged"), (1.006, "regression")])
def test_deterministic_method_is_held_to_the_floor(
    held: Callable[..., BuildCheck], factor: float, expected: str
) -> None:
    assert status(held({"mse": [0.4] * 3}, {"mse": [0.4 * factor] * 5})) == expected


def test_floor_is_set_per_metric(held: Callable[..., BuildCheck]) -> None:
    new = {"mse": scaled(1.03), "ari": scaled(0.97)}
    floors = read_floors(["mse=5%", "ari=0.02"], ["mse", "ari"])
    assert held({"mse": OLD, "ari": OLD}, new).exit_code == 1
    assert held({"mse": OLD, "ari": OLD}, new, Rules(floors=floors)).exit_code == 0


@pytest.mark.parametrize("text", ["mse", "mse=", "mse=x%", "mse=-1%", "mse=nan", "mze=1%"])
def test_unusable_floor_is_refused(text: str) -> None:
    with pytest.raises(ImpbenchError, match=r"is not like|did you mean mse"):
        read_floors([text], ["mse"])


def test_missing_new_failed_fixed_and_undecided_are_told_apart(make_run: Make) -> None:
    mse = {"mse": OLD}
    a = make_run(
        "a",
        {(D, P, name): mse for name in ("gone", "breaks", "nan", "mended", "broken", "same")},
        failing={(name, seed): "x" for name in ("mended", "broken") for seed in range(1, 6)},
    )
    b = make_run(
        "b",
        {
            **{(D, P, name): mse for name in ("added", "breaks", "mended", "broken", "same")},
            (D, P, "nan"): {"mse": [*OLD[:4], math.nan]},
        },
        failing={("breaks", 3): "ValueError: a | b", **{("broken", s): "x" for s in range(1, 6)}},
    )
    base, new = measure(a), measure(b)
    found = check(base, new)
    assert {f.entry.imputer: f.status for f in found.findings} == {
        "added": "new",
        "breaks": "failed",
        "broken": "still-failing",
        "gone": "missing",
        "mended": "fixed",
        "nan": "undecided",
        "same": "identical",
    }
    (breaks,) = found.having("failed")
    assert "ValueError" in breaks.reason
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("new", "rules", "code"),
    [
        ({"mse": OLD}, Rules(), 2),
        ({"mse": OLD}, Rules(allow_missing=True), 0),
        ({"mse": OLD, "ari": [math.nan] * 5}, Rules(allow_missing=True), 2),
        ({"mse": scaled(1.2)}, Rules(), 1),
    ],
)
def test_what_cannot_be_compared_is_never_a_pass(
    held: Callable[..., BuildCheck], new: dict[str, list[float]], rules: Rules, code: int
) -> None:
    assert held({"mse": OLD, "ari": OLD}, new, rules).exit_code == code


def test_an_entry_with_one_seed_left_is_undecided(make_run: Make) -> None:
    scores = {(D, P, "flaky"): {"mse": OLD}, (D, P, "fine"): {"mse": OLD}}
    a = make_run("a", scores, failing={("flaky", s): "x" for s in (1, 2, 3, 4)})
    b = make_run("b", scores, seeds=[6, 7, 8, 9, 10])
    found = check(measure(a), measure(b))
    (flaky,) = found.having("undecided")
    assert flaky.reason == "only one seed has a score in the baseline"
    assert found.exit_code == 2


def test_a_method_that_lost_every_seed_failed_however_flaky_it_was(make_run: Make) -> None:
    scores = {(D, P, "flaky"): {"mse": OLD}, (D, P, "fine"): {"mse": OLD}}
    a = make_run("a", scores, failing={("flaky", s): "x" for s in (1, 2, 3)})
    three = {key: {"mse": OLD[:3]} for key in scores}
    b = make_run("b", three, failing={("flaky", s): "x" for s in (1, 2, 3)})
    found = check(measure(a), measure(b))
    assert [finding.entry.imputer for finding in found.having("failed")] == ["flaky"]
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scoring": "0"}, "version 0 of the scoring"),
        ({"suite": "other"}, "suite 'other'"),
        ({"datasets": {D: "0ff"}}, "not the same data"),
        ({"scores": {}}, "in common"),
    ],
)
def test_incomparable_baseline_is_refused(
    make_run: Make, change: dict[str, object], message: str
) -> None:
    run = measure(make_run("a", {(D, P, "method"): {"mse": OLD}}))
    with pytest.raises(InputError, match=message):
        check(dataclasses.replace(run, **change), run)  # type: ignore[arg-type]


def test_run_with_one_seed_or_unfinished_or_damaged_is_refused(make_run: Make) -> None:
    with pytest.raises(InputError, match="one seed only"):
        measure(make_run("one", {(D, P, "method"): {"mse": [0.4]}}))
    scores = {(D, P, "method"): {"mse": OLD}}
    with pytest.raises(InputError, match="not finished"):
        measure(make_run("unfinished", scores, manifest={"finished": None}))
    damaged = make_run("damaged", scores)
    next((damaged / "records").glob("*.json")).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="1 of 5 results"):
        measure(damaged)
    with pytest.raises(InputError, match="not as impbench writes it"):
        measure(make_run("manifest", scores, manifest={"datasets": None}))
    with pytest.raises(ImpbenchError, match="no metric is called 'mze'"):
        measure(make_run("metric", {(D, P, "method"): {"mze": OLD}}))


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
def test_unusable_level_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match="alpha"):
        Rules(alpha=alpha)


def test_correction_counts_only_scores_with_noise(make_run: Make) -> None:
    rng = np.random.default_rng(1)
    noisy = {(D, P, f"m{i}"): {"mse": list(0.4 + 0.01 * rng.random(5))} for i in range(3)}
    fixed = {(D, P, f"c{i}"): {"mse": [0.4] * 5} for i in range(20)}
    a = measure(make_run("a", {**noisy, **fixed}))
    b = measure(make_run("b", {**noisy, **fixed}, seeds=[6, 7, 8, 9, 10]))
    assert check(a, b).tested == 3


def test_first_metric_of_a_method_leads_and_is_tested_at_most_of_the_level(make_run: Make) -> None:
    """The same loss is shown where it leads, and hidden where it is one of many."""
    metrics = ("mse", "dropout-mse", "biozero-mse", "nonzero-mse", "ari", "nmi")
    names = ("method", "control")
    worse = [0.402, 0.403, 0.4025, 0.4035, 0.403]
    a, b = (
        measure(make_run(run, {(D, P, name): dict.fromkeys(metrics, x) for name in names}, **seeds))
        for run, x, seeds in (("a", OLD, {}), ("b", worse, {"seeds": [6, 7, 8, 9, 10]}))
    )
    found = check(a, b)
    assert (found.tested, found.leading) == (12, 1)
    assert [f.entry[2:] for f in found.findings if f.leads] == [("method", "mse")]
    assert [f.entry[2:] for f in found.having("regression")] == [("method", "mse")]


def test_mean_that_would_have_passed_would_have(held: Callable[..., BuildCheck]) -> None:
    """Also where another score fails, and where five of the baseline's many seeds are shared."""
    rng = np.random.default_rng(2)
    many = {name: list(0.4 + 0.001 * rng.random(20)) for name in ("mse", "dropout-mse", "ari")}
    losses = {"mse": 1.05, "dropout-mse": 1.05, "ari": 1.0}
    new = {name: scaled(losses[name], values[:5]) for name, values in many.items()}
    (mse,) = [f for f in held(many, new).having("regression") if f.entry.metric == "mse"]
    assert mse.largest_passing_loss is not None
    assert mse.evidence is not None
    beyond = mse.largest_passing_loss - mse.evidence.loss
    for step, expected in ((-1e-6, "unchanged"), (1e-6, "regression")):
        moved = {**new, "mse": [value + beyond + step for value in new["mse"]]}
        assert status(held(many, moved)) == expected


CONTROL = [0.10, 0.11, 0.10, 0.105, 0.1]


@pytest.mark.parametrize(
    ("machine", "method", "slower"), [(1.0, 2.0, True), (3.0, 1.0, False), (3.0, 2.0, True)]
)
def test_runtime_is_in_units_of_the_control(
    make_run: Make, machine: float, method: float, slower: bool
) -> None:
    scores = {(D, P, name): {"mse": OLD} for name in ("control", "method")}
    took = [2.0, 2.1, 1.95, 2.05, 2.0]
    a = make_run("a", scores, seconds={"control": CONTROL, "method": took})
    b = make_run(
        "b",
        scores,
        seconds={"control": scaled(machine, CONTROL), "method": scaled(machine * method, took)},
    )
    base, new = measure(a), measure(b)
    found = check(base, new, Rules(control="control"))
    assert [pace.imputer for pace in found.paces] == ["method"]
    assert (found.paces[0].slower, found.exit_code) == (slower, 0)
    assert found.paces[0].slowdown == pytest.approx(method)
    strict = check(base, new, Rules(control="control", fail_on_runtime=True))
    assert strict.exit_code == int(slower)


@pytest.mark.parametrize(
    ("names", "roles", "unit"),
    [
        (("control", "method"), {"control": "formula"}, "control"),
        (("control", "method"), {"method": "nothing"}, "maskclass-prior"),
        (("maskclass-prior", "control"), {"control": "formula"}, "control"),
        (("maskclass-prior", "control"), {}, "maskclass-prior"),
    ],
)
def test_unit_of_runtimes_is_the_control_of_that_role_or_in_old_files_of_that_name(
    make_run: Make, names: tuple[str, ...], roles: dict[str, str], unit: str
) -> None:
    told = {name: {"version": "1", "role": roles.get(name, "")} for name in names}
    scores = {(D, P, name): {"mse": OLD} for name in names}
    run = measure(make_run("a", scores, manifest={"imputers": told}))
    found = check(run, run)
    assert found.rules.control == unit
    assert len(found.paces) == (2 if unit in names else 0)
    stored = from_json(to_json(run).encode())
    assert check(stored, run).rules.control == unit
    assert check(stored, stored).rules.control == "maskclass-prior"


def test_runtime_on_another_device_is_not_compared(make_run: Make) -> None:
    scores = {(D, P, name): {"mse": OLD} for name in ("control", "method")}
    run = measure(make_run("a", scores))
    moved = dataclasses.replace(run.runtimes[D, "method"], device="cuda")
    elsewhere = dataclasses.replace(run, runtimes={**run.runtimes, (D, "method"): moved})
    assert len(check(run, run, Rules(control="control")).paces) == 1
    found = check(run, elsewhere, Rules(control="control"))
    assert not found.paces
    assert found.runtime_note.startswith("runtime not compared for method: another device")


def test_runtime_without_a_control_is_said_and_never_a_strict_pass(make_run: Make) -> None:
    run = measure(make_run("a", {(D, P, "method"): {"mse": OLD}}))
    assert "not compared" in check(run, run).runtime_note
    assert check(run, run).exit_code == 0
    assert check(run, run, Rules(fail_on_runtime=True)).exit_code == 2
