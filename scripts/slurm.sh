#!/usr/bin/env bash
# One run on the GPUs of one SLURM node:   sbatch scripts/slurm.sh --config mlp_gan --data.root "$DATA"
# A time limit sends SIGTERM: the run finishes its update, saves, and `gan resume RUN` goes on.
# Nobody has run it yet, and no row of docs/gpu.md shows it.
#SBATCH --job-name=gan
#SBATCH --nodes=1
#SBATCH --gpus-per-node=4
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --time=02:00:00
#SBATCH --signal=TERM@120
set -euo pipefail
srun gan fit "$@" --config trainer/multi_gpu
