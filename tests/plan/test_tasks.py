"""Tasks of one plan never meet: a job is in one task, and a folder is one task's."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from impbench.plan.plan import Asked, Plan
from impbench.plan.suite import Suite
from impbench.plan.task import Posed, PosedAgain
from impbench.registry import registry
from impbench.runner.problems import Problems
from impbench.runner.run import make_tasks
from impbench.runner.settings import Settings

IMPUTERS = ["gene-mean", "magic", "magic[t=5]", "maskclass-best", "maskclass-best[epochs=3]"]
PROTOCOLS = [
    "simulated-truth",
    "clustering",
    "clustering[algorithm=leiden]",
    "stability",
    "masking",
]
DATASETS = ["sim_equal", "sim_rare", "sim_rare[n_cells=200]"]
SUITE = Suite("s", "s", "", (), ())
VIEWS = st.sampled_from([Path(f"views/{name}") for name in "abc"])


@st.composite
def posed(draw: st.DrawFn, dataset: str, protocol: str) -> Posed:
    names = draw(st.lists(st.sampled_from(["other", "first"]), unique=True, max_size=2))
    again = tuple(PosedAgain(name, draw(VIEWS), draw(st.integers(0, 1))) for name in names)
    return Posed(
        dataset=dataset,
        protocol=protocol,
        fingerprint=f"{dataset} {protocol}",
        view=draw(VIEWS),
        hidden=-1,
        metrics=("mse",),
        has_truth=draw(st.booleans()),
        again=again,
    )


@st.composite
def plans(draw: st.DrawFn) -> tuple[Plan, Problems]:
    known = registry()
    subsets = st.lists(st.sampled_from(IMPUTERS), min_size=1, unique=True)
    asked, problems = [], Problems()
    for dataset in draw(st.lists(st.sampled_from(DATASETS), min_size=1, unique=True)):
        for name in draw(st.lists(st.sampled_from(PROTOCOLS), min_size=1, unique=True)):
            source, protocol = known.dataset(dataset), known.protocol(name)
            imputers = tuple(map(known.imputer, draw(subsets)))
            asked.append(Asked(source, protocol, imputers))
            problems.posed[source.spec, protocol.spec] = draw(posed(source.spec, protocol.spec))
    seeds = draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))
    return Plan(SUITE, tuple(asked), tuple(seeds)), problems


@given(plans(), st.sampled_from(["cpu", "cuda"]))
def test_no_two_tasks_of_a_plan_share_a_folder_or_a_job(
    given_plan: tuple[Plan, Problems], device: str
) -> None:
    plan, problems = given_plan
    tasks = make_tasks(plan, problems, Settings(2, 1, None, None, device))
    marks = [task.mark for task in tasks]
    assert len(set(marks)) == len(marks)
    keys = [key for task in tasks for key in task.keys]
    assert len(set(keys)) == len(keys)
