#!/usr/bin/env bash
# test.sh: everything that must hold: format and lints, all tests, and the stories on a real cluster. Every step is taken
# even if one before it failed. The last line is `N passed, M failed, K skipped` over all tests; a step that fails without
# a failed test counts as one. Exits 0 if and only if nothing failed.
source "$(dirname "$0")/lib.sh"

passed=0 failed=0 skipped=0
broken=()

main() {
  trap conclude EXIT
  step "setting up" scripts/setup.sh test
  step "tools that tests need: a real etcd, API server and helm" e2e/kind/tools.sh etcd kubernetes helm
  step "lints" scripts/lint.sh
  # Most tests wait for processes, leases and disks: more of them at once than there are processors.
  RUST_TEST_THREADS=$(($(nproc) * 2)) step "tests" cargo test --locked --workspace --no-fail-fast
  step "stories" e2e/run.sh
}

# step NAME COMMAND...: shows what the command writes and counts the tests in it. Exit code 77 means: cannot run here.
step() {
  local name=$1 status=0 counts
  shift
  say "== $name"
  logged "$@" || status=$?
  counts=($(count "$log"))
  passed=$((passed + counts[0])) failed=$((failed + counts[1])) skipped=$((skipped + counts[2]))
  case $status in
    0) ;;
    77) skipped=$((skipped + $(stories))) ;;
    *)
      broken+=("$name")
      [ "${counts[1]}" -gt 0 ] || failed=$((failed + 1))
      ;;
  esac
}

# logged COMMAND...: runs it supervised, with a copy of what it writes in the log. The copier outlives a signal, so that
# whoever clears up can still write; it does not outlive the command by more than a moment, whatever holds its pipe.
logged() {
  local status=0 copier
  exec 3> >(trap '' INT TERM HUP; exec tee "$log")
  copier=$!
  supervised "$@" >&3 2>&1 3>&- || status=$?
  exec 3>&-
  for _ in $(seq 50); do kill -0 "$copier" 2>/dev/null || break; sleep 0.1; done
  ! kill -KILL "$copier" 2>/dev/null || say "something that was started still runs and holds our output"
  return "$status"
}

# The sums of passed, failed and ignored over the closing lines of test programs.
count() {
  awk '/^test result: / { passed += $4; failed += $6; ignored += $8 } END { print passed + 0, failed + 0, ignored + 0 }' "$1"
}

# How many stories there are.
stories() { cargo test --locked --workspace --test stories -- --list 2>/dev/null | grep -c ': test$'; }

conclude() {
  local status=$?
  rm -f "$log"
  # Interrupted, or broken in a way that no step noticed.
  [ "$status" = 0 ] || { broken+=("the run itself (exit code $status)") && failed=$((failed + 1)); }
  [ ${#broken[@]} = 0 ] || printf 'failed: %s\n' "${broken[@]}"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ] && exit 0 || exit "$((status > 1 ? status : 1))"
}

log=$(mktemp)
main
