"""What a worker costs before its first step: seconds of CPU and peak memory.

Run ``python benchmarks/worker_start.py [IMPUTER ...] [--against PYTHON]`` on Linux; PYTHON is the
interpreter of another build of impbench, for the ratio. Each time is the least of five new
processes, in turns, after one that fills numba's cache; the floor is a process that imports NumPy.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import impbench

START = """
import json, sys
from impbench.worker.imputation import Standby
Standby().get_ready(json.loads(sys.argv[1]))
"""
TELL = """
import time
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.process_time(), int(peak.split()[1]) / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("imputers", nargs="*", default=["maskclass-best", "maskclass-balanced"])
    parser.add_argument("--against", help="Python of another build")
    options = parser.parse_args()
    builds = [sys.executable, *([options.against] if options.against else [])]
    print("imputer                 floor s  MiB |  ours s  MiB |  other s  MiB | ratios s  MiB")
    for name in options.imputers:
        request = request_for(name)
        for python in builds:
            cost(python, START, request)
        runs = [[cost(python, code, request) for python, code in kinds(builds)] for _ in range(5)]
        best = [tuple(map(min, zip(*each, strict=True))) for each in zip(*runs, strict=True)]
        row = " |".join(f"{seconds:9.2f} {memory:5.0f}" for seconds, memory in best)
        if options.against:
            row += f" |{best[2][0] / best[1][0]:9.2f} {best[2][1] / best[1][1]:5.2f}"
        print(f"{name:20}{row}")


def request_for(name: str) -> str:
    """Return what a worker is told first, as JSON."""
    imputer = impbench.get_imputer(name)
    reference = {
        "module": type(imputer).__module__,
        "file": None,
        "class": type(imputer).__qualname__,
        "params": imputer.parameters(),
    }
    rest = {
        "seeds": [1],
        "seed_shift": 0,
        "device": "cpu",
        "threads": 1,
        "memory": None,
        "scratch": "",
    }
    return json.dumps({"imputer": reference, **rest})


def kinds(builds: list[str]) -> list[tuple[str, str]]:
    return [(builds[0], "import numpy, sys"), *((python, START) for python in builds)]


def cost(python: str, code: str, request: str) -> tuple[float, float]:
    """Return seconds of CPU and MiB."""
    command = [python, "-c", code + TELL, request]
    seconds, memory = subprocess.check_output(command, text=True).split()[-2:]
    return float(seconds), float(memory)


if __name__ == "__main__":
    main()
