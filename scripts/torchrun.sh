#!/usr/bin/env bash
# One run on several machines without a scheduler; the same line on each of them, within some minutes:
#   HEAD=node1 NODES=2 GPUS=4 scripts/torchrun.sh --config mlp_gan --data.root DIR --run /shared/runs/mlp
# The run's directory and the data must be seen by all. On one machine scripts/gpus.sh is simpler. The same line goes on
# where it stopped. Two processes of one machine are tested, on its CPU; nobody has run it on several machines yet.
set -euo pipefail
: "${HEAD:?the name of the first machine}" "${NODES:?the number of machines}" "${GPUS:?GPUs of each machine}"
exec torchrun --nnodes="$NODES" --nproc_per_node="$GPUS" --rdzv_id=gan --rdzv_backend=c10d \
  --rdzv_endpoint="$HEAD:${PORT:-29500}" --no-python -- \
  gan fit "$@" --trainer.devices="$GPUS" --trainer.num_nodes="$NODES" --resume
