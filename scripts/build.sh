#!/usr/bin/env bash
# build.sh [PROFILE [BINARY...]]: builds binaries of the workspace (all, or those named), optimized and linked statically,
# by a profile of Cargo.toml (`release`), and prints the folder they are in. The demonstration, the benchmark and the
# images all take them from there, so nothing is compiled twice.
source "$(dirname "$0")/lib.sh"

profile=${1:-release}
[ $# = 0 ] || shift
[ $# = 0 ] && wanted=(--bins) || wanted=("${@/#/--bin=}")
triple=$(rustc -vV | sed -n 's/^host: //p')
# The target is always named, or the flags would reach procedural macros, which cannot be static.
RUSTFLAGS="-C target-feature=+crt-static" supervised \
  cargo build --locked --profile "$profile" --workspace "${wanted[@]}" --target "$triple" >&2
target=$(cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
echo "$target/$triple/$profile"
