from impbench.builtin import impbench_metrics
from impbench.metrics.metric import metric
from impbench.protocols.evidence import OF_EVERY_PROBLEM
from impbench.registry import registry


def test_arguments_of_the_function_say_what_a_metric_needs():
    @metric("gap", title="Gap", direction="min", range=(0, 9))
    def gap(truth, imputed):
        """Say how wide the gap is.

        More words.
        """
        return truth - imputed

    assert gap.needs == ("truth", "imputed")
    assert gap.summary == "Say how wide the gap is."
    assert gap(3, 1) == 2.0
    assert isinstance(gap(3, 1), float)
    assert gap.ideal == 0


def test_every_metric_of_the_suite_is_found_once_and_asks_for_what_a_protocol_offers():
    found = impbench_metrics()
    names = [item.name for item in found]
    assert len(names) == len(set(names))
    assert {"mse", "biozero-mse", "dropout-mse", "nonzero-mse"} <= set(names)
    assert {"pearson-gene", "pearson-cell"} <= set(names)
    assert {"ari", "nmi", "purity", "entropy", "asw", "celltype-asw", "batch-asw"} <= set(names)
    assert {"wall-seconds", "cpu-seconds", "peak-memory"} <= set(names)
    offered = {*OF_EVERY_PROBLEM, *registry().offers()}
    assert all({*item.needs, *item.cell_needs} <= offered for item in found)
