"""Print a check for people (terminal, Markdown) and programs (JSON, JUnit XML)."""

from __future__ import annotations

import io
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from rich.console import Console

from impbench.escape_text import escape
from impbench.regress.measured import Sample
from impbench.regress.present import (
    URGENT,
    VERDICTS,
    CheckRow,
    accept,
    accept_sentence,
    describe,
    largest_passing_mean,
    notes,
    rows,
    runtime_lines,
    summary,
    test_sentence,
)
from impbench.regress.verdict import MEANING, BuildCheck, ScoreChange, Status
from impbench.report.text import plain

_COLOURS = {0: "green", 1: "red", 2: "yellow"}


def print_check(check: BuildCheck, run: str, baseline: str, out: Console | None = None) -> None:
    """Print what changed, why, and what to do."""
    out = out or Console(highlight=False)
    code = check.exit_code
    verdict = f"[bold {_COLOURS[code]}]{VERDICTS[code]}[/]"
    out.print(f"{verdict}  {escape(summary(check))}", soft_wrap=True)
    _print_rows(out, rows(check))
    _print_rest(out, check)
    command = accept(check, run, baseline)
    if command:
        out.print(f"{accept_sentence(check)}:\n  {escape(command)}", soft_wrap=True)


def terminal_text(check: BuildCheck, run: str, baseline: str) -> str:
    """Return what `print_check` prints, without colours."""
    text = io.StringIO()
    print_check(check, run, baseline, Console(highlight=False, file=text, color_system=None))
    return text.getvalue()


def print_comparison(check: BuildCheck, first: str, second: str) -> None:
    """Print two runs side by side: every score, with the verdict of the same test."""
    out = Console(highlight=False)
    out.print(f"A = {escape(first)}, B = {escape(second)}", soft_wrap=True)
    out.print(escape(summary(check)))
    _print_rows(out, rows(check, MEANING), ("A", "B"))
    _print_rest(out, check)


def _print_rows(
    out: Console, found: Iterable[CheckRow], names: tuple[str, str] = ("baseline", "run")
) -> None:
    status: Status | None = None
    for row in found:
        if row.status != status:
            status = row.status
            colour = "red" if status in URGENT else "default"
            out.print(f"\n[bold {colour}]{status}[/]: {escape(MEANING[status])}")
        head = f"  {row.imputer}  {row.metric}  [{row.dataset}, {row.protocol}]"
        out.print(escape(head), soft_wrap=True)
        if row.base:
            arrow = f"{names[0]} {row.base} → {names[1]} {row.new}  {row.change}"
            out.print(f"    {escape(arrow)}", soft_wrap=True)
        if row.why:
            out.print(f"    [dim]{escape(row.why)}[/]", soft_wrap=True)


def _print_rest(out: Console, check: BuildCheck) -> None:
    out.print()
    colour = "red" if check.rules.fail_on_runtime else "yellow"
    for line in runtime_lines(check):
        out.print(f"[{colour}]{escape(line)}[/]", soft_wrap=True)
    for line in (*notes(check), test_sentence(check)):
        out.print(f"[dim]{escape(line)}[/]", soft_wrap=True)


def markdown(check: BuildCheck, run: str, baseline: str) -> str:
    """Return the check as GitHub-flavoured Markdown, such as a step summary."""
    verdict = VERDICTS[check.exit_code]
    parts = [f"### impbench: {verdict}\n\n{_cell(summary(check))}\n"]
    found = list(rows(check))
    if found:
        heads = ("", "imputer", "metric", "dataset", "protocol", "baseline", "run", "change", "why")
        parts.append(f"\n| {' | '.join(heads)} |\n|{' --- |' * len(heads)}\n")
        parts += [_line(row) for row in found]
    parts += [f"\n{_cell(line)}\n" for line in runtime_lines(check)]
    parts += [f"\n{_cell(line)}\n" for line in (*notes(check), test_sentence(check))]
    command = accept(check, run, baseline)
    if command:
        fence = "```"
        parts.append(f"\n{accept_sentence(check)}:\n\n{fence}bash\n{command}\n{fence}\n")
    return "".join(parts)


def markdown_error(message: str) -> str:
    """Return what is shown where nothing could be compared."""
    return f"### impbench: {VERDICTS[2]}\n\n{_cell(message)}\n"


def _line(row: CheckRow) -> str:
    cells = (
        f"**{row.status}**" if row.status in URGENT else row.status,
        *map(_cell, (row.imputer, row.metric, row.dataset, row.protocol)),
        *map(_cell, (row.base, row.new, row.change, row.why)),
    )
    return f"| {' | '.join(cells)} |\n"


def _cell(text: str) -> str:
    """Keep a name from becoming Markdown, a link, HTML or a new column."""
    for char in "\\`*_[]<>|#~":
        text = text.replace(char, f"\\{char}")
    return text.replace("\n", " ").replace("@", "@\u200b")


def as_json(check: BuildCheck, run: str = "", baseline: str = "") -> dict[str, Any]:
    """Return everything, JSON-ready; what is not defined is null.

    The command that accepts the run is there where `run` and `baseline` name folder and file.
    """
    return {
        "exit_code": check.exit_code,
        "verdict": VERDICTS[check.exit_code],
        "suite": check.base.suite,
        "scoring": check.base.scoring,
        "alpha": check.rules.alpha,
        "tested": check.tested,
        "leading": check.leading,
        "counts": {status: len(check.having(status)) for status in MEANING},
        "findings": [_finding(check, finding) for finding in check.findings],
        "runtime": [
            {
                "dataset": pace.dataset,
                "imputer": pace.imputer,
                "control": check.rules.control,
                "baseline": pace.base,
                "run": pace.new,
                "slowdown": pace.slowdown,
                "p": pace.p_slower,
                "slower": pace.slower,
            }
            for pace in check.paces
        ],
        "notes": [*check.notes, *([check.runtime_note] if check.runtime_note else [])],
        "accept": accept(check, run, baseline) or None,
    }


def error_as_json(message: str) -> dict[str, Any]:
    """Return what `as_json` cannot: why nothing was compared."""
    return {"exit_code": 2, "verdict": VERDICTS[2], "error": message}


def _finding(check: BuildCheck, finding: ScoreChange) -> dict[str, Any]:
    evidence = finding.evidence
    return {
        **finding.entry._asdict(),
        "status": finding.status,
        "leads": finding.leads,
        "baseline": _sample(finding.base),
        "run": _sample(finding.new),
        "loss": None if evidence is None else evidence.loss,
        "floor": None if evidence is None else evidence.floor,
        "p_worse": None if evidence is None else finding.p_worse,
        "p_better": None if evidence is None else finding.p_better,
        "largest_passing_mean": _finite(largest_passing_mean(check, finding)),
        "reason": finding.reason,
    }


def _sample(sample: Sample | None) -> dict[str, Any] | None:
    if sample is None:
        return None
    return {
        "n": sample.n,
        "mean": _finite(sample.mean),
        "sd": _finite(sample.sd),
        "values": {str(seed): value for seed, value in sample.values.items()},
        "lost": {str(seed): status for seed, status in sample.lost.items()},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


_ELEMENTS = {
    "regression": "failure",
    "failed": "failure",
    "undecided": "error",
    "missing": "error",
    "new": "skipped",
    "still-failing": "skipped",
}
"""Every other status is a passed test."""


def junit(check: BuildCheck) -> str:
    """Return the check as one test suite; errors and failures add up to its exit code."""
    suite = Element("testsuite", name=f"impbench {plain(check.base.suite)}")
    for finding in check.findings:
        entry = finding.entry
        case = SubElement(
            suite,
            "testcase",
            classname=f"{plain(entry.dataset)}.{plain(entry.protocol)}.{plain(entry.imputer)}",
            name=plain(entry.metric),
        )
        kind = _ELEMENTS.get(finding.status)
        if finding.status == "missing" and check.rules.allow_missing:
            kind = "skipped"
        if kind:
            SubElement(case, kind, message=_message(check, finding), type=finding.status)
    case = SubElement(suite, "testcase", classname="runtime", name=plain(check.rules.control))
    lines = "\n".join(runtime_lines(check))
    if check.rules.fail_on_runtime and (check.slower or not check.paces):
        kind = "failure" if check.slower else "error"
        SubElement(case, kind, message=lines, type="runtime")
    elif lines:
        SubElement(case, "system-out").text = lines
    return _xml(suite)


def junit_error(message: str) -> str:
    """Return a suite of one test that could not be made, so that no earlier file speaks for it."""
    suite = Element("testsuite", name="impbench")
    case = SubElement(suite, "testcase", classname="impbench", name="comparable")
    SubElement(case, "error", message=plain(message), type="undecided")
    return _xml(suite)


def _message(check: BuildCheck, finding: ScoreChange) -> str:
    row = describe(check, finding)
    numbers = f"{row.base} → {row.new}, {row.change}" if row.change else ""
    return "; ".join(filter(None, [MEANING[finding.status], numbers, row.why]))


def _xml(suite: Element) -> str:
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    root = Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"
