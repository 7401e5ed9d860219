"""What a method cannot do, held by methods that try: as root and as an ordinary user."""

from __future__ import annotations

import psutil
import pytest
from attacked import Attacked, manifest
from attacks import REFUSED

from impbench.worker import landlock

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(landlock.abi() < 6, reason="this kernel cannot build all the walls"),
    pytest.mark.slow,
]


def got(attacked: Attacked, name: str, target: str | None = None) -> list[dict[str, str]]:
    records = attacked.of(name, target)
    assert {record.status for record in records} == {"ok"}, records[0].reason
    return [record.info["got"] for record in records]


def test_isolation_in_force_stands_in_the_manifest(attacked: Attacked) -> None:
    environment = manifest(attacked)["environment"]
    assert isinstance(environment, dict)
    assert environment["isolation"] == f"landlock ABI {landlock.abi()}"


@pytest.mark.parametrize(
    "attack", ["opens-descriptors", "reads-memory", "sends-signals", "prepares-ahead", "carries"]
)
def test_attack_gets_nothing(attacked: Attacked, attack: str) -> None:
    assert all(found == {} for found in got(attacked, attack))


def test_users_file_and_results_cannot_be_read(attacked: Attacked) -> None:
    for target in (attacked.data, attacked.folder / "manifest.json"):
        for found in got(attacked, "reads-file", str(target)):
            assert set(found.values()) == {REFUSED}


@pytest.mark.parametrize("attack", ["writes-file", "uses-network", "reaches-out"])
def test_every_way_is_refused(attacked: Attacked, attack: str) -> None:
    for found in got(attacked, attack):
        assert set(found.values()) == {REFUSED}


def test_time_is_measured_from_outside(attacked: Attacked) -> None:
    for record in attacked.of("patches-clocks"):
        assert record.cost is not None
        assert 1.0 <= record.cost.wall_seconds < 60
        assert record.cost.cpu_seconds > 0.05


def test_who_says_done_before_it_is_has_no_answer(attacked: Attacked) -> None:
    assert {record.status for record in attacked.of("answers-itself")} == {"failed"}


def test_work_of_an_orphan_is_counted(attacked: Attacked) -> None:
    for record in attacked.of("hides-work"):
        assert record.cost is not None
        assert record.cost.cpu_seconds > 1.3


def test_process_left_behind_is_ended(attacked: Attacked) -> None:
    for found in got(attacked, "leaves-process"):
        pid = int(found["process"])
        assert not psutil.pid_exists(pid) or "31415" not in psutil.Process(pid).cmdline()


def test_marks_at_files_are_not_left(attacked: Attacked) -> None:
    assert got(attacked, "marks-files")
    for path in (attacked.data, attacked.data.with_name("attacks.py")):
        assert path.stat().st_mode & 0o777 == 0o644
        assert path.stat().st_mtime > 1


def test_limit_holds_where_the_channel_is_flooded(attacked: Attacked) -> None:
    assert {record.status for record in attacked.of("floods-channel")} == {"timeout"}


def test_nothing_of_a_task_is_left(attacked: Attacked) -> None:
    assert {record.status for record in attacked.of("digs-deep")} == {"ok"}
    assert not (attacked.folder / ".work").exists()


def test_values_beyond_single_precision_are_a_failure(attacked: Attacked) -> None:
    for record in attacked.of("overflows"):
        assert record.status == "failed"
        assert "single-precision" in record.reason
        assert record.versions["impbench"] != "99.0"


def test_who_says_to_be_somebody_else_is_no_imputer(attacked: Attacked) -> None:
    broken = manifest(attacked)["broken_plugins"]
    assert "defined in 'impbench.worker.sandbox'" in str(broken)
