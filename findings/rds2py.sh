#!/usr/bin/env bash
# rds2py 0.10.6 reads no file of R's serialization version 2, the default of saveRDS until R 3.6 (April
# 2019) and still on request.
#
# One would expect: parse_rds reads what saveRDS wrote.
# What happens: "failed to read the encoding string ... no more bytes to read": it looks for the
#   encoding that only version 3 has; the same vector saved as version 3 is read.
# Version: rds2py 0.10.6. Where: rds2py/rdsutils.py, parse_rds, and rds2py/PyRdsReader.py, over the C++
#   library rds2cpp, which reads the encoding of the preamble whatever the version.
# Why it matters here: what was saved before April 2019 without a word about versions is of version 2, also
#   a SingleCellExperiment. impbench reads R's files through rdata.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet rds2py==0.10.6 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cd "$work"
"$work/venv/bin/python" - <<'PY'
import base64
import sys
from importlib.metadata import version

from rds2py import parse_rds

# By R 4.2: saveRDS(c(a = 1.5, b = 2), version = 2) and version = 3
FILES = {
    2: "H4sIAAAAAAAAA4vgYmBgYGJgYWJiYGIGMflAhP0PBjBwYIABFiYgwcjAwsAJpFnzEnNTi4EMAYhmsCBjIoyRBCT+AQAgxC4XWQAAAA==",
    3: "H4sIAAAAAAAAA4vgYmBgYGZgYWJiYGYFMhlYQ0PcdC0YGJj4gBwm+x8MYODAAAMsTECCkYGFgROkOC8xN7UYyBAAKYYKMibCGElA4h8AgzjqHmIAAAA=",
}

print("rds2py", version("rds2py"))
seen = {}
for number, content in FILES.items():
    with open("file.rds", "wb") as file:
        file.write(base64.b64decode(content))
    try:
        seen[number] = str(list(parse_rds("file.rds")["data"]))
    except Exception as error:
        seen[number] = str(error)
    print(f"version {number}: {seen[number]}")
sys.exit(not ("encoding" in seen[2] and "1.5" in seen[3]))
PY
