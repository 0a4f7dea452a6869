#!/usr/bin/env bash
# images.sh BIN_DIR: makes the images grepzilla/node:dev and grepzilla/operator:dev from the static binaries grepzilla and
# grepzilla-operator in BIN_DIR, and grepzilla/etcd:dev from our etcd. Prints the size of each; fails where one of the
# first two is over 40 MB.
source "$(dirname "$0")/lib.sh"
source "$here/dockerd.sh"

bytes_max=40000000

main() {
  [ $# = 1 ] || fail "usage: images.sh BIN_DIR"
  child "$here/tools.sh" etcd
  need_certificates
  docker_hold "script-$$"
  context=$(mktemp -d)
  trap 'rm -rf "$context"; docker_release "script-$$"' EXIT
  docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
  cp "$certificates" "$context/"

  image node "$1/grepzilla"
  image operator "$1/grepzilla-operator"
  image etcd "$bin/etcd" "$bin/etcdctl"
  docker_prune
  small node operator
}

# image NAME BINARY...: grepzilla/NAME:dev, by images/NAME.Dockerfile.
image() {
  local name=$1 binary output
  shift
  for binary in "$@"; do
    [ -f "$binary" ] || fail "$binary is missing"
    static "$binary" || fail "$binary is linked dynamically, and nothing in the image could load it"
    cp "$binary" "$context/"
  done
  output=$(docker build -q --label "$image_label=" -t "grepzilla/$name:dev" -f "$here/images/$name.Dockerfile" "$context" 2>&1) || fail "$output"
  printf '%s %s MB\n' "grepzilla/$name:dev" "$(awk -v bytes="$(size "$name")" 'BEGIN { printf "%.1f", bytes / 1e6 }')"
}

static() { ! LC_ALL=C readelf -lW "$1" | grep -q INTERP; }

size() { docker image inspect -f '{{.Size}}' "grepzilla/$1:dev"; }

small() {
  local name
  for name in "$@"; do
    [ "$(size "$name")" -le $bytes_max ] || fail "grepzilla/$name:dev is over 40 MB"
  done
}

main "$@"
