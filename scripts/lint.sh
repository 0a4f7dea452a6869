#!/usr/bin/env bash
# lint.sh: format, lints, and links in the documentation. Warnings are errors with the Rust that all was last tested with;
# each new Rust has opinions that are new, and they must not keep anybody from working.
source "$(dirname "$0")/lib.sh"

deny=()
case $(rustc --version) in
  "rustc $rust_tested."*) deny=(-D warnings) ;;
  *) say "$(rustc --version) is not $rust_tested: warnings are shown, but are no errors" ;;
esac

cargo fmt --all --check
# `--all-targets` passes over the stories, which `cargo test` alone does not run.
supervised cargo clippy --locked --workspace --all-targets --test stories -- "${deny[@]}"
RUSTDOCFLAGS="${deny[*]}" supervised cargo doc --locked --workspace --no-deps --document-private-items --lib
