"""How far ZiPo's training parts between two orders of rounding, with the same seed.

Run ``python benchmarks/zipo_builds.py FILE.h5ad [--seed N]``, raw counts in X and, for the error,
``layers["true_counts"]``. PyTorch and MKL are asked in a process of its own for the instructions of
an older processor, which stands for another build: the same numbers, added up in another order.
Each line tells from which epoch on the validation losses differ by more than 1 %, by how much
they differ after the first, and where both end. ``float64``: all weights and sums of the network in
double precision; as published only the likelihood is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

OLDER = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "SSE4_2"}
SPECS = ("zipo", "zipo[input=log]", "zipo-zinb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--specs", nargs="+", default=SPECS)
    parser.add_argument("--one", nargs=2, metavar=("SPEC", "DTYPE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(train(*arguments.one, arguments.file, arguments.seed)))
        return
    print("| imputer | network | after one epoch | parted at | best loss | MSE | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for spec in arguments.specs:
        for dtype in ("float32", "float64"):
            call = [sys.executable, __file__, arguments.file, "--seed", str(arguments.seed)]
            here, older = (
                json.loads(
                    subprocess.run(
                        [*call, "--one", spec, dtype],
                        env={**os.environ, "OMP_NUM_THREADS": "1", **changed},
                        capture_output=True,
                        check=True,
                    ).stdout.splitlines()[-1]
                )
                for changed in ({}, OLDER)
            )
            show(spec, dtype, here, older)


def show(spec: str, dtype: str, here: dict[str, Any], older: dict[str, Any]) -> None:
    """Print one line of the table."""
    apart = [abs(a - b) / abs(a) for a, b in zip(here["losses"], older["losses"], strict=False)]
    parted = next((epoch for epoch, share in enumerate(apart, 1) if share > 0.01), "never")
    ends = " and ".join(f"{min(run['losses']):.0f}" for run in (here, older))
    errors = " and ".join(f"{run['mse']:.2f}" for run in (here, older))
    line = (f"`{spec}`", dtype, f"{apart[0]:.0e}", parted, ends, errors, f"{here['seconds']:.0f}")
    print(f"| {' | '.join(map(str, line))} |", flush=True)


def train(spec: str, dtype: str, file: str, seed: int) -> dict[str, Any]:
    """Train once; validation loss of every epoch, MSE and CPU seconds."""
    import anndata
    import impbench_plugins.zipo.training as training
    import torch

    from impbench import Context, Observed, get_imputer

    kind, losses = getattr(torch, dtype), list[float]()
    draw, validate = training.draw_weights, training._validate

    class Network(training.ZipoNetwork):
        def forward(self, inputs: Any, known: Any) -> Any:
            return super().forward(inputs.to(kind), known.to(kind))

    def draw_then_convert(network: Any, generator: Any) -> None:
        draw(network, generator)
        network.to(kind)

    def note(*arguments: Any) -> float:
        losses.append(validate(*arguments))
        return losses[-1]

    training.ZipoNetwork = Network  # type: ignore[misc]
    training.draw_weights, training._validate = draw_then_convert, note
    cells = anndata.read_h5ad(file)
    observed, mse = Observed.from_counts(cells.X), float("nan")
    start = time.process_time()
    imputed = get_imputer(spec).impute(observed, Context(seed=seed))
    seconds = time.process_time() - start
    if "true_counts" in cells.layers:
        truth = Observed.from_counts(cells.layers["true_counts"]).lognorm
        mse = float(((imputed.lognorm(observed) - truth) ** 2).mean())
    return {"losses": losses, "mse": mse, "seconds": seconds}


if __name__ == "__main__":
    main()
