#!/usr/bin/env bash
# A sweep as an array of SLURM jobs, each with a share of the runs and one GPU:
#   sbatch --array=0-15 scripts/slurm_array.sh priors --data.root "$DATA"
# For clusters where submitit may not submit; elsewhere gan sweep … --executor slurm makes a job of each run. Two minutes
# before the time limit SLURM sends SIGUSR1: the run finishes its update, saves, and the sweep exits with 138. Only then
# this script puts the job back into the queue. Nobody has run it on a cluster yet.
#SBATCH --job-name=gan-sweep
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --time=02:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
code=0
share=$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))/$SLURM_ARRAY_TASK_COUNT
srun gan sweep "$@" --shard "$share" || code=$?
if [[ $code -eq 138 ]]; then # 128 + 10, SIGUSR1
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit "$code"
