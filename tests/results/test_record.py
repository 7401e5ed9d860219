"""What is read of a record: what was written, and what older and newer ones say."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from impbench.errors import InputError
from impbench.results.record import Cost, Job, Record, SchemaError

RECORD = Record(
    key="k" * 20,
    job=Job("sim\ud800", "clustering", "magic", {"t": 5, "range": [1, 2.5], "off": None}, 1),
    status="ok",
    metrics=("ari", "nmi"),
    scores={"ari": 0.1 + 0.2, "nmi": 1.0},
    cost=Cost(2.0, 2.5, 2**20),
    info={"losses": [3, 2.0, None], "deep": {"a": {"b": [True]}}},
    versions={"numpy": "2"},
    notes=("odd",),
    intervals={"ari": (0.25, 0.5)},
)


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(RECORD.to_json()), **fields}).encode()


def test_what_was_written_is_read_bit_for_bit_half_characters_included() -> None:
    assert Record.from_json(RECORD.to_json()) == RECORD


def test_scores_that_are_no_numbers_are_nan_and_null_in_the_file() -> None:
    odd = {"nan": math.nan, "infinite": -math.inf, "huge": 1e101, "tiny": -1e-101, "whole": 3}
    record = Record("k", RECORD.job, "ok", scores=odd, intervals={"nan": (math.nan, 1.0)})
    assert json.loads(record.to_json())["scores"]["infinite"] is None
    read = Record.from_json(record.to_json())
    assert [math.isnan(read.scores[name]) for name in odd] == [True, True, True, False, False]
    assert (read.scores["tiny"], read.scores["whole"]) == (0.0, 3.0)
    assert all(isinstance(score, float) for score in read.scores.values())
    assert math.isnan(read.intervals["nan"][0])


def test_unknown_fields_are_passed_over_and_absent_ones_have_defaults() -> None:
    job = {"dataset": "d", "protocol": "p", "imputer": "i", "params": {}, "seed": 1, "new": 2}
    data = json.dumps({"key": "k", "job": job, "status": "timeout", "schema": 1, "new": {}})
    assert Record.from_json(data) == Record("k", Job("d", "p", "i", {}, 1), "timeout")


@pytest.mark.parametrize("fields", [{}, {"job": "another shape", "scores": [1]}])
def test_another_schema_is_told_from_damage_whatever_its_fields_are(fields: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match=r"^r\.json .*\(schema 2, this one reads 1\).*--fresh"):
        Record.from_json(changed(schema=2, **fields), "r.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        RECORD.to_json().encode()[:-30],
        changed(status="fine"),
        changed(scores={"ari": "0.5"}),
        changed(job={"dataset": "d"}),
        changed(job={**vars(RECORD.job), "seed": 2**63}),
        changed(intervals={"ari": [0.25]}),
    ],
)
def test_damage_is_an_input_error_that_names_the_file(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^r\.json is not an impbench record") as caught:
        Record.from_json(data, "r.json")
    assert not isinstance(caught.value, SchemaError)
