#!/usr/bin/env bash
# tools.sh [NAME...]: builds the tools that are missing into $GREPZILLA_CACHE/bin (default ~/.cache/grepzilla/bin).
# A tool is made again only when its pins (go.mod, go.sum) or its flags change.
source "$(dirname "$0")/lib.sh"
source "$here/go.sh"

# name, folder of its pins, binary=package...
tools='
etcd        etcd        etcd=go.etcd.io/etcd/server/v3 etcdctl=go.etcd.io/etcd/etcdctl/v3
kind        kind        kind=sigs.k8s.io/kind
kubectl     kubernetes  kubectl=k8s.io/kubernetes/cmd/kubectl
helm        helm        helm=helm.sh/helm/v4/cmd/helm
kubernetes  kubernetes  kube-apiserver=k8s.io/kubernetes/cmd/kube-apiserver kube-controller-manager=k8s.io/kubernetes/cmd/kube-controller-manager kube-scheduler=k8s.io/kubernetes/cmd/kube-scheduler kube-proxy=k8s.io/kubernetes/cmd/kube-proxy kubelet=k8s.io/kubernetes/cmd/kubelet kubeadm=k8s.io/kubernetes/cmd/kubeadm
coredns     coredns     coredns=github.com/coredns/coredns
localpath   localpath   local-path-provisioner=github.com/rancher/local-path-provisioner
'
# Built only when it is named: what the benchmark compares with.
peers='
loki        loki        loki=github.com/grafana/loki/v3/cmd/loki
'

main() {
  local name line
  [ $# -gt 0 ] || set -- $(awk '{print $1}' <<<"$tools")
  for name in "$@"; do
    line=$(awk -v name="$name" '$1 == name' <<<"$tools$peers")
    [ -n "$line" ] || fail "no tool is called $name; there are: $(awk '{print $1}' <<<"$tools$peers" | xargs)"
    tool $line
  done
}

# Two runs at once build once: the second waits for the first, then finds its stamp.
tool() {
  local name=$1 pins=$here/tools/$2 flags stamp
  shift 2
  flags=$(linker_flags "$name")
  stamp=$(cat "$pins/go.mod" "$pins/go.sum" - <<<"$flags $*" | sha256sum)
  fresh "$name" "$stamp" "$@" && return
  (
    flock 9
    fresh "$name" "$stamp" "$@" || build "$name" "$pins" "$flags" "$@"
    echo "$stamp" >"$bin/.$name.stamp"
  ) 9>"$bin/.$name.lock"
}

fresh() {
  local name=$1 stamp=$2 output
  [ "$(cat "$bin/.$name.stamp" 2>/dev/null)" = "$stamp" ] || return 1
  for output in "${@:3}"; do [ -x "$bin/${output%%=*}" ] || return 1; done
}

# A finished binary is moved into place, so one that is running just now goes on undisturbed.
build() {
  local name=$1 pins=$2 flags=$3 output binary
  find_go
  say "building $name $(pinned_version "$pins" "${4#*=}") ..."
  for output in "${@:4}"; do
    binary=${output%%=*}
    CGO_ENABLED=0 child nice -n 5 go build -C "$pins" -trimpath -ldflags "$flags" -o "$bin/.$binary.new" "${output#*=}" ||
      fail "$binary could not be built (see above)"
    mv "$bin/.$binary.new" "$bin/$binary"
  done
}

# The version of the module that package $2 belongs to, as go.mod in folder $1 pins it.
pinned_version() {
  awk -v package="$2" '/^(require|replace|tool) \($/ { block = $1 } /^\)/ { block = "" }
    (block == "require" || $1 == "require") { v = $1 == "require" ? 3 : 2; if (index(package "/", $(v - 1) "/") == 1) print $v }' "$1/go.mod"
}

# Kubernetes refuses to talk to parts of itself whose version is unknown; Loki is asked for its own.
linker_flags() {
  local flags="-s -w" version minor
  case $1 in kubectl | kubernetes)
    version=$(pinned_version "$here/tools/kubernetes" k8s.io/kubernetes)
    minor=${version#v1.}
    flags+=" -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitTreeState=clean"
    flags+=" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=${minor%%.*}"
    ;;
  loki) flags+=" -X github.com/grafana/loki/v3/pkg/util/build.Version=$(pinned_version "$here/tools/loki" github.com/grafana/loki/v3)" ;;
  esac
  printf '%s\n' "$flags"
}

main "$@"
