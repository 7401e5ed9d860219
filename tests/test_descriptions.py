"""A class made of what is told of a plugin lists, checks and hashes as the real one does."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from impbench import registry as registry_module
from impbench.description import read_plugin, read_type, tell_imputer, told_type
from impbench.errors import InputError
from impbench.imputer import Imputer
from impbench.plan.keys import code_version
from impbench.plan.task import Posed, Task, shares_seeds
from impbench.registry import load_file, registry
from impbench.stand_in import StandIn, stand_in
from impbench.worker import describe

pytestmark = pytest.mark.slow

PARAMETERS = '''
from dataclasses import dataclass
from typing import Literal, Optional, Union
import impbench
from impbench.errors import InputError

@dataclass(frozen=True)
class Full(impbench.Imputer):
    """Everything at once."""

    name = "full"
    summary = "Has every kind of parameter"
    citation = "Nobody (2026)"
    version = "7"
    input_scale = "lognorm"
    stochastic = True
    devices = ("cpu", "cuda")
    keeps_observed = True
    requires = ("six>=1",)
    requires_python = ">=3.9"
    packages = ("six", "torch")

    whole: int = impbench.parameter(3, "A whole number.", min=1, max=10)
    real: float = impbench.parameter(0.5, "A real one.", min=0, max=1, symbol="γ")
    big: float = impbench.parameter(1, "Whole by default.", max=1e400)
    yes: bool = impbench.parameter(True, "A flag.")
    word: str = impbench.parameter("a, \\"b\\"", "A text.")
    choice: Literal["true", "own", 3] = impbench.parameter("own", "One of some.")
    perhaps: Optional[int] = impbench.parameter(None, "Perhaps.", min=0)
    mixed: Union[float, Literal["auto"], None] = impbench.parameter("auto", "Mixed.")
    layers: tuple[int, ...] = impbench.parameter((128, 64), "Many.", min=1)
    pair: tuple[float, str] = impbench.parameter((0.5, "x"), "Two.")
    nested: "tuple[tuple[int, ...], ...] | None" = impbench.parameter(None, "Many of many.")

    @classmethod
    def unavailable(cls):
        return "needs a licence"

    def impute(self, observed, context):
        return impbench.Imputed(observed.lognorm, "lognorm")

    def impute_many(self, observed, contexts):
        return [self.impute(observed, context) for context in contexts]

@dataclass(frozen=True)
class Checks(impbench.Imputer):
    name, summary = "checks", "Checks its parameters itself"
    low: int = impbench.parameter(1, "Less.")
    high: int = impbench.parameter(2, "More.")
    names: tuple[str, ...] = impbench.parameter(("b", "a"), "Sorted.")

    def __post_init__(self):
        super().__post_init__()
        if self.low >= self.high:
            raise InputError(f"checks: low={self.low} must be below high={self.high}")
        object.__setattr__(self, "names", tuple(sorted(self.names)))

    def impute(self, observed, context):
        return impbench.Imputed(observed.lognorm, "lognorm")

@impbench.hookimpl
def impbench_imputers():
    return [Full, Checks]
'''


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A registry of this test's own, forgotten afterwards."""
    monkeypatch.setattr(registry_module, "_files", [])
    registry.cache_clear()
    yield
    registry.cache_clear()


def plugin(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def classes(folder: Path, name: str) -> tuple[type[Imputer], type[Imputer]]:
    """Return the class that stands in, and the real one."""
    load_file(plugin(folder, PARAMETERS))
    told = registry().imputers[name]
    real = type(registry().real_imputer(name))
    assert issubclass(told, StandIn)
    assert not issubclass(real, StandIn)
    return told, real


def declared(imputer: type[Imputer]) -> dict[str, Any]:
    """Return everything that is said of a class."""
    names = ("name", "summary", "citation", "version", "input_scale", "stochastic", "devices")
    more = (
        "gives",
        "keeps_observed",
        "is_control",
        "role",
        "requires",
        "requires_python",
        "packages",
    )
    fields = [(f.name, f.default, f.metadata["min"], f.metadata["max"]) for f in _fields(imputer)]
    return {
        **{name: getattr(imputer, name) for name in (*names, *more)},
        "module": imputer.__module__,
        "qualname": imputer.__qualname__,
        "described": imputer.describe(),
        "bounds": fields,
        "lack": imputer.unavailable(),
        "code": code_version(imputer),
        "shares_seeds": shares_seeds(imputer()),
    }


def _fields(imputer: type[Imputer]) -> Any:
    return dataclasses.fields(imputer)


def outcome(imputer: type[Imputer], spec: str) -> Any:
    """Return parameters, spec and key of what a text makes, or why it makes nothing."""
    from impbench.parameters import split_spec

    try:
        made = imputer.from_text(split_spec(spec)[1])
    except InputError as error:
        return str(error)
    posed = Posed("d", "p", "f", Path("v"), -1, ("mse",), False)
    values = [(name, value, type(value)) for name, value in made.parameters().items()]
    return values, made.spec, Task(made, (1,), (posed,)).key(posed, 1)


def test_stand_in_declares_what_the_real_class_declares(fresh: None, tmp_path: Path) -> None:
    for name in ("full", "checks"):
        told, real = classes(tmp_path, name)
        assert declared(told) == declared(real)


@pytest.mark.parametrize(
    "spec",
    [
        "full",
        "full[whole=10,real=1,yes=false]",
        "full[whole=0]",
        "full[whole=11]",
        "full[whole=2.5]",
        "full[whole=true]",
        "full[real=-0.1]",
        "full[real=nan]",
        "full[big=1e300]",
        "full[word=none]",
        'full[word="x, [y]"]',
        "full[choice=true]",
        "full[choice=3]",
        "full[choice=4]",
        "full[perhaps=5]",
        "full[perhaps=none]",
        "full[perhaps=-1]",
        "full[mixed=0.25]",
        "full[mixed=none]",
        "full[mixed=automatic]",
        "full[layers=[1, 2, 3]]",
        "full[layers=[]]",
        "full[layers=[0]]",
        'full[pair=[1, "y"]]',
        "full[pair=[1]]",
        "full[nested=[[1, 2], []]]",
        "full[nested=[1]]",
        "full[missing=1]",
    ],
)
def test_stand_in_reads_checks_and_hashes_parameters_as_the_real_class(
    fresh: None, tmp_path: Path, spec: str
) -> None:
    told, real = classes(tmp_path, "full")
    assert outcome(told, spec) == outcome(real, spec)


@pytest.mark.parametrize(
    "spec", ["checks", "checks[low=5,high=9]", "checks[low=2]", 'checks[names=["z", "y"]]']
)
def test_parameters_that_a_class_checks_itself_are_checked_before_anything_runs(
    fresh: None, tmp_path: Path, spec: str
) -> None:
    told, real = classes(tmp_path, "checks")
    assert outcome(told, spec) == outcome(real, spec)


@pytest.mark.parametrize("name", sorted(registry().imputers))
def test_our_own_methods_could_be_described_too(name: str) -> None:
    real = registry().imputers[name]
    made = stand_in(json.loads(json.dumps(tell_imputer(real))))
    ours_alone = {"is_control": None, "role": None}
    assert {**declared(made), **ours_alone} == {**declared(real), **ours_alone}


@pytest.mark.parametrize(
    "told", [[], {}, "list", ["literal"], ["union"], ["literal", [1]], ["tuple", "?"], 3, ["x", 1]]
)
def test_type_that_is_none_is_refused(told: Any) -> None:
    with pytest.raises(InputError, match="is no type of a parameter"):
        read_type(told)


@pytest.mark.parametrize("hint", [dict, list[int], Path, tuple[Path, ...], int | dict])
def test_type_that_no_text_can_give_is_said(hint: Any) -> None:
    with pytest.raises(InputError, match="has a type that no text can give"):
        told_type(hint)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (None, "the description is null"),
        ({}, "description: imputers is missing; expected a list"),
        ({"imputers": 5, "parts": [], "broken": []}, "imputers is 5"),
        (
            {"imputers": [{"name": "x"}], "parts": [], "broken": []},
            r"imputers\[0\].module is missing",
        ),
        (
            {"imputers": [], "parts": [{"kind": "imputers"}], "broken": []},
            r"parts\[0\].kind is \"imp",
        ),
    ],
)
def test_description_that_is_none_is_refused_with_the_place(told: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_plugin(told)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("module", "os; import x", "must be a class at the top"),
        ("qualname", "f.<locals>.C", "must be a class at the top"),
        ("name", "", "has 0 characters"),
        ("name", "x" * 1000, "has 1000 characters"),
    ],
)
def test_imputer_that_no_worker_could_find_is_refused(field: str, value: str, message: str) -> None:
    told: Any = {**tell_imputer(registry().imputers["magic"]), field: value}
    with pytest.raises(InputError, match=message):
        stand_in(told)


ANSWERS = "import os, sys; os.write(int(sys.argv[1]), {answer!r}); os._exit(0)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os; print('lost', flush=True); os._exit(4)", "exit status 4, no answer"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "exit status -11, no answer"),
        (ANSWERS.format(answer=b"junk\n"), "it could not be described"),
        (ANSWERS.format(answer=b"[" * 100_000 + b"\n"), "it could not be described"),
        (ANSWERS.format(answer=b"[1, 2]\n"), "the description is"),
        (ANSWERS.format(answer=b'{"told": {"imputers": 5}}\n'), "imputers is 5"),
        ("import time; time.sleep(60)", "took longer than 3 s"),
        (
            "import os, sys\nwhile True: os.write(int(sys.argv[1]), b'x' * 60000)",
            "longer than 4 MiB",
        ),
    ],
)
def test_plugin_that_cannot_be_described_is_an_error_with_its_reason(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    if "sleep" in text:
        monkeypatch.setattr(describe, "LIMIT_SECONDS", 3.0)
    with pytest.raises(InputError, match=r"plugin file .*mine\.py fails on import") as caught:
        load_file(plugin(tmp_path, text))
    assert reason in str(caught.value)
    assert "magic" in registry().imputers


def test_one_imputer_that_cannot_be_told_leaves_the_others(fresh: None, tmp_path: Path) -> None:
    odd = (
        "\n@dataclass(frozen=True)\n"
        "class Odd(Full):\n"
        "    name = 'odd'\n"
        "    where: dict = impbench.parameter(None, 'No text gives it.')\n"
    )
    text = PARAMETERS.replace("\n@impbench.hookimpl", f"{odd}\n@impbench.hookimpl")
    load_file(plugin(tmp_path, text.replace("[Full, Checks]", "[Odd, Full, Checks]")))
    assert {"full", "checks"} <= set(registry().imputers)
    (broken,) = registry().broken
    assert "parameter where of odd has a type that no text can give" in broken.reason


def test_what_a_plugin_prints_on_import_is_not_ours_to_print(tmp_path: Path) -> None:
    noisy = plugin(tmp_path, "import os; os.write(1, b'noise ' * 10**6)\n" + PARAMETERS)
    command = [sys.executable, "-m", "impbench.cli", "list", "imputers", "--json"]
    done = subprocess.run([*command, "--plugin", str(noisy)], capture_output=True, text=True)
    assert "full" in json.loads(done.stdout)["imputers"]
    assert "noise" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_process_that_a_plugin_leaves_on_import_is_ended(fresh: None, tmp_path: Path) -> None:
    leaves = (
        "import os, subprocess\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    subprocess.Popen(['sleep', '65432'], start_new_session=True)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    # What it started comes to us, whether the plugin's process ends by itself, ...
    load_file(plugin(tmp_path, leaves + PARAMETERS))
    # ... or by the plugin's doing, before anything is described.
    with pytest.raises(InputError):
        load_file(plugin(tmp_path, leaves + "os._exit(4)\n"))
    commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert ["sleep", "65432"] not in commands
