#!/usr/bin/env bash
# A sweep on the machines of a Ray cluster (pip install 'gan[ray]'):
#   scripts/ray.sh head                              on the first machine
#   HEAD=node1 scripts/ray.sh join                   on each of the others
#   scripts/ray.sh sweep priors --data.root DIR      on the first one; the same line goes on where it stopped
#   scripts/ray.sh stop                              on each
# Runs and data must be seen by all. A cluster of one machine is tested; nobody has run it on several yet.
set -euo pipefail
what=${1:-}
shift || true
case $what in
  head) exec ray start --head --port="${PORT:-6379}" "$@" ;;
  join) exec ray start --address="${HEAD:?the name of the first machine}:${PORT:-6379}" "$@" ;;
  sweep) exec gan sweep "$@" --executor ray --set address=auto ;;
  stop) exec ray stop "$@" ;;
  *) echo "usage: $0 head|join|sweep|stop" >&2; exit 2 ;;
esac
