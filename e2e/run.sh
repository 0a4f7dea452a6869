#!/usr/bin/env bash
# run.sh [FILTER...]: the stories on a real Kubernetes: brings up a kind cluster, puts the images of this checkout into it,
# tells the stories (all, or those whose name contains a FILTER), and takes down whatever it started, however it ends.
# KEEP=1 leaves the cluster up. Exits 77, with the reason on stdout, where no cluster can be had.
source "$(dirname "$0")/../scripts/lib.sh"

cluster=grepzilla
images=(grepzilla/node:dev grepzilla/operator:dev grepzilla/etcd:dev)

main() {
  local obstacle prepared binaries
  if ! obstacle=$(e2e/kind/can-run.sh); then
    echo "The stories are left out: $obstacle."
    exit 77
  fi
  export PATH="$cache/bin:$PATH"

  trap take_down EXIT
  supervised_output prepared e2e/prepare.sh "$cluster"
  { read -r binaries; read -r KUBECONFIG; } <<<"$prepared"
  export KUBECONFIG
  supervised e2e/kind/images.sh "$binaries"
  supervised e2e/kind/load.sh "$cluster" "${images[@]}"
  supervised cargo test --locked --workspace --test stories -- --test-threads=1 --nocapture "$@" || {
    diagnose
    exit 1
  }
}

# What a person would look at first.
diagnose() {
  say "--- what the cluster looks like ---"
  kubectl get nodes,pods,grepzillaclusters -A -o wide >&2 || true
  kubectl get grepzillaclusters -A -o yaml >&2 || true
  kubectl -n grepzilla-system logs --tail=50 -l app.kubernetes.io/component=operator >&2 || true
}

take_down() {
  local status=$?
  trap '' INT TERM HUP
  if [ -n "${KEEP:-}" ]; then
    say "the cluster stays: KUBECONFIG=${KUBECONFIG:-} kubectl get pods -A; e2e/kind/down.sh $cluster ends it"
  else
    e2e/kind/down.sh "$cluster" || say "e2e/kind/down.sh $cluster failed"
  fi
  exit "$status"
}

main "$@"
