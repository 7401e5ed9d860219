#!/usr/bin/env bash
# rdata 1.1.0 stops at an R function compiled to byte code that holds another function as a constant,
# and at a raw vector.
#
# One would expect: parse_file reads any file of saveRDS; its parser has a branch for byte code.
# What happens: "ValueError: 1026 is not a valid RObjectType", and "NotImplementedError: ... RAW".
# Version: rdata 1.1.0. Where: rdata/parser/_parser.py, Parser.parse_R_object. A constant of byte code
#   that is no list, call or code is written as outside of byte code (R's ReadBCConsts), but for a
#   closure the function goes on to read a type before its parts, which is not there. RAW (type 24)
#   has a name in RObjectType and no branch.
# Why it matters here: a SingleCellExperiment in the layout of before 2019 keeps its assays in an
#   environment that drags along its class with compiled methods; one made so by R 4.2 was not read.
#   impbench/data/r_files/parser.py reads both kinds before rdata sees them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet rdata==1.1.0 numpy==2.4.6 pandas==2.3.3 xarray==2026.9.0
cd "$work"
"$work/venv/bin/python" - <<'PY'
import base64
import sys

import rdata

# By R 4.2: saveRDS(compiler::cmpfun(eval(bquote(function() { g <- .(function(y) y + 1); g(2) }))))
FUNCTION = "H4sIAAAAAAAAA42SvQrCMBDHr0laUbR0UXcHF/ENBF19A1fRIoJUMUvFxUcW6iY2XtILXKCCgV8+7vNPkk0PAAQoIUBI3Co7fZAaGSL2PCD6SIZEyMjlYQIypv0EiZEp2W1cB0moHjibgq5d75RkHS9ytgWKxZxFBiUOocNrV4IH3XB6U1DCHbMmWxmqklrj8gl+1GzlQqNQqDQQynN1VhAMXkuGSl1/JjA2f+iKqG9Ftop0pS398eWke8GHv74GyVC/CW4z3p22WoP/Bo0xy8vLNdf6eC70utjnpRX5BdT0SipZAgAA"
# By R 4.2: saveRDS(as.raw(1:3), version = 2)
RAW = "H4sIAAAAAAAAA4vgYmBgYGJgYWJiYGIGMhkkgJiZkYkZACyxgPQZAAAA"

print("rdata", rdata.__version__)
seen = []
for name, content in (("function", FUNCTION), ("raw vector", RAW)):
    with open("file.rds", "wb") as file:
        file.write(base64.b64decode(content))
    try:
        seen.append(f"read as {rdata.parser.parse_file('file.rds').object.info.type}")
    except Exception as error:
        seen.append(f"{type(error).__name__}: {error}")
    print(f"{name}: {seen[-1]}")
sys.exit(
    seen
    != [
        "ValueError: 1026 is not a valid RObjectType",
        "NotImplementedError: Type RObjectType.RAW not implemented",
    ]
)
PY
