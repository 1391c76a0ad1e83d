#!/usr/bin/env bash
# One run on all GPUs of this machine, a process each. The batch is divided among them, so this is for large networks:
#   scripts/one_run_on_all_gpus.sh --config upsampling_dcgan --data.root "$DATA"
# Given again, the line goes on with the run. For many runs at once there is one_run_on_each_gpu.sh.
# Nobody has run it on GPUs yet.
set -euo pipefail
exec gan fit --config trainer/multi_gpu "$@" --resume
