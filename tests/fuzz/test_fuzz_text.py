"""Tables and Matrix Market files of any content: refused in words, or read as they should be."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import HUGE, NAMES, read
from strangers import EXAMPLES, fuzz, outcome

GOOD = [["cell", "G1", "G2"], ["a", "1", "2"], ["b", "3", "4"]]
FIELDS = st.sampled_from(
    [*NAMES, "1", "0", "-1", "1.5", "1e400", "inf", "9" * 400, '"', '"open', "0x10", "TRUE", "1,5"]
)


@pytest.fixture(scope="module", autouse=True)
def ready(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let libraries load before anyone watches."""
    folder = tmp_path_factory.mktemp("ready")
    matrix = "%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 3\n2 2 1"
    for form, content in ((".csv", GOOD), (".csv.gz", GOOD), ("mtx", matrix)):
        assert read(write_text(folder, form, content)).n_cells == 2


def test_tables_and_matrix_market_of_any_content(tmp_path: Path) -> None:
    seen = []
    cells = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), FIELDS), max_size=3)
    ragged = st.lists(st.lists(FIELDS, max_size=4), max_size=5)
    tables = cells.map(lambda edits: edited(GOOD, edits)) | ragged
    headers = st.sampled_from(
        [
            *("2 2 1", f"{HUGE} {HUGE} 1", f"2 2 {HUGE}", "-1 2 1", "2 2", "a b c", "", "3 2 1"),
            *(f"2 {10**9} 1", "0 0 0", "2 2 1 1", "9" * 30 + " 2 1"),
        ]
    )
    entries = st.sampled_from(["1 1 3", "3 1 1", "0 0 1", "-1 1 1", "1 1 nan", "1 1", "1 1 x", ""])
    kinds = st.sampled_from(
        [
            "%%MatrixMarket matrix coordinate integer general",
            "%%MatrixMarket matrix coordinate real symmetric",
            "%%MatrixMarket matrix coordinate pattern general",
            "%%MatrixMarket matrix array real general",
            "%%MatrixMarket nonsense",
            "",
        ]
    )
    matrices = st.tuples(kinds, headers, entries).map("\n".join)
    forms = st.sampled_from([".csv", ".tsv", ".txt", ".csv.gz", ".csv.cut", "utf16"])

    @fuzz("text")
    @given(st.one_of(st.tuples(forms, tables), st.tuples(st.sampled_from(["mtx"]), matrices)))
    def check(drawn: tuple[str, Any]) -> None:
        seen.append(drawn)
        form, content = drawn
        folder = tmp_path / "strange"
        folder.mkdir(exist_ok=True)
        path = write_text(folder, form, content)
        outcome(lambda: read(path), tmp_path, "strange")

    check()
    assert len(seen) >= EXAMPLES["text"]


def edited(table: list[list[str]], edits: list[tuple[int, int, str]]) -> list[list[str]]:
    rows = [list(row) for row in table]
    for row, column, text in edits:
        rows[row][column] = text
    return rows


def write_text(folder: Path, form: str, content: Any) -> Path:
    if form == "mtx":
        (folder / "barcodes.tsv").write_text("a\nb\n")
        (folder / "genes.tsv").write_text("E1\tG1\nE2\tG2\n")
        path = folder / "matrix.mtx"
        path.write_text(content)
        return path
    separator = "," if "csv" in form else "\t"
    text = "\n".join(separator.join(row) for row in content)
    if form == "utf16":
        path = folder / "strange.csv"
        path.write_bytes(text.encode("utf-16"))
    elif form in (".csv.gz", ".csv.cut"):
        path = folder / "strange.csv.gz"
        packed = gzip.compress(text.encode())
        path.write_bytes(packed if form == ".csv.gz" else packed[: len(packed) // 2])
    else:
        path = folder / f"strange{form}"
        path.write_text(text)
    return path
