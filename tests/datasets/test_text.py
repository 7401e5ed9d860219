"""Tables of counts as R, pandas, spreadsheets and vendors write them: names stay text."""

import bz2
import gzip
import lzma

import numpy as np
import pandas as pd
import pytest

from impbench.data.formats import open_noted
from impbench.data.read import read_counts_file
from impbench.errors import InputError

CELLS = ["1.1", "1.10", "001", "1", "NA", "nan"]
GENES = ["nan", "NA", "None", "null", "Actb"]
COUNTS = np.random.default_rng(0).poisson(4.0, (6, 5))


def table():
    return pd.DataFrame(COUNTS, index=CELLS, columns=GENES)


def check(path, **options):
    dataset = read_counts_file(path, **options)
    np.testing.assert_array_equal(dataset.counts, COUNTS)
    assert dataset.cell_names == tuple(CELLS)
    assert dataset.gene_names == tuple(GENES)
    return dataset


@pytest.mark.parametrize("separator", [",", "\t", ";", " "])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt"])
def test_names_are_text_whatever_separates_them(tmp_path, separator, ending):
    table().to_csv(tmp_path / f"my{ending}", sep=separator)
    check(tmp_path / f"my{ending}")


@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("separator", [",", "\t", ";", " "])
def test_header_may_lack_its_first_field_as_r_writes_it(tmp_path, separator, quoted):
    quote = '"' if quoted else ""
    lines = [separator.join(f"{quote}{gene}{quote}" for gene in GENES)]
    for cell, row in zip(CELLS, COUNTS, strict=True):
        lines.append(separator.join([f"{quote}{cell}{quote}", *map(str, row)]))
    (tmp_path / "my.txt").write_text("\n".join(lines))
    check(tmp_path / "my.txt")


def test_separator_at_the_end_of_every_line_adds_no_gene(tmp_path):
    lines = table().to_csv().splitlines()
    (tmp_path / "my.csv").write_text("".join(f"{line},\n" for line in lines))
    check(tmp_path / "my.csv")


@pytest.mark.parametrize("separator", ["\t", ";", " "])
def test_decimal_commas_are_read_and_said(tmp_path, separator):
    (table() + 0.5).to_csv(tmp_path / "my.csv", sep=separator, decimal=",")
    dataset = read_counts_file(tmp_path / "my.csv", scale="counts")
    np.testing.assert_array_equal(dataset.counts, COUNTS + 0.5)
    assert "decimal commas" in dataset.steps[0]


def test_commas_that_may_be_thousands_are_refused(tmp_path):
    (tmp_path / "my.tsv").write_text("\tG1\tG2\na\t1,204\t3\nb\t2\t4\n")
    with pytest.raises(InputError, match=r"'1,204', whose comma may set off thousands"):
        read_counts_file(tmp_path / "my.tsv")


@pytest.mark.parametrize("comment", ["##", "# ", '"#', "%", "!"])
def test_comment_before_the_table_is_passed_over_and_said(tmp_path, comment):
    lines = [f"{comment} Pipeline 1.9, run 3", f"{comment} {'=' * 20}", table().to_csv()]
    (tmp_path / "my.csv").write_text("\n".join(lines))
    assert "2 lines of comment" in check(tmp_path / "my.csv").steps[0]


def test_header_that_begins_like_a_comment_is_no_comment(tmp_path):
    (tmp_path / "my.tsv").write_text("#" + table().to_csv(sep="\t"))
    check(tmp_path / "my.tsv")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"]
)
def test_any_encoding_is_read(tmp_path, encoding):
    text = table().rename(columns={"Actb": "β-Actin".replace("β", "ß")}).to_csv()
    (tmp_path / "my.csv").write_bytes(text.encode(encoding))
    dataset = read_counts_file(tmp_path / "my.csv")
    np.testing.assert_array_equal(dataset.counts, COUNTS)
    assert dataset.gene_names == (*GENES[:4], "ß-Actin")
    assert ("Latin-1" in dataset.steps[0]) == (encoding == "latin-1")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["my.csv", "my.csv.gz", "my.tsv.xz"])
def test_compression_is_found_in_the_bytes(tmp_path, pack, name):
    (tmp_path / name).write_bytes(pack(table().to_csv().encode()))
    check(tmp_path / name)


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_counts_file(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_cut_compression_is_called_damaged(tmp_path, pack):
    packed = pack(table().to_csv().encode())
    (tmp_path / "my.csv.gz").write_bytes(packed[: len(packed) // 2])
    assert "truncated or damaged" in refusal(tmp_path / "my.csv.gz")


def test_ragged_table_is_not_called_damaged(tmp_path):
    rows = ["cell,G1,G2", *(f"c{i},1,2" for i in range(60)), "last,1,2,3"]
    (tmp_path / "my.csv").write_text("\n".join(rows))
    message = refusal(tmp_path / "my.csv")
    assert "line 62" in message
    assert "damaged" not in message
    (tmp_path / "my.csv").write_text("cell,G1,G2\na,1,2\nb,1,2,3\n")
    message = refusal(tmp_path / "my.csv")
    assert "line 2 has 3 fields and line 3 has 4" in message
    assert "damaged" not in message


def test_spreadsheet_is_called_one(tmp_path):
    (tmp_path / "my.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    assert "save the sheet as csv" in refusal(tmp_path / "my.csv")


def test_counts_are_not_taken_for_names(tmp_path):
    table().to_csv(tmp_path / "my.csv", index=False)
    assert "no cell names" in refusal(tmp_path / "my.csv")
    table().to_csv(tmp_path / "my.csv", header=False)
    assert "no gene names" in refusal(tmp_path / "my.csv")


def test_numbers_given_for_lost_names_are_said(tmp_path):
    pd.DataFrame(COUNTS).to_csv(tmp_path / "my.csv")
    _, notes = open_noted(tmp_path / "my.csv")
    assert [note.split("names no ")[1].split(";")[0] for note in notes] == ["cells", "genes"]
