"""Make the tidy table of a run: one row per job and metric."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from impbench.results.record import Record

COLUMNS = [
    "dataset",
    "protocol",
    "imputer",
    "params",
    "seed",
    "metric",
    "value",
    "status",
    "reason",
    "key",
]


def storable(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return the texts as a file can hold them: half a character, as in the name of a file, not."""
    texts = {text: text.encode("utf-8", "backslashreplace").decode() for text in column.unique()}
    return column.map(texts)


def tidy(records: Iterable[Record]) -> pd.DataFrame:
    """One row per (job, metric), columns `COLUMNS`; a failed job has NaN for each metric."""
    rows = []
    for record in records:
        job = record.job
        params = json.dumps(job.params, sort_keys=True)
        asked = (job.dataset, job.protocol, job.imputer, params, job.seed)
        ended = (record.status, record.reason, record.key)
        scores = record.scores or dict.fromkeys(record.metrics, float("nan"))
        rows += [(*asked, metric, value, *ended) for metric, value in scores.items()]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": float})
