r"""How often `impbench check` cries wolf, and how often it sees a loss of 5 %, on real runs.

::

    impbench run --suite regression --seeds 600 --threads 1 --out reruns
    impbench run --suite benchmarks/regression_slip.toml --plugin benchmarks/regression_slip.py \
        --seeds 300 --threads 1 --out slip
    python benchmarks/regression_reruns.py reruns --slip slip

The first seeds of ``reruns`` are the baseline, the others in fives are that many re-runs of
unchanged methods. Each is checked as it is, with the MSE of one method after the other made 5 %
worse, and with a variant of MaskClass balanced that really has 5 % more MSE (`regression_slip.py`)
in its place: once with other seeds than the baseline's, once with seeds that the baseline has.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from impbench.regress.check import check
from impbench.regress.measured import Measured, Sample, ScoreKey, measure

LOSS = 1.05
METHOD, SLIP = "maskclass-balanced", "maskclass-balanced-slip"
K = 5
"""Seeds of a check."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="of the suite regression, with many seeds")
    parser.add_argument("--slip", type=Path, help="run of the worse variant")
    parser.add_argument("--baseline", type=int, nargs="+", default=[100, 50, 10], help="seeds")
    options = parser.parse_args()
    pool = measure(options.run)
    noisy = [entry for entry, sample in pool.scores.items() if sample.sd > 0]
    leading = [entry for entry in noisy if pool.scores[entry].leads]
    print(f"{len(pool.seeds)} seeds; {len(noisy)} scores with noise, {len(leading)} of them lead")
    slip = None if options.slip is None else in_place_of(pool, measure(options.slip))
    for n in options.baseline:
        print(f"\nbaseline of {n} seeds, builds of {K}")
        unchanged(pool, n)
        for entry in noisy:
            if entry.metric == "mse":
                multiplied(pool, entry, n)
        if slip is not None:
            real_loss(pool, slip, n)


def unchanged(pool: Measured, n: int) -> None:
    """Count false alarms, and say which scores raised them."""
    base = of_seeds(pool, pool.seeds[:n])
    builds = [check(base, of_seeds(pool, seeds)) for seeds in fives(pool.seeds[n:])]
    alarms = Counter(
        finding.entry[1:] for build in builds for finding in build.having("regression")
    )
    failed = sum(build.exit_code != 0 for build in builds)
    print(f"false alarms: {failed} of {len(builds)} unchanged re-runs {dict(alarms) or ''}")


def multiplied(pool: Measured, entry: ScoreKey, n: int) -> None:
    """Count how often a score that is `LOSS` times as large is seen."""
    sample = pool.scores[entry]
    worse = {seed: LOSS * value for seed, value in sample.values.items()}
    changed = with_scores(pool, {entry: dataclasses.replace(sample, values=worse)})
    base = of_seeds(pool, pool.seeds[:n])
    seen = [sees(base, of_seeds(changed, seeds), entry) for seeds in fives(pool.seeds[n:])]
    noise = sample.sd / sample.mean
    print(f"mse of {entry.imputer} × {LOSS} (noise {noise:.2%}): {tell(seen)}")


def real_loss(pool: Measured, slip: Measured, n: int) -> None:
    """Count how often the variant is seen, with other seeds and with the baseline's own."""
    (entry,) = [entry for entry in slip.scores if entry[2:] == (METHOD, "mse")]
    old, new = pool.scores[entry].values, slip.scores[entry].values
    loss = sum(new.values()) / sum(old[seed] for seed in new) - 1
    base = of_seeds(pool, pool.seeds[:n])
    other = [sees(base, of_seeds(slip, seeds), entry) for seeds in fives(sorted(new)[n:])]
    same = []
    for start in range(0, len(new) - n + 1, n):
        seeds = sorted(new)[start : start + n]
        base = of_seeds(pool, seeds)
        same += [sees(base, of_seeds(slip, few), entry) for few in fives(seeds)]
    print(f"variant with {loss:.1%} more mse: other seeds {tell(other)}, the same {tell(same)}")


def in_place_of(pool: Measured, slip: Measured) -> Measured:
    """Put the scores of `SLIP` where those of `METHOD` are, for the seeds that both runs have."""
    scores = {
        entry._replace(imputer=METHOD): sample
        for entry, sample in slip.scores.items()
        if entry.imputer == SLIP
    }
    return with_scores(of_seeds(pool, slip.seeds), scores)


def with_scores(pool: Measured, scores: dict[ScoreKey, Sample]) -> Measured:
    return dataclasses.replace(pool, scores={**pool.scores, **scores})


def of_seeds(pool: Measured, seeds: Iterable[int]) -> Measured:
    """Make the run that had only these seeds; without times, which would be compared too."""
    chosen = set(seeds)
    scores = {
        entry: dataclasses.replace(
            sample,
            values={seed: value for seed, value in sample.values.items() if seed in chosen},
            lost={seed: reason for seed, reason in sample.lost.items() if seed in chosen},
        )
        for entry, sample in pool.scores.items()
    }
    return dataclasses.replace(pool, scores=scores, runtimes={})


def fives(seeds: Sequence[int]) -> Iterator[Sequence[int]]:
    for i in range(0, len(seeds) - K + 1, K):
        yield seeds[i : i + K]


def sees(base: Measured, new: Measured, entry: ScoreKey) -> bool:
    return entry in [finding.entry for finding in check(base, new).having("regression")]


def tell(seen: Sequence[bool]) -> str:
    return f"{sum(seen)} of {len(seen)} builds" if seen else "not run"


if __name__ == "__main__":
    main()
