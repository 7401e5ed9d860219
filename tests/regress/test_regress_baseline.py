"""The baseline file: the same bytes for the same run, and refused once anybody edited it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from impbench.commands_regress import baseline_create
from impbench.errors import InputError
from impbench.regress.baseline import from_json, read_baseline, to_json, write_baseline
from impbench.regress.check import check
from impbench.regress.measured import Measured, ScoreKey, measure
from impbench.regress.rules import Rules
from impbench.results.record import SCORING

KEY = ("d[n=5]", "p", "method")
ENTRY = ScoreKey(*KEY, "mse")
Make = Callable[..., Path]


@pytest.fixture
def measured(make_run: Make) -> Measured:
    scores = {
        KEY: {"mse": [0.41, 0.43, 0.4], "ari": [0.7, math.nan, 0.8]},
        ("d[n=5]", "p", "other"): {"mse": [1.0, 1.0, 1.0]},
    }
    return measure(make_run("run", scores, seeds=[2, 10, 1], failing={("other", 10): "boom"}))


def test_round_trip_keeps_everything_and_the_bytes(measured: Measured, tmp_path: Path) -> None:
    write_baseline(measured, tmp_path / "b.json")
    read = read_baseline(tmp_path / "b.json")
    assert read.scores == measured.scores
    assert read.runtimes == measured.runtimes
    assert (read.suite, read.scoring, read.impbench) == ("tiny", SCORING, "0.1.0")
    assert (read.datasets, read.imputers) == (measured.datasets, measured.imputers)
    assert to_json(read) == (tmp_path / "b.json").read_text(encoding="utf-8")


def test_keeps_n_mean_sd_every_seed_why_one_is_lost_and_what_leads(measured: Measured) -> None:
    data = json.loads(to_json(measured))["scores"]["d[n=5]"]["p"]
    mse = data["method"]["mse"]
    assert mse["values"] == {"1": 0.4, "2": 0.41, "10": 0.43}
    assert (mse["n"], mse["mean"], mse["sd"]) == (
        3,
        pytest.approx(0.41333, abs=1e-5),
        pytest.approx(0.0152753, abs=1e-6),
    )
    assert [name for name in ("mse", "ari") if data["method"][name].get("leads")] == ["mse"]
    assert data["method"]["ari"]["lost"] == {"10": "undefined"}
    assert data["other"]["mse"]["lost"] == {"10": "failed"}


def test_what_another_build_would_not_give_again_is_left_out(
    make_run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chaotic = ("d[n=5]", "p", "chaotic")
    scores = {KEY: {"mse": [0.4, 0.5]}, chaotic: {"mse": [1.0, 2.0]}}
    run = make_run("run", scores, info={"chaotic": {"build_bound": True}})
    baseline_create(run, tmp_path / "b.json")
    read = read_baseline(tmp_path / "b.json")
    assert {entry.imputer for entry in read.scores} == set(read.imputers) == {"method"}
    assert {imputer for _, imputer in read.runtimes} == {"method"}
    assert "alone: chaotic" in capsys.readouterr().out
    # What is left out is new in every run, and no check fails by it.
    assert check(read, measure(run), Rules()).exit_code == 0


def test_a_changed_score_changes_one_line_besides_the_digest(make_run: Make) -> None:
    texts = [
        to_json(measure(make_run(name, {KEY: {"mse": [0.4, last], "ari": [0.5, 0.6]}})))
        for name, last in (("a", 0.41), ("b", 0.42))
    ]
    a, b = (text.splitlines() for text in texts)
    assert len([1 for x, y in zip(a, b, strict=True) if x != y]) == 2


def test_scoring_version_of_a_real_run_is_the_current_one(make_run: Make) -> None:
    # Once SCORING is raised, manifests must say it; this fails until they do.
    assert measure(make_run("run", {KEY: {"mse": [1.0, 2.0]}})).scoring == SCORING


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("0.43", "0.46"), "changed after impbench wrote it"),
        (lambda text: text.replace('"tiny"', '"other"'), "changed after impbench wrote it"),
        (lambda text: text.replace('"digest"', '"degist"'), "changed after impbench wrote it"),
        (lambda text: text.replace("0.43", "NaN"), "changed after impbench wrote it"),
        (
            lambda text: text.replace('"format": 2', '"format": 1'),
            "line 2: format is 1; this impbench reads format 2; write it again",
        ),
        (lambda text: text[:-20], "not valid JSON"),
        (lambda text: "[]", "not an impbench baseline"),
        (lambda text: '{"scores": {}}', "not an impbench baseline"),
        (lambda text: "<<<<<<< HEAD\n" + text, "not valid JSON"),
    ],
)
def test_edited_file_is_refused(
    measured: Measured, edit: Callable[[str], str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        from_json(edit(to_json(measured)).encode(), "b.json")


def test_missing_or_binary_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="impbench baseline create RUN"):
        read_baseline(tmp_path / "absent.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no UTF-8 text"):
        read_baseline(tmp_path / "b.json")


def test_run_without_scores_makes_no_baseline(make_run: Make, tmp_path: Path) -> None:
    run = make_run("run", {KEY: {"mse": [math.nan, math.nan]}})
    with pytest.raises(InputError, match="nothing to compare"):
        write_baseline(measure(run), tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()
