#!/usr/bin/env bash
# rdata 1.1.0 returns R's whole numbers of 64 bits (package bit64) as fractions near 1e-320.
#
# One would expect: 0, 5, 1000 and NA, or an error that says they are not read.
# What happens: [0.0, 2.5e-323, 4.9e-321, -0.0] as float64: the bytes of the numbers, taken for doubles; NA
#   becomes a zero. The only sign is the warning that any class without a constructor gets ("the underlying R
#   object is returned instead"), which for most classes means that values are right and a label is lost.
# Version: rdata 1.1.0. Where: rdata/conversion/_conversion.py, SimpleConverter._convert_next: a REAL
#   vector becomes an array before its class is looked at, and DEFAULT_CLASS_MAP knows no integer64.
# Why it matters here: data.table's fread reads columns of large counts as integer64; a table of such counts,
#   saved by R, has sums near 0 and passes every check of sign and finiteness.
#   impbench/data/r_files/objects.py reads their bytes as whole numbers.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet rdata==1.1.0 numpy==2.4.6 pandas==2.3.3 xarray==2026.9.0
cd "$work"
"$work/venv/bin/python" - <<'PY'
import base64
import sys
import warnings

import numpy as np
import rdata

# By R 4.2 and bit64 4.0.5: saveRDS(bit64::as.integer64(c(0, 5, 1000, NA)), version = 3)
NUMBERS = "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC2AYnxADgsDKmCFUMwvGuBCLExAghGokhMkn5yTWFwMZAggCXJm5pWkpqcWmZkAOf8AmqXg23EAAAA="

with open("numbers.rds", "wb") as file:
    file.write(base64.b64decode(NUMBERS))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    read = rdata.read_rds("numbers.rds")
print("rdata", rdata.__version__)
print("saved: [0, 5, 1000, NA] of class integer64")
print("read: ", read, read.dtype)
print("said: ", *(str(item.message) for item in said))
print("the same bytes as whole numbers:", read.view(np.int64))
sys.exit(
    not (
        read.dtype == np.float64
        and np.abs(read).max() < 1e-300
        and read.view(np.int64).tolist() == [0, 5, 1000, -(2**63)]
        and len(said) == 1
        and "integer64" in str(said[0].message)
    )
)
PY
