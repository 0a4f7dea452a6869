#!/usr/bin/env bash
# up.sh NAME: brings up cluster NAME as kind-config.yaml describes it, with every node Ready, DNS and volumes working;
# a cluster of that name that is left from before is replaced. Prints the path of its kubeconfig: $KUBECONFIG where that is set.
source "$(dirname "$0")/lib.sh"
source "$here/dockerd.sh"

[ $# = 1 ] || fail "usage: up.sh NAME"
name=$1
export KUBECONFIG
KUBECONFIG=$(kubeconfig_of "$name")

child "$here/tools.sh" kind kubectl
docker_hold "cluster-$name"
child "$here/node-image.sh" >"$run/$name.image"
image=$(<"$run/$name.image")
kind -q delete cluster --name "$name"
say "creating cluster $name ..."
# kind-config.yaml has a path in it that counts from the repository's root.
cd "$repository"
child kind -q create cluster --name "$name" --image "$image" --config kind-config.yaml ||
  fail "the cluster did not come up; e2e/kind/down.sh $name cleans up, README.md says where to look"
# A worker's last word to kind may come before it is known to the API server.
nodes=$(kind -q get nodes --name "$name")
kubectl wait node $nodes --for=create --timeout=60s >&2
kubectl wait node $nodes --for=condition=Ready --timeout=60s >&2
kubectl -n kube-system rollout status deployment/coredns --timeout=120s >&2
kubectl -n local-path-storage rollout status deployment/local-path-provisioner --timeout=120s >&2
echo "$KUBECONFIG"
