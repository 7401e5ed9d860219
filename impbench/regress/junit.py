"""Write a check as JUnit XML: one test case per score, as CI servers display them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from xml.etree.ElementTree import Element, SubElement

from impbench.regress.present import describe, runtime_lines
from impbench.regress.verdict import MEANING, BuildCheck, ScoreChange
from impbench.report.text import plain

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
    return _text(suite)


def junit_error(message: str) -> str:
    """Return a suite of one test that could not be made, so that no earlier file speaks for it."""
    suite = Element("testsuite", name="impbench")
    case = SubElement(suite, "testcase", classname="impbench", name="comparable")
    SubElement(case, "error", message=plain(message), type="undecided")
    return _text(suite)


def _message(check: BuildCheck, finding: ScoreChange) -> str:
    row = describe(check, finding)
    numbers = f"{row.base} → {row.new}, {row.change}" if row.change else ""
    return "; ".join(filter(None, [MEANING[finding.status], numbers, row.why]))


def _text(suite: Element) -> str:
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    root = Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"
