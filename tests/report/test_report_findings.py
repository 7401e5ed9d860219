"""The sentences at the top say what the numbers say, and no more."""

from dataclasses import replace

import pytest

from impbench.report.analysis.findings import find
from impbench.report.analysis.run import make_run
from impbench.report.analysis.tables import summarise

WITH_ATTAINABLE = ["no-imputation", "gene-mean", "permuted", "maskclass-prior", "attainable"]


@pytest.fixture
def sentences(make_store):
    """Lead sentences by topic, for records whose scores `change` may rewrite."""

    def make(change=None, **options):
        store = make_store(pictures=False, **options)
        for record in store.read().records:
            if change is not None and record.status == "ok":
                store.write_record(replace(record, scores=change(record.job, dict(record.scores))))
        run = make_run(store.read())
        return {(item.topic, item.kind): item for item in find(run, summarise(run))}

    return make


def test_best_method_is_named_with_its_scores(sentences):
    found = sentences()["simulated-truth, 2 simulated datasets", "result"]
    assert found.lead == "maskclass-best had the lowest MSE of all methods, beyond seed noise."
    assert any("best control (maskclass-prior)" in text for text in found.details)


def test_no_method_better_than_the_best_control_is_said_first(sentences):
    def worse(job, scores):
        if job.imputer in ("maskclass-best", "maskclass-balanced", "magic") and "ari" in scores:
            scores["ari"] = 0.1 + 0.01 * job.seed
        return scores

    found = sentences(worse)["clustering, 1 real dataset", "caution"]
    assert found.lead == (
        "No method improved ARI over the best control (maskclass-prior) beyond seed noise."
    )
    assert "shared the highest ARI" in " ".join(found.details)


def test_no_imputation_as_best_control_is_said_in_words(sentences):
    def raw_is_best(job, scores):
        if "ari" in scores:
            scores["ari"] = 0.9 if job.imputer == "no-imputation" else 0.5 + 0.01 * job.seed
        return scores

    found = sentences(raw_is_best)["clustering, 1 real dataset", "caution"]
    assert "over no imputation at all beyond seed noise" in found.lead
    text = " ".join(found.details)
    assert "Against it, worse: maskclass-best on 1 of 1" in text
    assert "beyond noise on" not in text
    assert "maskclass-prior, a formula without a network, beyond seed noise: no method" in text


def test_lead_within_seed_noise_is_not_called_a_win(sentences):
    def close(job, scores):
        if "mse" in scores and job.imputer.startswith("maskclass-b"):
            best = job.imputer == "maskclass-best"
            scores["mse"] = {1: 0.10, 2: 0.14}[job.seed] if best else 0.121
        return scores

    found = sentences(close)["simulated-truth, 2 simulated datasets", "result"]
    assert found.lead == (
        "maskclass-best had the lowest MSE of all methods, but not ahead of maskclass-balanced "
        "beyond seed noise."
    )


def test_one_seed_claims_nothing_about_noise(sentences):
    found = sentences(seeds=1)
    lead = found["simulated-truth, 2 simulated datasets", "result"].lead
    assert "with one seed it cannot be said" in lead
    assert any("Every score rests on one seed" in item.lead for item in found.values())
    assert not any("Better than" in text for item in found.values() for text in item.details)


def test_failures_and_missing_controls_are_told(sentences):
    failing = {("pbmc68k-reduced", "magic", 1): ("timeout", "stopped after 600 s", "")}
    leads = [item.lead for item in sentences(failing=failing).values()]
    assert any("1 of 88 jobs gave no result: magic (timeout, 1 job)." in lead for lead in leads)


def test_method_that_failed_on_a_dataset_is_not_called_best(sentences):
    failing = {
        ("sim_rare[n_cells=500]", "maskclass-best", seed): ("failed", "ValueError", "")
        for seed in (1, 2)
    }
    lead = sentences(failing=failing)["simulated-truth, 2 simulated datasets", "caution"]
    assert "No method improved MSE" in lead.lead
    text = " ".join(lead.details)
    assert "maskclass-balanced had the lowest MSE of all methods that never failed" in text
    assert "counts as the worst score reached there: maskclass-best in 2 of 4 imputations" in text


def test_method_with_one_failed_seed_is_not_called_best(sentences):
    failing = {("pbmc68k-reduced", "maskclass-best", 2): ("failed", "ValueError", "")}
    found = sentences(failing=failing)
    text = " ".join(
        (item.lead + " ".join(item.details))
        for (topic, _), item in found.items()
        if topic == "clustering, 1 real dataset"
    )
    assert "maskclass-best had" not in text
    assert "maskclass-best in 1 of 2 imputations" in text
    assert not any("maskclass-best was the fastest" in item.lead for item in found.values())


def test_how_far_methods_and_a_formula_go_to_attainable_is_said(sentences):
    def scores_of(job, scores):
        if "mse" in scores:
            mse = {"no-imputation": 7.84, "attainable": 0.361, "maskclass-prior": 0.368}
            scores["mse"] = mse.get(job.imputer, 0.42 + 0.001 * job.seed)
        return scores

    found = sentences(scores_of, controls=WITH_ATTAINABLE)
    topic = "simulated-truth, 2 simulated datasets"
    text = " ".join(found.get((topic, "caution"), found.get((topic, "result"))).details)
    # (7.84 - 0.368) / (7.84 - 0.361) and (7.84 - 0.4215) / (7.84 - 0.361)
    assert "Of the way from doing nothing (0) to attainable (1): maskclass-best +0.99" in text
    assert "maskclass-prior +0.999" in text
    assert "goes nearly all of the way, and leaves 0.094 % of it to gain" in text


def test_attainable_is_neither_ranked_nor_the_best_control(make_store):
    run = make_run(make_store(pictures=False, controls=WITH_ATTAINABLE).read())
    summary = summarise(run)
    assert summary.loc[summary["imputer"] == "attainable", "rank"].isna().all()
    assert "attainable" not in set(summary["control"])
    assert "attainable" not in run.controls


def test_no_score_at_all_is_said(sentences):
    (found,) = sentences(all_fail=True).values()
    assert found.lead == "No job gave a score."


def test_no_controls_at_all_are_missed(sentences):
    leads = [item.lead for item in sentences(controls=[]).values()]
    assert any(lead.startswith("No control imputer ran") for lead in leads)


def test_metric_on_which_a_control_reaches_the_truth_is_said_to_leave_no_room(sentences):
    def easy(job, scores):
        if "ari" in scores and job.imputer in ("oracle", "nonzero-mean"):
            scores["ari"] = 1.0
        return scores

    found = sentences(easy)["clustering, 2 simulated datasets", "caution"]
    assert "so no method could be better" in " ".join(found.details)
