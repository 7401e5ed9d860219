"""A class name of the plugins has one meaning; `lint-imports` holds that methods stand alone."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def classes(folder):
    return [
        node.name
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]


def test_a_class_name_of_the_plugins_has_one_meaning_in_the_whole_tree():
    ours = classes("plugins")
    assert "MaskClassBest" in ours
    assert [name for name, times in Counter(ours).items() if times > 1] == []
    assert set(ours) & set(classes("impbench")) == set()
