"""Where AutoImpute's stop falls when TensorFlow's own operations follow the rules we describe.

Run ``python benchmarks/autoimpute_stop.py REFERENCE [--inputs NAME ...] [--seeds N ...]`` with
``pip install tensorflow-cpu==2.15.1 anndata`` and no impbench. REFERENCE is that of
``parity_autoimpute.py``. The network, first weights, error and RMSProp are TensorFlow's of its
graphs (``compat.v1``), on one thread. A line per training: the first steps at which the error per
cell changed by no more than each threshold, and the mean squared misfit of the non-zeros there;
training ends at the smallest, which is the published one.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import anndata
import numpy as np
import tensorflow.compat.v1 as tf

THRESHOLDS = (1e-3, 5e-4, 2e-4, 1e-4)
HIDDEN, RATE, STEPS = 2000, 1e-4, 7000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", type=Path)
    parser.add_argument("--inputs", nargs="+", default=["small_rare", "small_celseq2"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    arguments = parser.parse_args()
    tf.disable_v2_behavior()
    print("| input | seed | " + " | ".join(f"≤ {t:g}" for t in THRESHOLDS) + " | CPU s |")
    for name in arguments.inputs:
        counts = anndata.read_h5ad(arguments.reference / "inputs" / f"{name}.h5ad").X
        counts = np.asarray(getattr(counts, "todense", lambda c=counts: c)(), dtype=float)
        sizes = counts.sum(axis=1, keepdims=True)
        x = np.log2(1 + counts / sizes * np.median(sizes)).astype(np.float32)
        for seed in arguments.seeds:
            start = time.process_time()
            errors = trained(x, seed)
            changes = np.abs(np.diff(errors, prepend=0))
            cells = [f"{name} | {seed}"]
            for threshold in THRESHOLDS:
                settled = np.flatnonzero(changes <= threshold)
                if len(settled):
                    misfit = errors[settled[0]] * len(x) / np.count_nonzero(x)
                    cells.append(f"{settled[0] + 1} ({misfit:.3f})")
                else:
                    cells.append("never")
            print(f"| {' | '.join(cells)} | {time.process_time() - start:.0f} |", flush=True)


def trained(x: np.ndarray, seed: int) -> list[float]:
    """Return the squared error at the non-zeros per cell before each step."""
    tf.reset_default_graph()
    tf.set_random_seed(seed)
    genes = x.shape[1]
    shown = tf.placeholder(tf.float32, x.shape)
    mask = tf.placeholder(tf.float32, x.shape)
    shapes = {"E": [genes, HIDDEN], "e": [HIDDEN], "D": [HIDDEN, genes], "d": [genes]}
    first = {name: tf.Variable(tf.random_normal(shape)) for name, shape in shapes.items()}
    hidden = tf.sigmoid(shown @ first["E"] + first["e"])
    error = tf.reduce_sum(tf.square((hidden @ first["D"] + first["d"] - shown) * mask))
    penalty = tf.nn.l2_loss(first["E"]) + tf.nn.l2_loss(first["D"])
    step = tf.train.RMSPropOptimizer(RATE).minimize(error + penalty)
    one = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    fed = {shown: x, mask: (x != 0).astype(np.float32)}
    errors = [0.0]
    with tf.Session(config=one) as session:
        session.run(tf.global_variables_initializer())
        for _ in range(STEPS):
            _, squares = session.run([step, error], fed)
            errors.append(squares / len(x))
            if abs(errors[-1] - errors[-2]) <= min(THRESHOLDS):
                break
    return errors[1:]


if __name__ == "__main__":
    main()
