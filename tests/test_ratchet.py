"""The ratchet fails where a row takes more than 1.5 times the time or memory that is kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def ratchet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """Return the script, with numbers of its own to keep."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("ratchet", "ratchet_rows"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import ratchet

    monkeypatch.setattr(ratchet, "KEPT", tmp_path / "kept.json")
    ratchet.KEPT.write_text("{}")
    return ratchet


def keep(ratchet: ModuleType, **factors: float) -> None:
    content = json.loads(ratchet.KEPT.read_text())
    for name, factor in factors.items():
        content["silhouettes"][ratchet.processor()][name] *= factor
    ratchet.KEPT.write_text(json.dumps(content))


@pytest.mark.slow
def test_more_than_half_as_much_again_fails(
    ratchet: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ratchet.main(["silhouettes"]) == 1
    assert "not kept: silhouettes" in capsys.readouterr().out
    assert ratchet.main(["silhouettes", "--update"]) == 0
    keep(ratchet, time=50.0)
    assert ratchet.main(["silhouettes"]) == 0
    keep(ratchet, memory=0.5)
    assert ratchet.main(["silhouettes"]) == 1
    keep(ratchet, memory=2.0, time=1 / 500)
    assert ratchet.main(["silhouettes"]) == 1


def test_an_unknown_processor_is_held_against_the_largest_costs(ratchet: ModuleType) -> None:
    costs = {"slow": {"time": 3.0, "memory": 90.0}, "fast": {"time": 2.0, "memory": 95.0}}
    assert ratchet.bound(costs, "fast") == ratchet.Cost(2.0, 95.0)
    assert ratchet.bound(costs, "new") == ratchet.Cost(3.0, 95.0)
    assert ratchet.bound({}, "new") is None


def test_every_row_has_its_kept_cost(ratchet: ModuleType) -> None:
    import ratchet_rows

    kept = json.loads((BENCHMARKS / "ratchet.json").read_text())
    assert list(kept) == list(ratchet_rows.ROWS)
