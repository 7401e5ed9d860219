"""Records in one file: as good as a file each, and never taken for empty where it is damaged."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from impbench.results.packed import PACKED, PackError, pack, unpack
from impbench.results.record import Cost, Job, Record
from impbench.results.store import Store

RECORD = Record(
    key="0" * 20,
    job=Job("sim_equal", "clustering", "magic[t=5]", {"t": 5}, 1),
    status="ok",
    log="half a character: \ud800, and a line\nbreak",
    metrics=("ari", "wall-seconds"),
    scores={"ari": 0.1 + 0.2, "wall-seconds": 2.0},
    cost=Cost(2.0, 2.0, 2**20),
    info={"steps": ["a"]},
    intervals={"ari": (0.25, 0.375)},
    notes=("odd",),
)
FAILED = dataclasses.replace(RECORD, key="1" * 20, status="failed", reason="why", scores={})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "run", ())
    store.write_packed([RECORD, FAILED])
    return store


def test_a_packed_record_is_what_its_own_file_would_hold(store: Store, tmp_path: Path) -> None:
    loose = Store.create(tmp_path / "loose")
    for record in (RECORD, FAILED):
        loose.write_record(record)
        assert store.record(record.key) == loose.record(record.key) == record
    texts = unpack(store.folder / PACKED)
    for key, text in texts.items():
        assert text == (loose.folder / "records" / f"{key}.json").read_bytes()
    assert store.record("2" * 20) is None


def test_it_opens_in_pandas_with_what_each_record_is_about(store: Store) -> None:
    table = pd.read_parquet(store.folder / PACKED)
    assert table.drop(columns="record").values.tolist() == [
        ["0" * 20, "sim_equal", "clustering", "magic[t=5]", 1, "ok"],
        ["1" * 20, "sim_equal", "clustering", "magic[t=5]", 1, "failed"],
    ]


def test_a_record_with_a_file_of_its_own_is_read_from_there(store: Store) -> None:
    newer = dataclasses.replace(FAILED, status="ok", reason="", scores={"ari": 1.0})
    (store.folder / "records").mkdir()
    store.write_record(newer)
    assert store.record(FAILED.key) == newer
    assert store.record(RECORD.key) == RECORD


def test_texts_that_no_file_can_hold_are_stored_readable(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "x", ())
    job = dataclasses.replace(RECORD.job, dataset="file[path=\udcff.h5ad]")
    odd = dataclasses.replace(RECORD, job=job)
    store.write_packed([odd])
    assert store.record(odd.key) == odd
    assert pd.read_parquet(store.folder / PACKED).dataset[0] == "file[path=\\udcff.h5ad]"


def parquet(**columns: object) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer, index=False)
    return buffer.getvalue()


GOOD = pack([RECORD, FAILED])
DAMAGED = {
    "empty": b"",
    "cut short": GOOD[: len(GOOD) // 2],
    "text": b"PAR1 no PAR1",
    "no records": parquet(key=["a"]),
    "numbers": parquet(key=[1], record=[2]),
    "nothing in it": parquet(key=["a", None], record=["{}", "{}"]),
    "bytes": parquet(key=["a"], record=[b"{}"]),
    "lists": parquet(key=["a"], record=[["{}"]]),
    "twice": parquet(key=["a", "a"], record=["{}", "{}"]),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_an_error_that_names_it(store: Store, kind: str) -> None:
    path = store.folder / PACKED
    path.write_bytes(DAMAGED[kind])
    for read in (store.record, lambda key: store.readable([key])):
        with pytest.raises(PackError, match=str(path)):
            read(RECORD.key)


def test_a_damaged_record_in_a_sound_file_is_named_and_left_out(store: Store) -> None:
    swapped = parquet(key=["0" * 20, "1" * 20], record=[FAILED.to_json(), "{"])
    (store.folder / PACKED).write_bytes(swapped)
    assert store.record("0" * 20) is store.record("1" * 20) is None
    records, reasons = store.readable(["0" * 20, "1" * 20])
    assert not records
    assert "holds the record of another job" in reasons[0]
    assert all(str(store.folder / PACKED) in reason for reason in reasons)


def test_any_changed_byte_gives_the_records_or_an_error(store: Store) -> None:
    path, rng = store.folder / PACKED, np.random.default_rng(1)
    outcomes = set()
    for _ in range(300):
        data = bytearray(GOOD)
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(data)
        try:
            read = Store(store.folder).readable([RECORD.key, FAILED.key])
        except PackError as error:
            outcomes.add("error" if str(path) in str(error) else "nameless")
        else:
            assert all(record in (RECORD, FAILED) for record in read[0].values())
            outcomes.add("read" if len(read[0]) == 2 else "in part")
    assert {"error", "read"} <= outcomes <= {"error", "read", "in part"}


def test_a_folder_without_such_a_file_loads_no_reader_of_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from impbench.results.store import Store;"
        f"assert Store(Path({str(tmp_path)!r})).record('k') is None;"
        "sys.exit('pyarrow.parquet' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
