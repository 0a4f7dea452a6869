#!/usr/bin/env bash
# down.sh NAME: deletes cluster NAME, and stops the Docker daemon if these scripts started it and nobody else needs it.
# Safe at any time: after an interrupted up.sh, twice, or with nothing there.
source "$(dirname "$0")/lib.sh"
source "$here/dockerd.sh"

[ $# = 1 ] || fail "usage: down.sh NAME"
name=$1
KUBECONFIG=$(kubeconfig_of "$name")

# A daemon that was killed has kept the cluster's containers: only a new one can remove them.
[ ! -e "$holders/cluster-$name" ] || docker_hold "cluster-$name"
# The last `docker run` of an interrupted up.sh goes on by itself; what it makes has to be seen here.
for _ in $(seq 50); do
  pgrep -f "^docker run .*--label io.x-k8s.kind.cluster=$name " >/dev/null || break
  sleep 0.2
done
if command -v kind >/dev/null && docker_answers; then
  kind -q delete cluster --name "$name" --kubeconfig "$KUBECONFIG"
fi
rm -f "$cache/$name.kubeconfig" "$run/$name.image"
# An interrupted up.sh may still be putting away the node image that it was making.
for _ in $(seq 120); do
  compgen -G "$holders/script-*" >/dev/null || break
  sleep 0.5
done
docker_release "cluster-$name"
