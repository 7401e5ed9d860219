import importlib
import os
import subprocess
import sys
import textwrap

import pytest
from impbench_plugins.magic import Magic

from impbench import registry as registry_module
from impbench.errors import InputError, NotFoundError
from impbench.hooks import BrokenPlugin, brought_by
from impbench.lookup import find
from impbench.registry import load_file, registry

pytestmark = pytest.mark.slow

PLUGIN = """
from dataclasses import dataclass
import impbench

@dataclass(frozen=True)
class {cls}(impbench.Imputer):
    name = "{name}"
    summary = "Doubles what it sees"
    factor: float = impbench.parameter(2.0, "By how much.", min=0)

    def impute(self, observed, context):
        return impbench.Imputed(observed.lognorm * self.factor, "lognorm")

@impbench.hookimpl
def impbench_imputers():
    return [{cls}]
"""


@pytest.fixture
def fresh(monkeypatch):
    """A registry of this test's own, forgotten afterwards."""
    monkeypatch.setattr(registry_module, "_files", [])
    registry.cache_clear()
    yield
    registry.cache_clear()


def _write(path, text):
    path.write_text(textwrap.dedent(text))
    return path


def _install(folder, name, module, source):
    """Lay out an installed distribution with one entry point and one module."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    _write(info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    _write(info / "entry_points.txt", f"[impbench]\n{name} = {module}\n")
    if source is not None:
        _write(folder / f"{module}.py", source)


def _with_path(folder, code):
    """Run `code` in a process that finds what is installed in `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_first_party_methods_come_through_entry_points():
    known = registry()
    assert {"no-imputation", "gene-mean", "nonzero-mean", "permuted", "magic"} <= set(
        known.imputers
    )
    assert {"simulated-truth", "clustering"} <= set(known.protocols)
    assert {"mse", "ari", "wall-seconds"} <= set(known.metrics)
    assert known.broken == []
    assert registry() is known


def test_a_spec_builds_the_method_with_its_parameters():
    assert registry().imputer("magic[t=auto,knn=10]") == Magic(t="auto", knn=10)
    assert registry().protocol("clustering[n_init=3]").parameters()["n_init"] == 3
    assert registry().metric("mse").name == "mse"


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("magik", "magic"),
        ("MAGIC", "magic"),
        ("nonzero_mean", "nonzero-mean"),
        ("permute", "permuted"),
    ],
)
def test_unknown_name_gets_did_you_mean(asked, meant):
    with pytest.raises(NotFoundError, match=rf"called '{asked}'; did you mean {meant}"):
        registry().imputer(asked)


def test_a_name_near_nothing_gets_the_command_that_lists_them():
    with pytest.raises(NotFoundError, match="`impbench list metrics` shows what there is"):
        registry().metric("qqqqqq")


def test_unknown_name_mentions_plugins_that_failed_because_it_may_be_in_one():
    broken = [BrokenPlugin("mine", "ModuleNotFoundError: No module named 'jax'")]
    with pytest.raises(NotFoundError, match=r"failed to load: mine \(ModuleNotFoundError: No mod"):
        find("imputer", {}, "mine", broken)


def test_every_kind_of_name_has_its_own_words():
    known = registry()
    for kind, look_up in {
        "imputer": known.imputer,
        "dataset": known.dataset,
        "protocol": known.protocol,
        "metric": known.metric,
        "suite": known.suite,
        "executor": known.executor,
    }.items():
        with pytest.raises(NotFoundError, match=f"no {kind} is called 'zzz'"):
            look_up("zzz")


def test_unknown_parameter_of_a_known_method_is_an_input_error():
    with pytest.raises(InputError, match="magic has no parameter 'k'; its parameters: knn"):
        registry().imputer("magic[k=5]")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library_at_all", "ModuleNotFoundError: No module named"),
        ("raise RuntimeError('licence expired')", "RuntimeError: licence expired"),
        ("import sys; sys.exit('needs a GPU')", "SystemExit: needs a GPU"),
        ("def broken(:", "SyntaxError: "),
        (None, "ModuleNotFoundError: No module named 'stranger_module'"),
    ],
)
def test_installed_plugin_failing_on_import_is_listed_and_harms_nothing(tmp_path, source, reason):
    _install(tmp_path, "stranger", "stranger_module", source)
    code = """
from impbench.registry import registry
known = registry()
print(len(known.broken), known.broken[0].name, known.broken[0].reason, sep="|")
assert "Traceback" in known.broken[0].details
assert {"no-imputation", "magic"} <= set(known.imputers)
"""
    count, name, told = _with_path(tmp_path, code).strip().split("|")
    assert count == "1"
    assert name == "stranger (stranger_module)"
    assert told.startswith(reason)


def test_one_broken_plugin_does_not_hide_another_that_works(tmp_path):
    _install(tmp_path, "aaa", "aaa_module", "1 / 0")
    _install(tmp_path, "doubler", "doubler_module", PLUGIN.format(cls="Double", name="double"))
    code = """
from impbench.registry import registry
known = registry()
print([plugin.name for plugin in known.broken], known.imputer("double[factor=3]").spec)
"""
    assert _with_path(tmp_path, code).strip() == "['aaa (aaa_module)'] double[factor=3.0]"


def test_two_packages_with_the_same_entry_point_name_are_both_loaded(tmp_path):
    _install(tmp_path, "magic", "their_magic", PLUGIN.format(cls="Theirs", name="their-magic"))
    code = """
from impbench.registry import registry
print({"magic", "their-magic"} <= set(registry().imputers), registry().broken)
"""
    assert _with_path(tmp_path, code).strip() == "True []"


def test_a_name_taken_twice_keeps_one_and_reports_the_other(tmp_path):
    _install(tmp_path, "zzz", "zzz_module", PLUGIN.format(cls="Mine", name="magic"))
    code = """
from impbench.registry import registry
known = registry()
print(known.imputers["magic"].__module__, known.broken[0].name, known.broken[0].reason, sep="|")
"""
    module, name, reason = _with_path(tmp_path, code).strip().split("|")
    assert module == "impbench_plugins.magic"
    assert name == "zzz (zzz_module)"
    assert reason == "InputError: the name 'magic' is taken by another imputer; choose another name"


def test_one_file_is_a_plugin(fresh, tmp_path):
    load_file(_write(tmp_path / "mine.py", PLUGIN.format(cls="Double", name="double")))
    assert registry().imputer("double[factor=0.5]").factor == 0.5
    assert "magic" in registry().imputers


def test_loading_a_file_twice_is_loading_it_once(fresh, tmp_path):
    path = _write(tmp_path / "mine.py", PLUGIN.format(cls="Double", name="double"))
    load_file(path)
    first = registry().imputers["double"]
    load_file(path)
    assert registry().imputers["double"] is first
    assert registry().broken == []


def test_two_files_of_one_name_in_two_folders_are_two_plugins(fresh, tmp_path):
    for folder, name in (("a", "double"), ("b", "twice")):
        (tmp_path / folder).mkdir()
        load_file(_write(tmp_path / folder / "mine.py", PLUGIN.format(cls="Double", name=name)))
    assert {"double", "twice"} <= set(registry().imputers)
    stand_ins = [registry().imputers[name] for name in ("double", "twice")]
    assert stand_ins[0].__module__ != stand_ins[1].__module__
    for name, stand_in in zip(("double", "twice"), stand_ins, strict=True):
        cls = type(registry().real_imputer(name))
        assert cls.__module__ == stand_in.__module__
        assert getattr(sys.modules[cls.__module__], cls.__name__) is cls, "it must pickle"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_library_at_all", "fails on import: ModuleNotFoundError"),
        ("def broken(:", "fails on import: SyntaxError"),
        ("import sys; sys.exit(3)", "fails on import: SystemExit: 3"),
    ],
)
def test_broken_plugin_file_is_an_error_and_leaves_the_rest_usable(fresh, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load_file(_write(tmp_path / "mine.py", text))
    assert "magic" in registry().imputers
    load_file(_write(tmp_path / "mine.py", PLUGIN.format(cls="Double", name="double")))
    assert "double" in registry().imputers, "a mended file loads"


def test_plugin_file_may_be_called_as_it_likes(fresh, tmp_path):
    load_file(_write(tmp_path / "my own-method.py", PLUGIN.format(cls="Double", name="double")))
    cls = type(registry().real_imputer("double"))
    assert getattr(sys.modules[cls.__module__], cls.__name__) is cls, "it must pickle"


def test_missing_plugin_file_is_named(fresh, tmp_path):
    with pytest.raises(InputError, match=r"plugin file .*nowhere\.py does not exist"):
        load_file(tmp_path / "nowhere.py")
    with pytest.raises(InputError, match=r"plugin file .*notes\.txt is not a Python file"):
        load_file(_write(tmp_path / "notes.txt", "hello"))


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("def impbench_imputers(): raise OSError('disk gone')", "OSError: disk gone"),
        ("def impbench_imputers(): return None", "TypeError"),
        ("def impbench_imputers(): return [object()]", "AttributeError: 'object' object has no"),
    ],
)
def test_a_hook_that_fails_is_listed_and_harms_nothing(fresh, tmp_path, hook, reason):
    load_file(_write(tmp_path / "mine.py", f"import impbench\n@impbench.hookimpl\n{hook}\n"))
    (broken,) = registry().broken
    assert broken.name == str(tmp_path / "mine.py")
    assert broken.reason.startswith(reason)
    assert "magic" in registry().imputers


def test_a_misspelt_hook_is_an_error_rather_than_silence(fresh, tmp_path):
    text = "import impbench\n@impbench.hookimpl\ndef impbench_imputer(): return []\n"
    load_file(_write(tmp_path / "mine.py", text))
    with pytest.raises(NotFoundError, match=r"failed to load: .*unknown hook 'impbench_imputer'"):
        registry().imputer("mine")
    assert "magic" in registry().imputers


def test_an_imputer_without_impute_is_refused_by_name(fresh, tmp_path):
    text = """
        import impbench
        class Half(impbench.Imputer):
            name = "half"
            summary = "Not finished"
        @impbench.hookimpl
        def impbench_imputers():
            return [Half]
    """
    load_file(_write(tmp_path / "mine.py", text))
    assert registry().broken[0].reason == "InputError: the imputer 'half' does not define impute"
    assert "half" not in registry().imputers


@pytest.mark.parametrize("name", ["oracle", "attainable"])
def test_no_plugin_takes_the_name_of_a_control_that_sees_the_truth(fresh, tmp_path, name):
    load_file(_write(tmp_path / "mine.py", PLUGIN.format(cls="Mine", name=name)))
    assert name not in registry().imputers
    assert any(f"the name {name!r} is taken" in plugin.reason for plugin in registry().broken)


BODY = PLUGIN.partition("@impbench.hookimpl")[0].format(cls="Twice", name="twice")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (
            "",
            r"it has no hook; end it with a function impbench_imputers\(\), with @impbench.hookim",
        ),
        (
            "def impbench_imputers():\n    return [Twice]\n",
            "impbench_imputers of it lacks @impbench",
        ),
        (
            "@impbench.hookimpl\ndef impbench_imputers():\n    return []\n",
            "its hooks return nothing",
        ),
    ],
)
def test_plugin_file_that_brings_nothing_is_refused_with_the_reason(fresh, tmp_path, end, reason):
    path = tmp_path / "idle.py"
    path.write_text(BODY + end)
    with pytest.raises(InputError, match=rf"idle.py brings nothing: .*{reason}"):
        load_file(path)
    assert registry_module._files == []


def test_folder_that_an_installation_left_is_named_with_what_to_do(tmp_path, monkeypatch):
    """As of numba's files, which pip leaves, and which hide a package installed for editing."""
    left = tmp_path / "left_over_plugin"
    (left / "__pycache__").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("left_over_plugin")
    (broken,) = brought_by(module, "leftover").broken
    assert f"no code of it in {left}" in broken.reason
    assert broken.reason.endswith("delete it")
    # A package of somebody's own, without an __init__, is not to be deleted.
    (left / "mine.py").write_text("")
    (broken,) = brought_by(module, "leftover").broken
    assert broken.reason.startswith("it has no hook")
