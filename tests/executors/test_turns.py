"""Slots begin different methods, stay with theirs, and help where nothing else is left."""

from __future__ import annotations

from pathlib import Path

from impbench_plugins.controls import GeneMean, NoImputation
from impbench_plugins.magic import Magic
from impbench_plugins.maskclass.imputers import MaskClassBalanced, MaskClassBest
from impbench_plugins.maskclass.prior import MaskClassPrior

from impbench.executors.machine.gpus import Gpus
from impbench.executors.machine.turns import Pending, Slot
from impbench.imputer import Imputer
from impbench.plan.task import Posed, Task

POSED = Posed("data", "masking", "", Path("view"), 0, (), has_truth=False)


def task(imputer: Imputer | None, device: str = "cpu") -> Task:
    return Task(imputer, (1,), (POSED,), device=device)


def names(pending: Pending, slot: Slot, slots: list[Slot]) -> list[str]:
    """Have one slot alone take all that is left."""
    taken = iter(lambda: pending.take(slot, slots), None)
    return [each.spec for each in taken]


def test_slots_begin_different_methods_and_controls_are_one() -> None:
    imputers = [NoImputation(), GeneMean(), MaskClassPrior(), MaskClassBest(), Magic()]
    pending = Pending(map(task, imputers), Gpus([]))
    slots = [Slot(), Slot(), Slot(), Slot()]
    begun = [pending.take(slot, slots) for slot in slots]
    assert [each.spec for each in begun if each] == [
        "no-imputation",
        "maskclass-best",
        "magic",
        # Nothing is left that nobody is at.
        "gene-mean",
    ]


def test_slot_stays_with_its_method_then_takes_another_and_helps_last() -> None:
    imputers = [MaskClassBest(), MaskClassBest(), NoImputation(), Magic(), MaskClassBalanced()]
    pending = Pending([*map(task, imputers), task(None)], Gpus([]))
    slots = [Slot(), Slot()]
    assert pending.take(slots[0], slots) == task(MaskClassBest())
    assert names(pending, slots[1], slots) == [
        "no-imputation",
        "oracle",
        "magic",
        # The other slot is at the module of these.
        "maskclass-best",
        "maskclass-balanced",
    ]
    assert not pending


def test_tasks_that_wait_for_a_gpu_hold_up_no_others() -> None:
    gpus = Gpus(["GPU-a"])
    waiting = [task(MaskClassBest(), "cuda"), task(MaskClassBalanced(), "cuda")]
    pending = Pending([*waiting, task(Magic())], gpus)
    slots = [Slot(), Slot(), Slot()]
    first, second, third = (pending.take(slot, slots) for slot in slots)
    assert first is not None
    assert second == task(Magic())
    assert third is None
    assert pending
    gpus.give_back(first)
    third = pending.take(slots[2], slots)
    assert third is not None
    assert (third.spec, third.gpu) == ("maskclass-balanced", "GPU-a")
