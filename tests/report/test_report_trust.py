"""What the page says of reads, of masking beside thinning, and of scores that seeds do not move."""

import re
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from impbench.metrics.masked import masked_rmse
from impbench.metrics.thinned import thinned_poisson
from impbench.protocols.molecules import MOLECULES_AT_MOST, median_count
from impbench.report import write_report
from impbench.report.analysis.advice import advise
from impbench.report.analysis.findings import find
from impbench.report.analysis.question import questions
from impbench.report.analysis.run import make_run as run_of
from impbench.report.analysis.run import run_of_results
from impbench.report.analysis.tables import summarise
from impbench.report.analysis.trust import opposite_note, reads_note
from impbench.report.page.views import dataset_table, metric_tables, verdict_text
from impbench.results.manifest import AboutDataset, AboutProtocol, RunManifest
from impbench.results.table import tidy

METRICS = {metric.name: metric for metric in (masked_rmse, thinned_poisson)}


def make_run(medians, losses=None):
    """Masking and thinning of datasets with these median counts; `losses` by imputer."""
    import pandas as pd

    losses = losses or {"no-imputation": (1.0, 3.0), "a": (2.0, 2.0), "b": (3.0, 1.0)}
    rows = []
    for dataset in medians:
        for protocol, metric in (("thinning", "thinned-poisson"), ("masking", "masked-rmse")):
            for imputer, (thinned, masked) in losses.items():
                value = thinned if protocol == "thinning" else masked
                key = f"{dataset}{protocol}{imputer}"
                rows.append((dataset, protocol, imputer, "{}", 1, metric, value, "ok", "", key))
    manifest = RunManifest(
        datasets={name: AboutDataset(name, median_count=n) for name, n in medians.items()},
        protocols={"thinning": AboutProtocol(params={"train": 0.9}), "masking": AboutProtocol()},
    )
    return run_of_results(pd.DataFrame(rows, columns=tidy([]).columns), manifest, METRICS)


def test_counts_of_molecules_are_told_from_reads_by_their_median():
    rng = np.random.default_rng(0)
    molecules = rng.poisson(rng.gamma(0.3, 3.0, size=(80, 200)))
    # Each molecule that was caught is read some thirty times.
    reads = rng.poisson(30 * molecules)
    assert median_count(sp.csr_matrix(molecules)) <= MOLECULES_AT_MOST
    assert median_count(sp.csr_matrix(reads)) > MOLECULES_AT_MOST
    assert median_count(np.zeros((3, 2))) is None
    assert median_count(np.zeros((0, 2))) is None


def test_thinning_of_reads_alone_comes_last_and_says_why():
    run = make_run({"reads": 27.0})
    assert run.protocols == ["masking", "thinning"]
    lead, why = reads_note(run, "thinning")
    assert lead == "The counts of reads look like reads, not molecules."
    assert "27 or more" in why
    assert reads_note(run, "masking") is None
    summary = summarise(run)
    (found,) = [item for item in find(run, summary) if item.lead == lead]
    assert found.kind == "caution"
    told = {item.purpose: " ".join(item.reasons) for item in advise(run, summary, [])}
    assert "the counts look like reads" in told["thinning"]
    assert "look like reads" not in told["masking"]


def test_thinning_of_molecules_keeps_its_place():
    run = make_run({"umis": 2.0})
    assert run.protocols == ["thinning", "masking"]
    assert reads_note(run, "thinning") is None
    # One dataset of two leaves the protocol where it was, and is named.
    both = make_run({"umis": 2.0, "reads": 27.0})
    assert both.protocols == ["thinning", "masking"]
    assert "counts of reads look" in reads_note(both, "thinning")[0]


def test_older_manifests_say_nothing_of_reads():
    run = make_run({"old": None})
    assert reads_note(run, "thinning") is None


def test_why_masking_and_thinning_disagree_is_said_where_both_stand():
    run = make_run({"umis": 2.0})
    lead, why = opposite_note(run, summarise(run))
    assert "may rank methods nearly oppositely" in lead
    assert "thinning shows 90% of every count" in why
    assert "ρ = −1.00" in why
    alone = run_of_results(run.results[run.results["protocol"] == "masking"], run.manifest, METRICS)
    assert opposite_note(alone, summarise(alone)) is None


def test_losses_that_do_not_compare_are_shown_as_differences_to_doing_nothing():
    run = make_run({"umis": 2.0})
    table = metric_tables(run, summarise(run))["thinning", "thinned-poisson"]
    cells = {row.name: row.cells[-1] for row in table.rows}
    assert cells["b"].text == "+2.00"
    assert cells["no-imputation"].text == "0"
    assert "loss 3.00; no imputation 1.00" in cells["b"].hover
    assert "difference to no imputation per cell and gene" in table.caption
    question = next(item for item in questions(run, summarise(run)) if item.protocol == "thinning")
    assert question.score("b") == "Thinned Poisson +2.00 against no imputation"


@pytest.mark.parametrize(
    ("verdicts", "text"),
    [
        ([], "one seed"),
        (["worse"], "worse"),
        (["not told apart"], "not told apart"),
        (["better", "better"], "better on 2 of 2"),
        (["better", "worse", "worse"], "better on 1, worse on 2 of 3"),
    ],
)
def test_gains_say_better_worse_or_not_told_apart(verdicts, text):
    assert verdict_text(verdicts) == text


@pytest.mark.slow
def test_interval_stands_where_seeds_do_not_vary_and_else_on_hover(make_store):
    store = make_store(pictures=False)
    for record in store.read().records:
        if record.status == "ok" and "mse" in record.scores:
            mse = record.scores["mse"]
            store.write_record(replace(record, intervals={"mse": (0.9 * mse, 1.1 * mse + 0.01)}))
    run = run_of(store.read())
    summary = summarise(run)
    table = dataset_table(run, summary, "sim_rare[n_cells=500]", "simulated-truth")
    cells = {row.name: row.cells[0] for row in table.rows}
    assert "over cells" in cells["maskclass-prior"].note
    assert "over cells" not in cells["magic"].note
    assert "95 % interval over cells" in cells["magic"].hover
    text = re.sub(r"\s+", " ", write_report(store.read()).read_text(encoding="utf-8"))
    assert "“± 0” says that seeds change nothing, not that the score is exact" in text
    question = next(questions(run, summary))
    score = question.score("maskclass-prior")
    assert re.match(r"MSE 0\.\d+ \(over cells 0\.\d+ to 0\.\d+\), ", score)
    assert "±" in question.score("magic")


def test_failures_are_marked_on_the_page_wherever_they_count(default_run):
    text = (default_run.folder / "report.html").read_text(encoding="utf-8")
    assert "* rests on fewer results than were asked; a failed imputation counts as the worst" in (
        re.sub(r"\s+", " ", text)
    )
    assert "2 of 4 lost" in text
    assert re.search(r"rank [0-9.]+\*", text)
    assert re.search(r"skill [+−0-9.]+\*", text)
