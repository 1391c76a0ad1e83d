#!/usr/bin/env bash
# One run on the GPUs of several machines without a scheduler. The same line is given on each of them:
#   HEAD=first-machine NODES=2 scripts/torchrun.sh --config upsampling_dcgan --data.root "$DATA" --run "$SHARED/run"
# HEAD is one of the machines, NODES their number. PROCESSES is the number on each (default: its GPUs), PORT a free port
# of HEAD. The directory of the run must be the same on all. Given again on all, the line goes on with the run.
# Two nodes of one machine are tested on CPUs. Nobody has run it on several machines yet.
set -euo pipefail
: "${HEAD:?give HEAD=NAME, one of the machines}" "${NODES:?give NODES=N, the number of machines}"
processes=${PROCESSES:-$(nvidia-smi --list-gpus | wc -l)}
exec torchrun --nnodes="$NODES" --nproc-per-node="$processes" --rdzv-backend=c10d --rdzv-id=gan \
  --rdzv-endpoint="$HEAD:${PORT:-29400}" --no-python -- \
  gan fit --config trainer/multi_gpu --trainer.num_nodes="$NODES" --trainer.devices="$processes" "$@" --resume
