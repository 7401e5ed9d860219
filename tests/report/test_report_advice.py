"""What to do for a purpose, and how sure: verdicts on scores made for the case."""

from dataclasses import replace

import pandas as pd
import pytest

from impbench.data.result_places import FREE
from impbench.metrics.clustering import ari
from impbench.metrics.cost import wall_seconds
from impbench.metrics.error import mse
from impbench.report.analysis.advice import REPEATS, advise
from impbench.report.analysis.heading import heading
from impbench.report.analysis.impute_command import impute_command
from impbench.report.analysis.left_out import left_out
from impbench.report.analysis.run import run_of_results
from impbench.report.analysis.shown_metric import ShownMetric
from impbench.report.analysis.statistics import compare
from impbench.report.analysis.tables import summarise
from impbench.results.manifest import (
    AboutDataset,
    AboutImputer,
    AboutProtocol,
    AboutSuite,
    NotAsked,
    RunManifest,
)
from impbench.results.table import COLUMNS

METRICS = {metric.name: metric for metric in (mse, ari, wall_seconds)}
CONTROLS = ("no-imputation", "gene-mean")
MINE = AboutDataset(
    "mine[genes=50]",
    n_cells=100,
    n_genes=50,
    n_groups=3,
    own="file",
    parameters={"path": "my data/mine.h5ad", "layer": "raw counts", "batch_key": "donor"},
)


def make_run(scores, datasets=("mine[genes=50]",), failed=(), own=True):
    """`scores` maps an imputer to the ARI of every seed, on every dataset alike."""
    rows = []
    for data in datasets:
        for name, values in scores.items():
            for seed, value in enumerate(values, 1):
                status = "failed" if (name, seed) in failed else "ok"
                value = float("nan") if status == "failed" else value
                key = f"{data}{name}{seed}"
                row = (data, "clustering", name, "{}", seed, "ari", value, status, "", key)
                rows.append(row)
    manifest = RunManifest(
        suite=AboutSuite("default", "impbench default", "Two simulations."),
        seeds=tuple(range(1, 1 + max(map(len, scores.values())))),
        datasets={name: MINE if own else AboutDataset(name) for name in datasets},
        imputers={name: AboutImputer(name, is_control=name in CONTROLS) for name in scores},
        protocols={"clustering": AboutProtocol(purpose="clustering", summary="Do groups agree?")},
    )
    return run_of_results(pd.DataFrame(rows, columns=COLUMNS), manifest, METRICS)


def answer(run):
    summary = summarise(run)
    (found,) = advise(run, summary, compare(run, summary))
    return found


def around(level, n, step=0.01):
    """Scores of `n` seeds that differ a little."""
    return [level + step * (-1) ** i for i in range(n)]


@pytest.mark.parametrize(
    ("n_seeds", "sure"), [(2, "rests on little"), (3, "fairly sure"), (5, "quite sure")]
)
def test_better_method_is_advised_and_the_more_repeats_the_surer(n_seeds, sure):
    scores = {"a": around(0.8, n_seeds), "b": around(0.5, n_seeds)}
    found = answer(make_run({**scores, "no-imputation": [0.4] * n_seeds}))
    assert (found.verdict, found.choice, found.sure) == ("use a", "a", sure)
    text = "; ".join(found.reasons)
    assert "ARI 0.8" in text
    assert "without imputation 0.4" in text
    assert "(higher is better)" in text
    assert f"{n_seeds} repeats" in text
    assert ("to be surer, repeat with 5 seeds" in text) == (n_seeds < REPEATS[1])


def test_difference_within_the_spread_of_seeds_leaves_the_data_alone():
    run = make_run({"a": [0.2, 0.9, 0.4], "no-imputation": [0.4, 0.4, 0.4]})
    found = answer(run)
    assert (found.verdict, found.choice) == ("leave your data alone", None)
    assert "no method did better by more than chance" in "; ".join(found.reasons)
    assert found.command == ""


@pytest.mark.parametrize(("n", "sure"), [(5, "rests on little"), (6, "fairly sure")])
def test_many_datasets_without_a_winner_are_a_better_repeat_than_seeds(n, sure):
    datasets = [f"cells{i}" for i in range(n)]
    run = make_run({"a": [0.41] * 2, "no-imputation": [0.4] * 2}, datasets, own=False)
    found = answer(run)
    assert (found.verdict, found.sure) == ("leave your data alone", sure)
    assert (f"on most of {n} datasets" in "; ".join(found.reasons)) == (n >= 6)


def test_worse_method_leaves_the_data_alone():
    found = answer(make_run({"a": around(0.1, 5), "no-imputation": [0.4] * 5}))
    assert (found.verdict, found.sure) == ("leave your data alone", "quite sure")
    assert "every method did worse" in "; ".join(found.reasons)


@pytest.mark.parametrize(("level", "verdict"), [(0.41, "leave your data alone"), (0.9, "use a")])
@pytest.mark.parametrize("n_seeds", [1, 5])
def test_single_result_rests_on_little_however_many_seeds_repeat_it(level, verdict, n_seeds):
    found = answer(make_run({"a": [level] * n_seeds, "no-imputation": [0.4] * n_seeds}))
    assert (found.verdict, found.sure) == (verdict, "rests on little")
    why = "one seed" if n_seeds == 1 else "every seed gave the same"
    text = "; ".join(found.reasons)
    assert f"a single result ({why})" in text
    assert ("repeat with 5 seeds" in text) == (n_seeds == 1)


def test_intervals_over_cells_that_lie_apart_make_surer():
    run = make_run({"a": [0.41], "no-imputation": [0.40]})
    summary = summarise(run).assign(low=[0.405, 0.395], high=[0.415, 0.402])
    (found,) = advise(run, summary, [])
    assert (found.verdict, found.sure) == ("use a", "fairly sure")
    assert "95 % intervals over cells, which lie apart" in "; ".join(found.reasons)


def test_failure_is_never_advised_and_is_said():
    scores = {"a": around(0.9, 3), "b": around(0.6, 3), "no-imputation": [0.4] * 3}
    found = answer(make_run(scores, failed={("a", 2)}))
    assert found.choice == "b"
    assert "failed, so not advised: a" in found.reasons
    alone = answer(make_run({"a": scores["a"], "no-imputation": [0.4] * 3}, failed={("a", 2)}))
    assert (alone.verdict, alone.choice, alone.sure) == ("no answer", None, "")


def test_methods_not_told_apart_and_a_control_that_is_ahead_are_said():
    scores = {"a": [0.8, 0.7, 0.9], "b": [0.7, 0.8, 0.8], "gene-mean": [0.95] * 3}
    found = answer(make_run({**scores, "no-imputation": [0.1] * 3}))
    assert found.choice == "a"
    assert "not told apart from it: b" in found.reasons
    assert "but gene-mean, a simple rule, ranks before it" in found.reasons


def test_without_no_imputation_there_is_nothing_to_compare_with():
    found = answer(make_run({"a": around(0.9, 5), "b": around(0.1, 5)}))
    assert (found.verdict, found.sure) == ("use a", "rests on little")


def test_many_datasets_are_judged_by_the_tests_over_them():
    names = [f"d{i}" for i in range(12)]
    scores = {"a": [0.8, 0.81], "b": [0.7, 0.72], "no-imputation": [0.4, 0.4]}
    found = answer(make_run(scores, names, own=False))
    assert (found.choice, found.sure, found.command) == ("a", "quite sure", "")
    assert "against no imputation, a is better on 12 of 12 questions" in found.reasons
    assert any(reason.startswith("better over datasets: Wilcoxon") for reason in found.reasons)


def test_command_holds_what_the_run_was_told_and_is_quoted():
    run = make_run({"magic[t=5]": around(0.8, 2), "no-imputation": [0.4] * 2})
    about = {"magic[t=5]": AboutImputer("magic", plugin="my plugin.py")}
    manifest = replace(run.manifest, imputers={**run.manifest.imputers, **about})
    assert impute_command(replace(run, manifest=manifest), "magic[t=5]") == (
        "impbench impute 'my data/mine.h5ad' --method 'magic[t=5]' --out mine-magic-t-5.h5ad "
        "--layer 'raw counts' --batch-key donor --n-groups 3 --plugin 'my plugin.py'"
    )


def test_command_names_a_free_layer_where_imputed_is_taken():
    run = make_run({"magic": around(0.8, 2), "no-imputation": [0.4] * 2})
    (name, about), *_ = run.manifest.datasets.items()
    taken = replace(about, facts={**about.facts, FREE: "imputed_2"})
    manifest = replace(run.manifest, datasets={name: taken})
    assert " --key-added imputed_2" in impute_command(replace(run, manifest=manifest), "magic")


def test_own_data_are_the_heading_and_the_suite_is_not():
    run = make_run({"a": [0.8], "no-imputation": [0.4]})
    found = heading(run)
    assert found.title == "Does imputation help mine.h5ad?"
    text = " ".join(found.lead)
    assert "100 cells × 50 genes" in text
    assert "clustering" in text
    assert "a, beside 1 control, 1 seed each" in text
    assert "Two simulations" not in text


def test_suite_keeps_its_text_only_while_it_is_that_suite():
    run = make_run({"a": [0.8], "no-imputation": [0.4]}, ["sim"], own=False)
    assert heading(run).lead == ("Two simulations.",)
    suite = replace(run.manifest.suite, replaced=("imputers", "datasets"))
    changed = heading(replace(run, manifest=replace(run.manifest, suite=suite)))
    assert changed.title == "a on sim"
    assert "Two simulations" not in " ".join(changed.lead)
    assert changed.lead[-1] == (
        "Not the suite default as it is: its imputers and its datasets were replaced."
    )


def test_slices_of_a_suite_are_called_a_part_of_it():
    run = make_run({"a": [0.8], "no-imputation": [0.4]}, ["sim"], own=False)
    suite = replace(run.manifest.suite, replaced=("datasets", "protocols"))
    parts = (run.manifest.as_part("one"), run.manifest.as_part("two"))
    found = heading(replace(run, manifest=replace(run.manifest, suite=suite, merged=parts)))
    assert found.title == f"{suite.title}, in part"
    assert found.lead[-1] == (
        "A part of the suite default: of its datasets and protocols not all have been run."
    )


def test_what_could_not_be_asked_has_its_purpose_and_the_words_of_the_interface():
    run = make_run({"a": [0.8], "no-imputation": [0.4]})
    reason = "no labels; give them with --label-key"
    manifest = replace(run.manifest, skipped=(NotAsked("mine[genes=50]", "clustering", reason),))
    (item,) = left_out(replace(run, manifest=manifest))
    assert (item.what, item.reason, item.own) == ("clustering (clustering)", reason, True)
    memory = {"mine[genes=50]": replace(MINE, own="memory")}
    (item,) = left_out(replace(run, manifest=replace(manifest, datasets=memory)))
    assert item.reason == "no labels; give them with label_key"


def test_metric_explains_itself_and_a_strangers_by_its_first_line():
    assert ShownMetric.of("ari", METRICS).explanation.endswith("; higher is better, 1 is best.")
    explained = ShownMetric.of("x", {"x": replace(ari, name="x", meaning="")}).explanation
    assert explained.startswith("Pairs of cells that clusters and cell types treat alike")
