"""A suite file is read whole, or its mistake is named with line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from impbench.errors import InputError
from impbench.plan.plan import make_plan
from impbench.plan.suite import read_suite
from impbench.registry import registry

GOOD = """\
title = "Two"
seeds = 3
imputers = ["magic[t=5]"]
timeout = 20

[[question]]
datasets = ["sim_equal[n_cells=50]"]
protocols = ["clustering"]

[[question]]
datasets = ["sim_rare[n_cells=50]", "sim_equal[n_cells=50]"]
protocols = ["simulated-truth"]
imputers = ["no-imputation"]
"""


def suite(folder: Path, text: str) -> Path:
    path = folder / "two.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_good_suite_is_read(tmp_path: Path) -> None:
    read = read_suite(suite(tmp_path, GOOD))
    assert (read.name, read.title, read.seeds, read.timeout) == ("two", "Two", 3, 20)
    assert read.questions[0].imputers == ()
    assert read.questions[1].imputers == ("no-imputation",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = 3", "seeds = 0", r"line 2: seeds is 0; expected a positive whole number"),
        ("seeds = 3", "seeds = true", r"line 2: seeds is true; expected a positive whole number"),
        ("seeds = 3", "sedes = 3", r"line 2: sedes is unknown; did you mean seeds"),
        ("timeout = 20", "timeout = '20'", r'line 4: timeout is "20"; expected a positive number'),
        ('title = "Two"', "title = 2", r"line 1: title is 2; expected text in quotes"),
        ('["magic[t=5]"]', "[5]", r"line 3: imputers\[0\] is 5; expected a name in quotes such as"),
        ('["magic[t=5]"]', '"magic"', r'line 3: imputers is "magic"; expected a list of names'),
        (
            '["clustering"]',
            "[]",
            r"line 8: question\[0\]\.protocols is an empty list; expected a list",
        ),
        ('["no-imputation"]', "true", r"line 13: question\[1\]\.imputers is true; expected a list"),
        ('["simulated-truth"]', "[\n'a',\n3]", r"line 14: question\[1\]\.protocols\[1\] is 3"),
        (
            'datasets = ["sim_rare',
            'dataset = ["sim_rare',
            r"line 11: question\[1\]\.dataset is unk",
        ),
        ('protocols = ["simulated-truth"]', "", r"line 10: question\[1\]\.protocols is missing"),
        (
            'protocols = ["clustering"]',
            'protocol = ["clustering"]',
            r"line 8: question\[0\]\.protocol is",
        ),
        ("seeds = 3", "seeds = = 3", r"not valid TOML: .*line 2"),
    ],
)
def test_mistake_is_named_with_line_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_suite(suite(tmp_path, GOOD.replace(old, new)))


def test_suite_without_questions_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="question is missing; expected at least one"):
        read_suite(suite(tmp_path, "title = 'none'"))


def test_missing_or_binary_suite_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_suite(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not valid TOML"):
        read_suite(tmp_path / "binary.toml")


def test_plan_crosses_questions_with_controls_beside(tmp_path: Path) -> None:
    plan = make_plan(read_suite(suite(tmp_path, GOOD)), registry())
    asked = {(item.source.name, item.protocol.name) for item in plan.asked}
    assert asked == {
        ("sim_equal", "clustering"),
        ("sim_rare", "simulated-truth"),
        ("sim_equal", "simulated-truth"),
    }
    for item in plan.asked:
        names = [imputer.name for imputer in item.imputers]
        assert {"no-imputation", "gene-mean", "nonzero-mean", "permuted"} <= set(names)
        assert len(names) == len(set(names))
    assert plan.asked[0].imputers[0].spec == "magic[t=5]"
    assert plan.seeds == (1, 2, 3)


@pytest.mark.parametrize("name", sorted(registry().suites))
def test_every_suite_of_ours_resolves(name: str) -> None:
    plan = make_plan(read_suite(registry().suite(name)), registry())
    assert plan.jobs()
