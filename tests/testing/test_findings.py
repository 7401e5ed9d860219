"""What `impbench plugin test` prints: every word, within the width of the terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from impbench import Context, Imputed, Imputer, Observed
from impbench.commands_plugin import print_findings
from impbench.testing import check_imputer


@dataclass(frozen=True)
class Falls(Imputer):
    name = "falls"
    summary = "Raises an error of several lines"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        raise ValueError("first line of it\nsecond [line] of it, " + "which is rather long " * 5)


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_findings_wrap_at_the_width_of_the_terminal_and_lose_no_word(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    results = check_imputer(Falls, on_fail="collect")
    print_findings(results)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= columns
    told = re.sub(r"\s+", " ", printed)
    failed = [result for result in results if result.verdict == "failed"]
    assert [result.check.name for result in failed] == ["citation-is-given", "returns-imputed"]
    for result in failed:
        for text in (result.message, result.check.reason, result.check.remedy):
            assert re.sub(r"\s+", " ", text).strip() in told
    assert len(re.findall("not examined", told)) == 1
    assert "2 failed" in told
