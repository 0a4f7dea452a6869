# What the scripts share: where things are, how they speak, how they run what may have to be stopped. Sourced, never run.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOME=${HOME:-/root}
cache=${GREPZILLA_CACHE:-$HOME/.cache/grepzilla}
clp=$cache/clp
clp_tested=0.12.1b0
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$cache/bin:$clp/yscope_clp_core/bin:$PATH"
rust_tested=1.95 # the Rust that all of this was last seen to pass with
cd "$repository"

say() { printf '%s\n' "$*" >&2; }
fail() { say "${0##*/}: $*"; exit 1; }

# supervised COMMAND...: runs a long command in a session of its own, which a signal to this script ends as a whole; the
# script then exits with 130, so that its EXIT trap clears up.
supervised() {
  local status=0
  trap 'end_supervised; exit 130' INT TERM HUP
  setsid "$@" &
  group=$!
  wait "$group" || status=$?
  group=
  return "$status"
}

end_supervised() {
  trap '' INT TERM HUP
  [ -n "${group:-}" ] || return 0
  kill -TERM -- "-$group" 2>/dev/null || true
  wait "$group" || true
}

# supervised_output VARIABLE COMMAND...: the same, with what the command prints in the variable.
supervised_output() {
  local -n into=$1
  local file status=0
  file=$(mktemp)
  supervised "${@:2}" >"$file" || status=$?
  into=$(cat "$file")
  rm -f "$file"
  return "$status"
}

# The oldest Rust that builds the workspace, as Cargo.toml says.
rust_wanted() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

rust_is_new_enough() {
  local found
  found=$(cargo --version 2>/dev/null | awk '{ print $2 }')
  [ -n "$found" ] && [ "$(printf '%s\n' "$(rust_wanted)" "$found" | sort -V | head -1)" = "$(rust_wanted)" ]
}

# Where rustup's own default is too old, the toolchain that setup.sh installs takes its place.
if ! rust_is_new_enough && command -v rustup >/dev/null && rustup run "$rust_tested" cargo --version >/dev/null 2>&1; then
  export RUSTUP_TOOLCHAIN=$rust_tested
fi
