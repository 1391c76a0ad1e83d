#!/usr/bin/env bash
# One machine with several GPUs.
#   scripts/gpus.sh all --config mlp_gan --data.root DIR     one run on all of them, a process each: for large networks
#   scripts/gpus.sh each priors --data.root DIR              a sweep, one run on each: for many runs
#   PER_GPU=4 scripts/gpus.sh each priors --data.root DIR    the same with four runs on each: for small networks
# The same line goes on where it stopped. Nobody has run it on several GPUs yet.
set -euo pipefail
how=${1:-}
shift || true
case $how in
  all) exec gan fit "$@" --config trainer/multi_gpu --resume ;;
  each) exec gan sweep "$@" --config trainer/gpu --per-gpu "${PER_GPU:-1}" ;;
  *) echo "usage: $0 all|each WORDS of gan fit, or of gan sweep" >&2; exit 2 ;;
esac
