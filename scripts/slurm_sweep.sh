#!/usr/bin/env bash
# Many runs as a SLURM job array, each job with a share of them on one GPU:
#   sbatch --array=1-8 scripts/slurm_sweep.sh priors --data.root "$DATA"
# The words are those of gan sweep. Two minutes before the time limit SLURM sends SIGUSR1: the runs save, gan sweep exits
# with 138, and only then this script puts the job back into the queue. gan sweep --executor slurm submits by itself.
# A simulated allocation is tested. Nobody has run it on a cluster yet.
#SBATCH --job-name=gan-sweep
#SBATCH --array=1-4
#SBATCH --nodes=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --time=02:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
code=0
share="$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
srun --kill-on-bad-exit=0 gan sweep "$@" --shard "$share" || code=$?
if [[ $code -eq 138 ]]; then # 128 + 10, SIGUSR1
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit "$code"
