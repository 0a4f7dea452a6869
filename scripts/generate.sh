#!/usr/bin/env bash
# generate.sh: writes anew what is generated. Tests prove that the definition is fresh; the fold table is frozen, and its
# test knows its checksum.
source "$(dirname "$0")/lib.sh"

main() {
  definition crds/grepzillaclusters.yaml charts/grepzilla/files/grepzillaclusters.yaml
  fold_table dataplane/crates/model
}

definition() {
  local definition file
  definition=$(cargo run --locked --quiet -p grepzilla-operator -- crd)
  for file in "$@"; do
    printf '%s\n' "$definition" >"$file"
    say "written: $file"
  done
}

# Only a Python that has the version of Unicode on which the table is frozen can write it.
fold_table() {
  local table
  if table=$(python3 "$1/generate/fold.py"); then
    printf '%s\n' "$table" >"$1/src/fold/table.rs"
    say "written: $1/src/fold/table.rs"
  else
    say "left as it is: $1/src/fold/table.rs"
  fi
}

main
