"""A method is asked what can be answered from what it gives; principal components stand beside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from impbench import registry as registry_module
from impbench.errors import InputError
from impbench.gives import check_gives
from impbench.plan.plan import Plan, make_plan
from impbench.plan.suite import read_suite
from impbench.registry import Registry, load_file, registry

EXAMPLE = Path(__file__).parents[1] / "example_plugins" / "only_embedding.py"
OF_EMBEDDINGS = "clustering[source=embedding]"
OF_EITHER = "clustering[source=either]"
PCA = ["pca[n_components=10]", "pca"]


@pytest.fixture(scope="module")
def known() -> Iterator[Registry]:
    """A registry of this file's own, forgotten afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry_module, "_files", [])
        load_file(EXAMPLE)
        yield registry()
    registry.cache_clear()


def plan(known: Registry, imputers: list[str], protocols: list[str], per: str = "all") -> Plan:
    suite = read_suite(known.suite("default"))
    return make_plan(
        suite,
        known,
        imputers=imputers,
        sources=["sim_equal[n_cells=50]"],
        protocols=protocols,
        per=per,  # type: ignore[arg-type]
    )


def asked(planned: Plan) -> dict[str, list[str]]:
    return {item.protocol.spec: [one.spec for one in item.imputers] for item in planned.asked}


def test_no_job_is_made_for_what_cannot_be_answered(known: Registry) -> None:
    found = plan(known, ["magic", "scmae", "random-axes"], ["clustering", OF_EMBEDDINGS, OF_EITHER])
    who = asked(found)
    assert who["clustering"][:2] == ["magic", "scmae"]
    assert not {"random-axes", *PCA} & {*who["clustering"]}
    # A control without an embedding is not asked for one either.
    assert who[OF_EMBEDDINGS] == ["scmae", "random-axes", *PCA]
    assert {"magic", "scmae", "random-axes", "no-imputation", *PCA} <= {*who[OF_EITHER]}
    assert {(job.imputer, job.protocol) for job in found.jobs()} == {
        (spec, protocol) for protocol, specs in who.items() for spec in specs
    }


def test_what_is_not_asked_is_said_in_one_sentence_for_each_method(known: Registry) -> None:
    found = plan(known, ["magic", "random-axes"], ["masking", "thinning", OF_EMBEDDINGS])
    assert found.notices == (
        f"magic gives an expression and no embedding, so it is not asked {OF_EMBEDDINGS}",
        "random-axes gives only an embedding, so it is not asked masking and thinning",
    )


def test_components_join_only_beside_a_method_that_gives_nothing_else(known: Registry) -> None:
    """Else runs of before would have another list of jobs."""
    who = asked(plan(known, ["scmae", "magic"], [OF_EITHER, OF_EMBEDDINGS]))
    assert "pca" not in who[OF_EITHER]
    assert who[OF_EMBEDDINGS] == ["scmae"]
    beside = set()
    for name in known.suites:
        planned = make_plan(read_suite(known.suite(name)), known)
        asked_of = {one.name for item in planned.asked for one in item.imputers}
        alone = {one for one in asked_of - {"pca"} if known.imputer(one).gives == ("embedding",)}
        assert ("pca" in asked_of) == bool(alone)
        beside |= {name} if alone else set()
    assert beside == {"field", "leaderboard", "scmae-paper"}
    # Who names it has it.
    assert asked(plan(known, ["pca"], [OF_EMBEDDINGS])) == {OF_EMBEDDINGS: ["pca"]}


def test_a_question_that_none_of_the_chosen_can_answer_is_not_asked_of_controls(
    known: Registry,
) -> None:
    assert list(asked(plan(known, ["random-axes"], ["masking", OF_EITHER]))) == [OF_EITHER]


@pytest.mark.parametrize(
    ("imputer", "protocols", "offer"),
    [
        ("random-axes", ["masking", "calibration"], r"'clustering\[source=either\]'"),
        ("scvi[per=batch]", [OF_EMBEDDINGS], r"'clustering\[source=either\]'"),
    ],
)
def test_a_method_that_can_answer_nothing_is_refused_with_what_to_ask(
    known: Registry, imputer: str, protocols: list[str], offer: str
) -> None:
    said = rf"{re.escape(imputer)} gives .* ask for --protocols {offer}"
    with pytest.raises(InputError, match=said):
        plan(known, ["scmae", imputer], protocols)


def test_coordinates_of_batches_apart_are_not_asked_for(known: Registry) -> None:
    found = plan(known, ["scmae", "random-axes"], [OF_EITHER, OF_EMBEDDINGS], per="batch")
    assert asked(found)[OF_EMBEDDINGS] == ["scmae", "random-axes", *PCA]
    assert "scmae[per=batch]" in asked(found)[OF_EITHER]
    assert found.unasked[1:] == (
        "random-axes gives only an embedding, so it is not run on each batch alone",
    )
    with pytest.raises(InputError, match="leave out per=batch"):
        known.imputer("random-axes[per=batch]")


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        ((), "an expression, or else an embedding alone"),
        ("embedding", "expected a tuple"),
        (("embeding",), "expected a tuple of 'expression', 'embedding', 'std'"),
        (("embedding", "std"), "an embedding alone"),
        (("expression", "expression"), "twice"),
    ],
)
def test_what_a_method_says_that_it_gives_is_checked_when_it_is_loaded(
    gives: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_gives("mine", gives)
