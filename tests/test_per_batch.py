"""Any imputer can impute each batch alone, and what it returns is what it would of that batch."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from impbench import testing
from impbench.batch_by_batch import LARGEST_FACTS
from impbench.context import Context
from impbench.errors import Cancelled, InputError
from impbench.imputer import Imputed, Imputer, Observed
from impbench.parameters import parameter
from impbench.per_batch import alone, class_taking, is_alone
from impbench.plan.task import Posed, Task, shares_seeds
from impbench.registry import registry
from impbench.testing.conduct import input_is_not_modified
from impbench.testing.declaration import (
    frozen_dataclass,
    parameters_are_described,
    parameters_are_validated,
    pickles_and_copies,
    spec_reads_back,
)
from impbench.worker.imputation import build_imputer

RNG = np.random.default_rng(11)
COUNTS = RNG.poisson(1.5, (60, 20))
# Interleaved and of unequal size; the last gene is silent in the first batch.
BATCH = np.array(["left", "right", "right"] * 20)
COUNTS[BATCH == "left", -1] = 0
OBSERVED = Observed.from_counts(COUNTS, batch=BATCH.tolist(), n_groups=3)
LEFT = np.flatnonzero(BATCH == "left")


@dataclass(frozen=True)
class Tells(Imputer):
    """Returns what it was shown, and does to a small batch what it is told to."""

    name = "tells"
    summary = "For tests"
    version = "7"
    requires_python = ">=3.8"

    fails: str = parameter("", "How.")
    facts: int = parameter(0, "Characters of facts.")

    def impute(self, observed: Observed, context: Context) -> Imputed:
        assert observed.batch is not None
        small = observed.batch[0] == "left"
        if small and self.fails:
            raise {"input": InputError, "memory": MemoryError, "index": IndexError}[self.fails](
                "no"
            )
        if small and self.fails == "":
            context.progress(1, 2)
        if context.scratch is not None:
            assert not list(context.scratch.iterdir()), "another batch's files are here"
            (context.scratch / "file").write_text("x")
        seen = {"seed": context.seed, "n_groups": observed.n_groups, "text": "x" * self.facts}
        return Imputed(
            observed.lognorm.copy(),
            "lognorm",
            std=observed.lognorm / 2,
            embedding=observed.lognorm[:, :2],
            info={**seen, "batches": sorted(set(observed.batch)), "versions": {"tool": "1.2"}},
        )


@pytest.mark.parametrize("spec", ["permuted", "gene-mean", "nonzero-mean"])
def test_a_batch_alone_is_imputed_as_if_it_were_the_whole_file(spec: str) -> None:
    imputer = registry().imputer(spec)
    whole = alone(imputer).impute(OBSERVED, Context(seed=3))
    for name in ("left", "right"):
        cells = np.flatnonzero(name == BATCH)
        itself = imputer.impute(OBSERVED.of_cells(cells), Context(seed=3))
        assert np.array_equal(whole.expression[cells], itself.expression)
    together = imputer.impute(OBSERVED, Context(seed=3))
    assert whole.scale == together.scale
    assert not np.array_equal(whole.expression, together.expression)


def test_what_a_batch_shows_is_its_own_but_for_seed_groups_and_size_factors() -> None:
    part = OBSERVED.of_cells(LEFT)
    assert np.array_equal(part.size_factors, OBSERVED.size_factors[LEFT])
    assert part.cell_names == tuple(OBSERVED.cell_names[i] for i in LEFT)
    info = alone(Tells()).impute(OBSERVED, Context(seed=5)).info
    assert info["cells"] == {"left": 20, "right": 40}
    fit = info["fits"]["left"]
    assert (fit["seed"], fit["n_groups"], fit["batches"]) == (5, 3, ["left"])
    assert info["versions"] == {"tool": "1.2"}


def test_deviations_are_put_together_and_coordinates_left_out() -> None:
    result = alone(Tells()).impute(OBSERVED, Context())
    assert np.array_equal(result.expression, OBSERVED.lognorm)
    assert result.std is not None
    assert np.array_equal(result.std, OBSERVED.lognorm / 2)
    assert result.embedding is None


def test_facts_of_many_batches_do_not_make_an_answer_too_large() -> None:
    info = alone(Tells(facts=LARGEST_FACTS)).impute(OBSERVED, Context()).info
    assert set(info) == {"cells", "versions"}


@pytest.mark.parametrize(
    ("fails", "error", "words"),
    [
        ("input", InputError, r"batch 'left' alone \(20 cells\): no"),
        ("index", RuntimeError, r"batch 'left' alone \(20 cells\): IndexError: no"),
        ("memory", MemoryError, "no"),
    ],
)
def test_a_failure_names_the_batch(fails: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        alone(Tells(fails=fails)).impute(OBSERVED, Context())


def test_a_batch_with_an_unusable_result_is_named() -> None:
    @dataclass(frozen=True)
    class Holes(Imputer):
        name = "holes"
        summary = "For tests"

        def impute(self, observed: Observed, context: Context) -> Imputed:
            bad = observed.n_cells == 20
            return Imputed(np.where(bad, np.nan, observed.lognorm), "lognorm")

    with pytest.raises(InputError, match=r"batch 'left' alone.*NaN.*cell_1\)"):
        alone(Holes()).impute(OBSERVED, Context())


def test_without_batches_the_column_is_asked_for() -> None:
    with pytest.raises(InputError, match="--batch-key"):
        alone(Tells()).impute(Observed.from_counts(COUNTS), Context())


def test_progress_of_the_batches_is_one_way_to_one_end() -> None:
    seen: list[tuple[int, int]] = []
    context = Context(on_progress=lambda done, total: seen.append((done, total)))
    alone(Tells()).impute(OBSERVED, context)
    assert seen == [(500, 2000), (1000, 2000), (2000, 2000)]


def test_cancelling_ends_it() -> None:
    def cancel(done: int, total: int) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        alone(Tells()).impute(OBSERVED, Context(on_progress=cancel))


def test_each_batch_has_a_scratch_folder_that_goes(tmp_path: Path) -> None:
    alone(Tells()).impute(OBSERVED, Context(scratch=tmp_path))
    assert not list(tmp_path.iterdir())


def test_it_is_named_in_spec_and_parameters_and_found_by_them() -> None:
    known = registry()
    plain, apart = known.imputer("magic[t=5]"), known.imputer("magic[t=5,per=batch]")
    assert apart == alone(plain) == alone(alone(plain))
    assert apart != plain
    assert is_alone(apart)
    assert not is_alone(plain)
    assert apart.spec == "magic[t=5,per=batch]"
    assert apart.parameters() == {**plain.parameters(), "per": "batch"}
    assert pickle.loads(pickle.dumps(apart)) == copy.deepcopy(apart) == apart
    assert (apart.name, apart.version, apart.devices) == (plain.name, plain.version, plain.devices)
    assert "per" not in {item.name for item in type(plain).describe()}


@pytest.mark.parametrize("text", ["all", "donor", "true"])
def test_per_is_batch_or_left_out(text: str) -> None:
    with pytest.raises(InputError, match="per="):
        registry().imputer(f"magic[per={text}]")


def test_an_own_parameter_of_that_name_stays_the_imputers() -> None:
    @dataclass(frozen=True)
    class Own(Tells):
        per: str = parameter("x", "Its own.")

    assert class_taking(Own, {"per": "y"}) is Own
    with pytest.raises(InputError, match="of its own"):
        alone(Own())


def test_seeds_are_shared_only_where_the_method_shares_them() -> None:
    @dataclass(frozen=True)
    class Shares(Imputer):
        name = "shares"
        summary = "For tests"

        def impute_many(self, observed: Observed, contexts: Sequence[Context]) -> list[Imputed]:
            seeds = [context.seed for context in contexts]
            values = observed.lognorm + len(observed.lognorm)
            return [Imputed(values * seed, "lognorm", info={"all": seeds}) for seed in seeds]

    assert shares_seeds(alone(Shares()))
    assert not shares_seeds(alone(Tells()))
    one, three = alone(Shares()).impute_many(OBSERVED, [Context(seed=1), Context(seed=3)])
    assert np.array_equal(one.expression[LEFT], OBSERVED.lognorm[LEFT] + 20)
    assert np.allclose(three.expression, 3 * one.expression)
    assert one.info["fits"]["left"] == {"all": [1, 3]}


def test_the_worker_builds_it_from_the_imputers_own_class() -> None:
    apart = alone(registry().imputer("magic[t=3]"))
    kind = type(apart)
    reference = {
        "file": None,
        "module": kind.__module__,
        "class": kind.__qualname__,
        "params": apart.parameters(),
    }
    assert build_imputer(reference) == apart


def test_keys_of_other_jobs_are_what_they_were() -> None:
    posed = Posed("d", "p", "f", Path(), hidden=-1, metrics=(), has_truth=False)
    plain = registry().imputer("gene-mean")
    keys = [Task(one, (1,), (posed,)).keys[0] for one in (plain, alone(plain))]
    assert keys[0] == "e6b5b48f3fa2ce9a758b"
    assert keys[1] != keys[0]


@pytest.mark.parametrize(
    "check",
    [
        frozen_dataclass,
        parameters_are_described,
        parameters_are_validated,
        pickles_and_copies,
        spec_reads_back,
    ],
    ids=lambda check: check.name,
)
def test_declarations_conform(check: testing.Check) -> None:
    assert check.result(alone(registry().imputer("magic"))).verdict == "passed"


def test_checks_of_what_a_method_returns_are_of_the_method_itself() -> None:
    result = input_is_not_modified.result(alone(Tells()))
    assert (result.verdict, "leave out per" in result.message) == ("skipped", True)
