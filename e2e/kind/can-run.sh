#!/usr/bin/env bash
# can-run.sh: exits 0 where stories on kind can run (a Docker daemon answers, or root can start one);
# else says why not in one sentence on stdout and exits 1. Starts nothing.
source "$(dirname "$0")/lib.sh"
source "$here/dockerd.sh"

obstacle=$(docker_obstacle)
[ -z "$obstacle" ] || { echo "$obstacle"; exit 1; }
