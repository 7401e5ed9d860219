"""A run with a method that gives only an embedding: asked what it answers, ranked there alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

import impbench
from impbench import registry as registry_module
from impbench.plan.suite import Question, Suite
from impbench.results.record import Record
from impbench.runner.outcome import Results
from impbench.runner.settings import Listener, Settings

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[1] / "example_plugins" / "only_embedding.py"
OF_EMBEDDINGS = "clustering[source=embedding]"
IMPUTERS = ("random-axes", "forgetful", "empty-handed", "pca[n_components=10]", "no-imputation")
RARE = "rare-types[source=either,n_markers=10]"


class Heard(Listener):
    """Remembers what is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def noticed(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, heard: Heard) -> Iterator[Results]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry_module, "_files", [])
        asked = (OF_EMBEDDINGS, RARE, "simulated-truth")
        question = Question(("sim_equal[n_cells=60,n_genes=80]",), asked)
        yield impbench.run(
            # Controls are named, so that no others run: tests/plan says which do.
            Suite("embedding", "embedding", "", (question,), IMPUTERS, seeds=1, controls=False),
            tmp_path_factory.mktemp("embedding"),
            plugins=[EXAMPLE],
            listener=heard,
            settings=Settings(jobs=2, threads=1, timeout=60),
        )
    registry_module.registry.cache_clear()


def records(results: Results, imputer: str) -> dict[str, Record]:
    found = (record for record in results.stored.records if record.job.imputer == imputer)
    return {record.job.protocol: record for record in found}


def test_an_embedding_answers_clusters_and_rare_types_and_nothing_else(results: Results) -> None:
    for imputer in ("random-axes", "pca[n_components=10]"):
        answered = records(results, imputer)
        assert set(answered) == {OF_EMBEDDINGS, RARE}
        assert {record.status for record in answered.values()} == {"ok"}
    assert set(records(results, "no-imputation")) == {RARE, "simulated-truth"}
    assert set(records(results, "oracle")) == {RARE, "simulated-truth"}


def test_a_score_of_the_expression_is_undefined_and_no_failure(results: Results) -> None:
    scores = records(results, "random-axes")[RARE].scores
    assert math.isnan(scores["markers-imputed"])
    assert 0 <= scores["rare-f1"] <= 1
    assert 0 <= scores["markers-clusters"] <= 1
    assert "random-axes" not in {method.imputer for method in results.failed}


def test_who_declares_a_part_and_returns_none_has_failed(results: Results) -> None:
    forgetful, empty = records(results, "forgetful"), records(results, "empty-handed")
    assert set(forgetful) == {RARE, "simulated-truth"}
    assert {record.status for record in (*forgetful.values(), *empty.values())} == {"failed"}
    assert "declares that it gives expression, and returned none" in forgetful[RARE].reason
    assert "declares that it gives embedding, and returned none" in empty[RARE].reason


def test_page_and_terminal_say_what_was_not_asked(results: Results, heard: Heard) -> None:
    sentence = "random-axes gives only an embedding, so it is not asked simulated-truth"
    assert sentence in heard.texts
    assert results.report is not None
    page = results.report.read_text(encoding="utf-8")
    assert sentence in page
    assert "over pca[n_components=10]" in page


def test_an_embedding_is_held_against_principal_components(results: Results) -> None:
    answer = results.answers().loc["clustering (embeddings)"]
    assert answer.verdict.startswith("use pca")
    assert "random-axes" in answer.reasons
