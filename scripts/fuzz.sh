#!/usr/bin/env bash
# fuzz.sh [SECONDS]: every fuzz target for so many seconds (default 600), one after the other, beginning with the inputs
# that are kept in the repository. What is new in them stays in the cache, and so do findings. Prints a line for each target;
# fails if there was a finding.
source "$(dirname "$0")/lib.sh"

# Memory in MB: of the process, and of one piece. An input is a few KB, and so are the files that are made of it.
memory_max=2048 piece_max=64
# Seconds for one input.
input_time_max=25
input_bytes_max=4096

targets=(wal_recovery segment_open request pattern)
home=dataplane/fuzz
work=$cache/fuzz
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$repository/target}/fuzz

main() {
  local seconds=${1:-600} target failed=0
  [[ $seconds =~ ^[1-9][0-9]*$ ]] || fail "the time for each target is a number of seconds, not '$seconds'"
  scripts/setup.sh fuzz
  say "building ..."
  supervised nice cargo +nightly fuzz build --features node --fuzz-dir "$home"
  for target in "${targets[@]}"; do
    run "$target" "$seconds" || failed=$((failed + 1))
  done
  [ "$failed" = 0 ] || fail "$failed of ${#targets[@]} targets have findings"
}

# run TARGET SECONDS: one target; its log beside its findings.
run() {
  local target=$1 seconds=$2 status=0 log=$work/$1.log findings=$work/findings/$1 kept=("$home/corpus/$1")
  [ ! -d "$home/regressions/$target" ] || kept+=("$home/regressions/$target")
  mkdir -p "$work/corpus/$target" "$findings"
  supervised nice cargo +nightly fuzz run --features node --fuzz-dir "$home" "$target" "$work/corpus/$target" "${kept[@]}" -- \
    -max_total_time="$seconds" -timeout="$input_time_max" -max_len="$input_bytes_max" \
    -rss_limit_mb="$memory_max" -malloc_limit_mb="$piece_max" \
    -artifact_prefix="$findings/" -print_final_stats=1 >"$log" 2>&1 || status=$?
  printf '%-14s %12s executions  %7s edges  %5s inputs  %s\n' "$target" \
    "$(last 'stat::number_of_executed_units: \([0-9]*\)' "$log")" "$(last ' cov: \([0-9]*\)' "$log")" \
    "$(last ' corp: \([0-9]*\)' "$log")" "$([ "$status" = 0 ] && echo "no finding" || echo "FINDING, see $log")"
  return "$status"
}

# last PATTERN FILE: what the group of the pattern was, the last time it was there.
last() { sed -n "s/.*$1.*/\1/p" "$2" | tail -1; }

main "$@"
