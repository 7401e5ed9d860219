"""A method's folder is what a third party would write: it needs impbench and `shared`, no other."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"


def imported(path):
    """Absolute names of the modules that a file imports, whether at once, later or for types."""
    package = ("impbench_plugins", *path.relative_to(PLUGINS).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            yield from (".".join(filter(None, (*base, node.module, a.name))) for a in node.names)


def test_no_method_imports_from_the_folder_of_another():
    folders = {path.parent.name for path in PLUGINS.glob("*/__init__.py")}
    assert {"maskclass", "shared", "scimpute"} <= folders
    borrowed = []
    for path in PLUGINS.rglob("*.py"):
        own = path.relative_to(PLUGINS).parts[0]
        for name in imported(path):
            parts = name.split(".")
            allowed = {own} if own == "shared" else {own, "shared"}
            if parts[0] == "impbench_plugins" and parts[1] in folders - allowed:
                borrowed.append(f"{path.relative_to(ROOT)} imports {name}")
    assert borrowed == []


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
