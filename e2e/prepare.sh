#!/usr/bin/env bash
# prepare.sh CLUSTER: brings the cluster up while it builds what the stories run, because the one waits and the other
# computes. Prints the folder of the binaries, then the path of the cluster's kubeconfig.
source "$(dirname "$0")/../scripts/lib.sh"

[ $# = 1 ] || fail "usage: prepare.sh CLUSTER"
e2e/kind/tools.sh kind kubectl helm
kubeconfig=$(mktemp)
trap 'rm -f "$kubeconfig"' EXIT
e2e/kind/up.sh "$1" >"$kubeconfig" &
cluster=$!
cargo test --locked --workspace --test stories --no-run &
stories=$!
built=0
scripts/build.sh stories grepzilla grepzilla-operator || built=$?
wait "$stories" || built=$?
wait "$cluster"
[ "$built" = 0 ] || exit "$built"
cat "$kubeconfig"
