#!/usr/bin/env bash
# Many runs on this machine, one on each GPU at a time, or several if RUNS_PER_GPU says so:
#   RUNS_PER_GPU=4 scripts/one_run_on_each_gpu.sh priors --data.root "$DATA"
# The words are those of gan sweep: a manifest, or --config, --grid, --seeds and --name. Given again, the line goes on.
# Nobody has run it on GPUs yet.
set -euo pipefail
exec gan sweep "$@" --per-gpu "${RUNS_PER_GPU:-1}"
