"""With a secret seed nobody can know a run's simulations and masks before it ends."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

import impbench
from impbench.cli import app
from impbench.data.simulate import SCENARIOS
from impbench.errors import InputError
from impbench.plan.suite import Question, Suite
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.run import Results
from impbench.runner.secret import Secret, withhold
from impbench.runner.settings import Listener, Settings

pytestmark = pytest.mark.slow

SPEC = "sim_rare[n_cells=40,n_genes=50]"
CHOSEN = "sim_rare[n_cells=40,n_genes=50,seed=7]"
SUITE = Suite(
    name="secret",
    title="secret",
    description="",
    questions=(Question((SPEC, CHOSEN), ("simulated-truth", "masking")),),
    imputers=("gene-mean", "no-imputation"),
    seeds=1,
    controls=False,
)
FIRST = Secret("0123456789abcdef" * 2)
OTHER = Secret("fedcba9876543210" * 2)


def run(out: Path, secret: Secret | None, listener: Listener | None = None) -> Results:
    settings = Settings(jobs=1, threads=1, timeout=60.0, memory=None)
    return impbench.run(
        SUITE, out, settings=settings, secret=secret, listener=listener, report=False
    )


def scores(out: Path) -> dict[tuple[str, str, str], dict[str, float]]:
    return {
        (r.job.dataset, r.job.protocol, r.job.imputer): {
            name: value for name, value in r.scores.items() if "mse" in name
        }
        for r in Store(out).read().records
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name, secret in (("usual", None), ("first", FIRST), ("again", FIRST), ("other", OTHER)):
        folders[name] = tmp_path_factory.mktemp(name)
        run(folders[name], secret)
    return folders


def test_same_secret_repeats_a_run_and_another_is_another(done: dict[str, Path]) -> None:
    found = {name: scores(folder) for name, folder in done.items()}
    assert found["first"] == found["again"]
    question = (SPEC, "simulated-truth", "gene-mean")
    assert len({found[name][question]["mse"] for name in ("usual", "first", "other")}) == 3
    keys = {name: {r.key for r in Store(folder).read().records} for name, folder in done.items()}
    assert keys["first"] == keys["again"]
    # Results of a public seed must never pass for those of a secret one.
    assert not keys["first"] & (keys["usual"] | keys["other"])


def test_a_seed_that_the_user_chose_stays_and_only_its_masks_are_others(
    done: dict[str, Path],
) -> None:
    usual, first = scores(done["usual"]), scores(done["first"])
    truth = (CHOSEN, "simulated-truth", "gene-mean")
    assert usual[truth] == first[truth]
    manifest = Store(done["first"]).manifest()
    assert manifest.datasets[CHOSEN].parameters["seed"] == 7
    masked = {
        name: next(
            r.scores["masked-rmse"]
            for r in Store(done[name]).read().records
            if (r.job.dataset, r.job.protocol, r.job.imputer) == (CHOSEN, "masking", "gene-mean")
        )
        for name in ("usual", "first")
    }
    assert masked["usual"] != masked["first"]


class Spy(Listener):
    """Looks, while the run goes on, wherever a method might."""

    def __init__(self, folder: Path, secret: Secret) -> None:
        self.folder = folder
        source = SCENARIOS["sim_rare"](n_cells=40, n_genes=50)
        drawn = secret.redraw(source)
        assert drawn != source
        curves = drawn.splat_params().dropout_mid
        assert isinstance(curves, tuple)
        telling = (secret.value, drawn.parameters()["seed"], secret.pose_seed, *curves)
        self.telling = [str(item).encode() for item in telling]
        self.n_looked = 0

    def finished(self, record: Record) -> None:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        seen = {str(path): path.read_bytes() for path in files}
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            seen[f"command {process.pid}"] = " ".join(process.cmdline()).encode()
            seen[f"environment {process.pid}"] = repr(process.environ()).encode()
        assert not [name for name, text in seen.items() if any(t in text for t in self.telling)]
        self.n_looked += 1


def test_no_file_command_or_environment_tells_the_seed_before_the_end(tmp_path: Path) -> None:
    spy = Spy(tmp_path, FIRST)
    run(tmp_path, FIRST, spy)
    assert spy.n_looked > 4
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["secret_seed"] == FIRST.value
    # Specs stay those that the user wrote; what was drawn is told beside them.
    assert set(manifest["datasets"]) == {SPEC, CHOSEN}
    drawn = manifest["datasets"][SPEC]
    assert str(drawn["parameters"]["seed"]).encode() in spy.telling
    assert drawn["facts"]["seed"] == drawn["parameters"]["seed"]


class Interrupts(Listener):
    def finished(self, record: Record) -> None:
        raise KeyboardInterrupt


def test_interrupted_run_tells_its_seed_and_goes_on_with_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, FIRST, Interrupts())
    kept = {record.key for record in Store(tmp_path).read().records}
    assert kept
    manifest = Store(tmp_path).manifest()
    assert manifest.secret_seed == FIRST.value

    class Counts(Listener):
        n_done = -1

        def planned(self, jobs: int, done: int) -> None:
            self.n_done = done

    counts = Counts()
    run(tmp_path, Secret(manifest.secret_seed), counts)
    assert counts.n_done == len(kept)
    assert Store(tmp_path).manifest().finished


def test_withheld_is_what_a_seed_determines_of_the_simulated_alone() -> None:
    facts = {"title": "t", "facts": {"seed": 3}, "parameters": {"seed": 3}, "fingerprint": "f"}
    manifest = {"datasets": {"a": facts, "b": facts}, "keys": []}
    assert withhold(manifest, {"a"}) == {"datasets": {"a": {"title": "t"}, "b": facts}, "keys": []}


def test_drawn_secrets_differ_and_do_not_show_themselves() -> None:
    one, two = Secret.draw(), Secret.draw()
    assert one.value != two.value
    assert one.value not in repr(one)
    source = SCENARIOS["sim_equal"]()
    assert one.redraw(source) != two.redraw(source)
    # Beyond what can be tried one by one.
    assert max(Secret.draw().redraw(source).parameters()["seed"] for _ in range(20)) > 2**48


@pytest.mark.parametrize("value", ["", "42", "0123456789ABCDEF" * 2, "g" * 32])
def test_what_is_no_secret_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="no secret seed"):
        Secret(value)


def test_command_line_draws_or_repeats_but_not_both(tmp_path: Path) -> None:
    both = ["run", "--secret-seed", "--revealed-seed", FIRST.value, "--out", str(tmp_path)]
    result = CliRunner().invoke(app, both)
    assert isinstance(result.exception, InputError)
    assert "repeats a known one" in str(result.exception)
