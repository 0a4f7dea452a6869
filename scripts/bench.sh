#!/usr/bin/env bash
# bench.sh [CORPUS]: the benchmark, with the peers that this machine can have; figures go to target/bench.json.
source "$(dirname "$0")/lib.sh"

scripts/setup.sh bench
binaries=$(scripts/build.sh)
mkdir -p target
exec "$binaries/bench" target/bench.json "${1:-}"
