#!/usr/bin/env bash
# generate.sh: writes anew what is generated. Tests prove that it is fresh.
source "$(dirname "$0")/lib.sh"

definition=$(cargo run --locked --quiet -p grepzilla-operator -- crd)
for file in crds/grepzillaclusters.yaml charts/grepzilla/files/grepzillaclusters.yaml; do
  printf '%s\n' "$definition" >"$file"
  say "written: $file"
done
