#!/usr/bin/env bash
# Many runs on a Ray cluster:
#   scripts/ray.sh head                                    on the first machine
#   scripts/ray.sh join FIRST                              on each other machine, FIRST being that one's name
#   scripts/ray.sh sweep priors --data.root "$DATA"        on any of them; the words are those of gan sweep
#   scripts/ray.sh stop                                    on each machine at the end
# The directory of the runs must be the same on all. A cluster of one machine is tested.
set -euo pipefail
case "${1:-}" in
  head) ray start --head --port="${PORT:-6379}" ;;
  join) ray start --address="${2:?give the name of the first machine}:${PORT:-6379}" ;;
  sweep) exec gan sweep "${@:2}" --executor ray --set address=auto ;;
  stop) ray stop ;;
  *)
    echo "usage: ray.sh head | join FIRST | sweep WORDS... | stop" >&2
    exit 2
    ;;
esac
