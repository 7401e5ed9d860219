#!/usr/bin/env bash
# dask-jobqueue's `scale` reports nothing when the batch system refuses every job.
#
# One would expect: SLURMCluster.scale(2) raises, or the cluster's status says so, when `sbatch` ends with an error.
# What happens: `scale` returns, the status stays "running", both jobs stand under `workers` as "created", and the
#   error of sbatch is only logged. To wait for workers with a time limit ends with that limit, and to close the
#   cluster raises "AssertionError: Status.created": neither names the refusal.
# Version: dask-jobqueue 0.9.0, distributed 2025.9.1.
# Where: dask_jobqueue/core.py, Job.start raises RuntimeError; distributed/deploy/spec.py, SpecCluster.scale hands
#   the correction of its state to the event loop and does not look at what comes of it.
# Why it matters here: whoever waits for workers of a misspelled queue waits with no reason given. impbench corrects the cluster's
#   state in the foreground, where the error is raised, and says which batch system refused
#   (the class for batch jobs in impbench/executors/dask).
# The `sbatch` below is three lines of shell that refuse as Slurm does; no batch system is needed.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q dask-jobqueue==0.9.0 distributed==2025.9.1 dask==2025.9.1
mkdir "$work/bin"
cat > "$work/bin/sbatch" <<'SH'
#!/bin/sh
echo "sbatch: error: invalid partition specified: nowhere" >&2
exit 1
SH
chmod +x "$work/bin/sbatch"
cat > "$work/look.py" <<'PY'
import importlib.metadata
import subprocess
import time

from dask_jobqueue import SLURMCluster
from distributed import Client

for name in ("dask-jobqueue", "distributed"):
    print(name, importlib.metadata.version(name))
refusal = subprocess.run(["sbatch"], capture_output=True, text=True)
print("sbatch itself:", refusal.returncode, refusal.stderr.strip())
options = {"dashboard_address": ":0"}
cluster = SLURMCluster(cores=1, memory="1GB", queue="nowhere", scheduler_options=options)
returned = cluster.scale(2)
time.sleep(3)
status, jobs = cluster.status.name, [job.status.name for job in cluster.workers.values()]
print(f"scale returned {returned}; cluster {status}; its jobs: {jobs}")
seen = []
with Client(cluster) as client:
    try:
        client.wait_for_workers(1, timeout=5)
    except TimeoutError as error:
        seen.append(f"waiting with a time limit: {error}")
try:
    cluster.close(timeout=5)
except AssertionError as error:
    seen.append(f"closing: AssertionError: {error}")
print(*seen, sep="\n")
assert (status, jobs) == ("running", ["created", "created"]), "a refused job is now noticed"
assert len(seen) == 2 and not any("sbatch" in text for text in seen), seen
PY
PATH="$work/bin:$PATH" "$work/venv/bin/python" "$work/look.py" 2> "$work/log"
grep -m1 "sbatch: error" "$work/log" | sed 's/^/only in the log: /'
