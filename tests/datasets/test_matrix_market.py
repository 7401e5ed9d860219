"""A matrix.mtx that claims what is not there is refused before room is made for it."""

import pytest

from impbench.data.read import read_counts_file
from impbench.errors import InputError

HEAD = "%%MatrixMarket matrix coordinate integer general"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEAD}\n2 1000000000 1\n1 1 3\n", "genes.tsv names 2 genes and barcodes.tsv 2 cells"),
        (f"{HEAD}\n2 2 1000000000\n1 1 3\n", "claims 1000000000 values"),
        (f"{HEAD}\n2 2\n1 1 3\n", "expected three"),
        (f"{HEAD}\n-1 2 1\n1 1 3\n", "expected three"),
        # Compiled readers have crashed on these.
        ("%%MatrixMarket matrix array real general\n2 2 1\n1 1 3\n", "begins with"),
        ("", "is empty"),
    ],
)
def test_false_claim_is_refused(tmp_path, text, message):
    (tmp_path / "barcodes.tsv").write_text("a\nb\n")
    (tmp_path / "genes.tsv").write_text("E1\tG1\nE2\tG2\n")
    (tmp_path / "matrix.mtx").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_counts_file(tmp_path / "matrix.mtx")
    assert str(tmp_path / "matrix.mtx") in str(caught.value)


def test_folder_without_barcodes_says_so(tmp_path):
    (tmp_path / "matrix.mtx").write_text(f"{HEAD}\n1 1 1\n1 1 3\n")
    (tmp_path / "genes.tsv").write_text("E1\tG1\n")
    with pytest.raises(InputError, match=r"lacks barcodes\.tsv"):
        read_counts_file(tmp_path)
