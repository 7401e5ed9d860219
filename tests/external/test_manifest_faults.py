"""A manifest with a fault is refused; the message names the line and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from impbench.errors import InputError
from impbench.registry import load_file

MANIFEST = """
name = "awk-mean"
summary = "Draws every value towards its gene's mean, in awk"
citation = "unpublished"
command = ["bash", "run.sh", "{input}", "{output}", "{weight}"]
format = "csv"
scale = "lognorm"
input_scale = "lognorm"

[parameters.weight]
default = 0.5
help = "Share of the gene's mean."
min = 0
max = 1
"""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("summary =", "summry ="), r"line 3: summry is unknown; did you mean summary\?"),
        (
            ('name = "awk-mean"', 'name = "Awk Mean"'),
            r'line 2: name is "Awk Mean"; expected lower-case',
        ),
        (('name = "awk-mean"', "name = 3"), "line 2: name is 3; expected .* in quotes"),
        (
            ('scale = "lognorm"\ninput', 'scale = "log"\ninput'),
            r'line 7: scale is "log"; expected one of "counts", "lognorm"',
        ),
        (
            ('\nscale = "lognorm"', "\n"),
            r'toml: scale is missing; expected one of "counts", "lognorm"',
        ),
        (('"{output}", ', ""), r"line 5: command must hold \{output\}"),
        (("{weight}", "{wait}"), r"command holds \{wait\}, which is no parameter; there are input"),
        (
            ('"{weight}"', '"0.5"'),
            r"line 10: parameters\.weight is declared, but command lacks \{weight\}",
        ),
        (("command = [", "command = 3 # ["), "line 5: command is 3; expected a list of texts"),
        (("default = 0.5", ""), r"line 10: parameters\.weight\.default is missing; expected text"),
        (
            ("default = 0.5", "default = [1]"),
            r"line 11: parameters\.weight\.default is a list; expected text in quotes, a number",
        ),
        (
            ("help = ", "hlep = "),
            r"line 12: parameters\.weight\.hlep is unknown; did you mean help\?",
        ),
        (("min = 0", 'min = "0"'), r'line 13: parameters\.weight\.min is "0"; expected a number'),
        (
            ("min = 0", "choices = [1, 2]"),
            r"line 13: parameters\.weight\.choices must hold the default",
        ),
        (
            ("[parameters.weight]", "[parameters.seed]"),
            r"line 10: parameters\.seed must be called by a plain name",
        ),
        (
            ("format =", "stochastic = 1\nformat ="),
            "line 6: stochastic is 1; expected true or false",
        ),
        (("format =", "format ]"), "is not valid TOML: .*line 6"),
        (
            ("format =", 'gives = ["embedding"]\nformat ='),
            "line 8: scale is that of an expression",
        ),
        (
            ("format =", 'gives = ["embedding", "std"]\nformat ='),
            "line 6: gives does not fit: .*an embedding alone",
        ),
        (("format =", 'gives = "std"\nformat ='), 'line 6: gives is "std"; expected a list'),
    ],
)
def test_faulty_manifest_is_refused_with_the_key(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    path = tmp_path / "awk-mean.toml"
    assert change[0] in MANIFEST
    path.write_text(MANIFEST.replace(*change, 1))
    with pytest.raises(InputError, match=reason):
        load_file(path)
