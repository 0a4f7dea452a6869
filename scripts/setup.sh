#!/usr/bin/env bash
# setup.sh build|test|bench|fuzz: sees to it that this machine has what building, testing, benchmarking or fuzzing takes. Names what is
# missing; installs it where it can (root, apt-get, the network); else says exactly what to do, and fails.
source "$(dirname "$0")/lib.sh"

main() {
  local purpose=${1:-build}
  packages build-essential=cc protobuf-compiler=protoc libprotobuf-dev=/usr/include/google/protobuf/empty.proto \
    ca-certificates=/etc/ssl/certs/ca-certificates.crt curl=curl util-linux=setsid
  [ "$purpose" != bench ] || peers
  rust
  [ "$purpose" != test ] || components
  [ "$purpose" != fuzz ] || fuzzer
}

# The systems that the benchmark compares with. Only ripgrep must be there.
peers() {
  packages ripgrep=rg postgresql=/usr/lib/postgresql
  e2e/kind/tools.sh loki || say "Loki could not be built, so it is left out"
  [ ! -x "$clp/yscope_clp_core/bin/clp-s" ] || return 0
  say "installing clp-s into $clp ..."
  python3 -m pip install --quiet --target "$clp" "yscope-clp-core==$clp_tested" >"$log" 2>&1 ||
    say "pip could not install clp-s, so it is left out: $(tail -1 "$log")"
}

# packages PACKAGE=COMMAND|/FILE...: Debian's packages, each with the thing that shows whether it is there.
packages() {
  local pair missing=() command
  for pair in "$@"; do
    present "${pair#*=}" || missing+=("${pair%%=*}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command="apt-get install -y --no-install-recommends ${missing[*]}"
  say "missing: ${missing[*]}"
  command -v apt-get >/dev/null || fail "please install these (Debian's names) and run this again"
  [ "$(id -u)" = 0 ] || fail "please run as root: $command"
  say "installing them ..."
  export DEBIAN_FRONTEND=noninteractive
  { $command || { apt-get update && $command; }; } >"$log" 2>&1 </dev/null ||
    explain "apt-get could not install them; please run: apt-get update && $command"
}

present() {
  case $1 in
    /*) [ -s "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# A Rust that is new enough: the one on PATH, or the one we test with, by rustup, which is installed where it is missing.
rust() {
  ! rust_is_new_enough || return 0
  say "missing: Rust $(rust_wanted) or newer (found: $(cargo --version 2>/dev/null || echo none))"
  command -v rustup >/dev/null || install_rustup
  hash -r
  say "installing Rust $rust_tested ..."
  rustup toolchain install "$rust_tested" --profile minimal --component clippy --component rustfmt >"$log" 2>&1 ||
    explain "rustup could not install it; please install Rust $(rust_wanted) or newer, as https://rustup.rs says"
  export RUSTUP_TOOLCHAIN=$rust_tested
  rust_is_new_enough || fail "please install Rust $(rust_wanted) or newer, as https://rustup.rs says"
}

install_rustup() {
  # It looks at the name it is called by.
  local installer=$temporary/rustup-init
  say "installing rustup into ${CARGO_HOME:-$HOME/.cargo} ..."
  {
    curl --proto '=https' --tlsv1.2 -sSf -m 300 -o "$installer" \
      "https://static.rust-lang.org/rustup/dist/$(uname -m)-unknown-linux-gnu/rustup-init" &&
      chmod +x "$installer" &&
      "$installer" -y --no-modify-path --default-toolchain none
  } >"$log" 2>&1 ||
    explain "rustup could not be fetched; please install Rust $(rust_wanted) or newer, as https://rustup.rs says"
}

# Toolchains can come without what checks the code.
components() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
  say "missing: rustfmt or clippy; asking rustup for them ..."
  rustup component add clippy rustfmt >"$log" 2>&1 || explain "please install rustfmt and clippy for $(cargo --version)"
}

# The compiler that can tell a fuzzer what was reached, and what runs the fuzzer.
fuzzer() {
  if ! cargo +nightly --version >/dev/null 2>&1; then
    say "missing: a nightly Rust; asking rustup for one ..."
    command -v rustup >/dev/null || install_rustup
    rustup toolchain install nightly --profile minimal >"$log" 2>&1 || explain "please install a nightly Rust with rustup"
  fi
  cargo fuzz --version >/dev/null 2>&1 && return
  say "missing: cargo-fuzz; installing it ..."
  cargo install --locked cargo-fuzz >"$log" 2>&1 || explain "please run: cargo install --locked cargo-fuzz"
}

# explain SENTENCE: fails with what the command said last and a sentence that says what to do.
explain() {
  tail -5 "$log" >&2
  fail "$1"
}

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
log=$temporary/log
main "$@"
