#!/usr/bin/env bash
# One run on the GPUs of one SLURM node:   sbatch scripts/slurm.sh --config mlp_gan --data.root "$DATA"
# Two minutes before the time limit SLURM sends SIGUSR1: the run finishes its update, saves, and exits with 138. Only then
# this script puts the job back into the queue. After a preemption or a lost node SLURM does so itself (--requeue). The job
# goes on where it stopped; a job that is finished says so and ends. Lightning requeues nothing here.
# A simulated allocation is tested. Nobody has run it on a cluster yet, and no row of docs/gpu.md shows it.
#SBATCH --job-name=gan
#SBATCH --nodes=1
#SBATCH --gpus-per-node=4
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --time=02:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
code=0
srun --kill-on-bad-exit=0 gan fit "$@" --config trainer/multi_gpu --resume || code=$?
if [[ $code -eq 138 ]]; then # 128 + 10, SIGUSR1
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
