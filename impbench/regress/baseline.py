"""The baseline file: scores to hold later runs against, as JSON that people can read and diff.

One line per score, sorted, without times or machine names: the same run always gives the same
bytes, and a diff shows which scores moved. A digest tells a file that was edited by hand.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

from impbench.errors import InputError
from impbench.regress.measured import ComparedMetric, Entry, Measured, Runtime, Sample
from impbench.results.record import LARGEST
from impbench.shape import check_shape
from impbench.write_atomically import write_atomically

FORMAT = 2
"""Raised when the file's fields change meaning."""


def write_baseline(measured: Measured, path: Path) -> None:
    """Store what a run measured; `path` is written whole or not at all.

    Raises
    ------
    InputError
        If no score is defined for two seeds, or the file cannot be written.
    """
    if all(sample.n < 2 for sample in measured.scores.values()):
        raise InputError("no score has two seeds with a value: there is nothing to compare with")
    write_atomically(path, to_json(measured).encode("utf-8", _HALVES))


def read_baseline(path: Path) -> Measured:
    """Read what `write_baseline` wrote.

    Raises
    ------
    InputError
        If the file is missing, is not such a file, or was changed by anything but impbench.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(
            f"baseline {path} cannot be read: {reason}; "
            f"write one with `impbench baseline create RUN -o {path}`"
        ) from error
    return from_json(text, str(path))


def to_json(measured: Measured) -> str:
    """Return the file's text."""
    content = _content(measured)
    lines = ",\n".join(_lines({**content, "digest": _digest(content)}, depth=_DEPTH))
    return "{\n" + lines + "\n}\n"


def from_json(text: str, origin: str = "baseline") -> Measured:
    """Read the file's text; errors as `read_baseline`, naming `origin`."""
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin} is not valid JSON: {error}; {_REMEDY}") from error
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise InputError(f"{origin} is not an impbench baseline; {_REMEDY}")
    if data["format"] != FORMAT:
        raise InputError(
            f"{origin} has format {data['format']}, this impbench reads format {FORMAT}; {_REMEDY}"
        )
    if data.pop("digest", None) != _digest(data):
        raise InputError(
            f"{origin} was changed after impbench wrote it (its digest does not fit its content); "
            f"numbers that nobody measured are not compared with: {_REMEDY}"
        )
    try:
        check_shape(data, _File, origin)
        return _measured(data)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise InputError(f"{origin} is not as impbench writes it: {reason}; {_REMEDY}") from error


_REMEDY = "write it again with `impbench baseline create RUN`"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a score")


def _content(measured: Measured) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    for entry, sample in measured.scores.items():
        imputers = scores.setdefault(entry.dataset, {}).setdefault(entry.protocol, {})
        imputers.setdefault(entry.imputer, {})[entry.metric] = _sample(sample)
    runtimes: dict[str, Any] = {}
    for (dataset, imputer), runtime in measured.runtimes.items():
        seconds = {str(seed): value for seed, value in runtime.seconds.items()}
        stored = {**dataclasses.asdict(runtime), "seconds": seconds}
        runtimes.setdefault(dataset, {})[imputer] = stored
    return {
        "format": FORMAT,
        "impbench": measured.impbench,
        "scoring": measured.scoring,
        "suite": measured.suite,
        "datasets": dict(measured.datasets),
        "imputers": dict(measured.imputers),
        "metrics": {name: dataclasses.asdict(facts) for name, facts in measured.metrics.items()},
        "scores": scores,
        "runtimes": runtimes,
    }


def _sample(sample: Sample) -> dict[str, Any]:
    summary = {"n": sample.n, "mean": sample.mean, "sd": sample.sd}
    stored: dict[str, Any] = {
        name: None if math.isnan(value) else value for name, value in summary.items()
    }
    stored["values"] = {str(seed): value for seed, value in sample.values.items()}
    if sample.leads:
        stored["leads"] = True
    if sample.lost:
        stored["lost"] = {str(seed): status for seed, status in sample.lost.items()}
    return stored


class _Sample(TypedDict):
    values: dict[str, float]
    lost: dict[str, str]
    leads: bool


class _Runtime(TypedDict):
    seconds: dict[str, float]
    device: str
    threads: int
    is_control: bool


class _File(TypedDict):
    scoring: str
    suite: str
    impbench: str
    datasets: dict[str, str]
    imputers: dict[str, str]
    metrics: dict[str, ComparedMetric]
    scores: dict[str, dict[str, dict[str, dict[str, _Sample]]]]
    runtimes: dict[str, dict[str, _Runtime]]


_DEPTH = {"scores": 4, "runtimes": 2, "metrics": 1, "datasets": 1, "imputers": 1}
"""How many levels of a part are unfolded; what lies deeper stands on one line."""


def _lines(data: dict[str, Any], depth: dict[str, int], level: int = 1) -> Iterator[str]:
    """Write each member, sorted below the top level, members of members indented."""
    pad = " " * level
    for key in data if level == 1 else sorted(data):
        value, name = data[key], json.dumps(key, ensure_ascii=False)
        deeper = depth.get(key, 0) if level == 1 else depth[""] - 1
        if isinstance(value, dict) and value and deeper > 0:
            inside = ",\n".join(_lines(value, {"": deeper}, level + 1))
            yield f"{pad}{name}: {{\n{inside}\n{pad}}}"
        else:
            yield f"{pad}{name}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"


_HALVES = "backslashreplace"
"""Half a character, as in the name of a file that is no text, becomes JSON's own escape."""


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', _HALVES)).hexdigest()}"


def _score(value: float) -> float:
    if not abs(value) <= LARGEST:
        raise ValueError(f"{value} is no score")
    return float(value)


def _seconds(stored: dict[str, float]) -> dict[int, float]:
    seconds = {int(seed): float(value) for seed, value in stored.items()}
    if not seconds or not all(0 <= value <= LARGEST for value in seconds.values()):
        raise ValueError("a runtime has no seconds, or they are no times")
    return seconds


def _measured(data: dict[str, Any]) -> Measured:
    scores = {
        Entry(dataset, protocol, imputer, metric): Sample(
            {int(seed): _score(value) for seed, value in stored["values"].items()},
            {int(seed): str(status) for seed, status in stored.get("lost", {}).items()},
            stored.get("leads", False),
        )
        for dataset, protocols in data["scores"].items()
        for protocol, imputers in protocols.items()
        for imputer, metrics in imputers.items()
        for metric, stored in metrics.items()
    }
    runtimes = {
        (dataset, imputer): Runtime(
            **{
                **stored,
                "seconds": _seconds(stored["seconds"]),
            }
        )
        for dataset, imputers in data["runtimes"].items()
        for imputer, stored in imputers.items()
    }
    return Measured(
        scoring=data["scoring"],
        suite=data["suite"],
        impbench=data["impbench"],
        datasets=data["datasets"],
        imputers=data["imputers"],
        metrics={name: ComparedMetric(**facts) for name, facts in data["metrics"].items()},
        scores=dict(sorted(scores.items())),
        runtimes=dict(sorted(runtimes.items())),
    )
