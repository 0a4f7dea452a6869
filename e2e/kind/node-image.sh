#!/usr/bin/env bash
# node-image.sh: sees to it that Docker has an image for kind's nodes, and prints its name.
#
# Where an image registry answers, that is the image which kind-config.yaml names. Elsewhere the same Kubernetes is put
# together from Debian packages and Go modules: grepzilla-e2e/node:VERSION-HASH, the hash being over all that goes in.
# A packed copy stays in the cache, for when Docker's own storage is lost.
source "$(dirname "$0")/lib.sh"
source "$here/go.sh"
source "$here/dockerd.sh"

public=$(awk '$1 == "image:" { print $2; exit }' "$repository/kind-config.yaml")
ingredients=("$here"/tools/{kubernetes,etcd,coredns,localpath,kind}/go.{mod,sum} "$here"/node/* "$0")
kubernetes=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' "$here/tools/kubernetes/go.mod")
own=grepzilla-e2e/node:$kubernetes-$(cat "${ingredients[@]}" | sha256sum | head -c 12)
packed=$cache/node-image/${own##*:}.tar.zst
debian=bookworm # the last Debian whose containerd and systemd are content with cgroup v1 as well as v2

main() {
  docker_hold "script-$$"
  trap clean_up EXIT
  if present "$public"; then own=$public; fi
  if ! present "$own" && ! load_packed; then
    if pull_public; then own=$public; else build; fi
  fi
  [ "$own" = "$public" ] || [ -f "$packed" ] || pack
  echo "$own"
}

clean_up() {
  [ -z "${container:-}" ] || docker rm -fv "$container" >/dev/null || true
  [ -z "${work:-}" ] || { unmount_below "$work"; rm -rf --one-file-system "$work" || true; }
  docker_release "script-$$"
}

# An interrupted debootstrap leaves /proc mounted.
unmount_below() { awk -v below="$1/" 'index($2, below) == 1 { print $2 }' /proc/mounts | tac | xargs -r umount; }

present() { docker image inspect "$1" >/dev/null 2>&1; }

load_packed() {
  [ -f "$packed" ] || return 1
  need zstd=zstd
  say "loading $own from the cache ..."
  zstd -dcq "$packed" | docker load -q >/dev/null && present "$own"
}

# The short question comes first: a registry that does not answer it will not give the image either.
pull_public() {
  say "asking for $public ..."
  child timeout 20 docker manifest inspect "$public" >/dev/null 2>&1 || return 1
  say "pulling $public ..."
  child timeout 900 docker pull -q "$public" >/dev/null
}

pack() {
  need zstd=zstd
  say "packing $own into the cache ..."
  mkdir -p "${packed%/*}"
  docker save "$own" | zstd -1 -T0 -q -o "$packed.new" -f
  mv "$packed.new" "$packed"
  find "${packed%/*}" -name '*.zst' ! -name "${packed##*/}" -delete
  docker images -q --filter reference='grepzilla-e2e/node' --filter "before=$own" | sort -u | xargs -r docker rmi -f >/dev/null
}

# --- building ---

build() {
  [ "$(id -u)" = 0 ] || fail "only root can build the node image"
  need debootstrap=debootstrap jq=jq gcc=gcc busybox=busybox-static
  child "$here/tools.sh" kubernetes kubectl etcd coredns localpath kind
  say "building $own (log: $cache/node-image.log) ..."
  work=$(mktemp -d "$cache/node-image.XXXXXX")
  rm -f "$packed"
  root=$work/root
  root_file_system >"$cache/node-image.log" 2>&1
  component_images
  node_image
}

# A Debian with systemd and containerd, kind's own files on top, and Kubernetes' parts that are not images.
root_file_system() {
  local kind_files
  kind_files=$(module_folder kind sigs.k8s.io/kind)/images/base/files
  child debootstrap --variant=minbase --include="$(xargs <<<'
    systemd systemd-sysv dbus mount kmod util-linux procps hostname e2fsprogs tar gzip pigz jq curl ca-certificates
    containerd runc containernetworking-plugins libseccomp2 iproute2 iptables nftables conntrack ethtool socat' | tr ' ' ,)" \
    "$debian" "$root" $(debian_mirror)
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}

  (cd "$kind_files" && cp -r --no-preserve=mode etc usr kind "$root/")
  chmod 755 "$root"/usr/local/bin/* "$root"/kind/bin/*
  ln -s /usr/bin/containerd "$root/usr/local/bin/containerd"
  mkdir -p "$root"/{opt/cni,etc/kubernetes/manifests,kind/manifests}
  ln -s /usr/lib/cni "$root/opt/cni/bin"
  install -m 755 "$bin"/{kubeadm,kubelet,kubectl} "$root/usr/bin/"
  printf %s "$kubernetes" >"$root/kind/version"
  cp "$here/node/pod-network.yaml" "$root/kind/manifests/default-cni.yaml"
  cp "$here/node/storage.yaml" "$root/kind/manifests/default-storage.yaml"
  configure_containerd
  configure_systemd
}

# A mirror that this machine already uses for Debian's packages; none means debootstrap's own choice.
debian_mirror() {
  apt-get indextargets --format '$(SITE) $(ORIGIN) $(COMPONENT)' 'Identifier: Packages' 'Origin: Debian' 2>/dev/null |
    awk '$2 == "Debian" && $3 == "main" && $1 !~ /security/ { print $1; exit }'
}

# Sandboxes may forbid a better OOM score than the parent's, and raising limits.
configure_containerd() {
  sed -i -e "s#sandbox_image = .*#sandbox_image = \"$(kubeadm_image pause)\"#" \
    -e 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$root/etc/containerd/config.toml"
  chroot "$root" ctr oci spec |
    jq '.hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' >"$root/etc/containerd/cri-base.json"
}

# A node boots nothing but containerd and the kubelet; whatever else systemd would start wants hardware.
configure_systemd() {
  rm -f "$root"/{lib,etc}/systemd/system/{multi-user,local-fs,basic}.target.wants/* "$root"/etc/systemd/system/*.wants/* \
    "$root"/lib/systemd/system/sockets.target.wants/*{udev,initctl}* \
    "$root"/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
  echo ReadKMsg=no >>"$root/etc/systemd/journald.conf"
  chroot "$root" systemctl -q enable kubelet.service containerd.service undo-mount-hacks.service
  chroot "$root" systemctl -q mask systemd-binfmt.service
}

# The full name under which kubeadm expects the image of component $1.
kubeadm_image() { kubeadm config images list --kubernetes-version "$kubernetes" 2>/dev/null | grep "/$1:"; }

component_images() {
  local component
  images=()
  for component in kube-apiserver kube-controller-manager kube-scheduler coredns; do
    image "$(kubeadm_image "$component")" "$component"
  done
  image "$(kubeadm_image etcd)" etcd etcdctl
  image docker.io/rancher/local-path-provisioner:local local-path-provisioner

  mkdir -p "$work"/{pause,busybox}/usr/local/bin "$work/kube-proxy"
  gcc -O2 -static -DVERSION="$kubernetes" -o "$work/pause/usr/local/bin/pause" \
    "$(module_folder kubernetes k8s.io/kubernetes)/build/pause/linux/pause.c"
  image "$(kubeadm_image pause)" pause
  busybox_files "$work/busybox/usr/local/bin"
  image docker.io/library/busybox:local busybox
  kube_proxy_files "$work/kube-proxy"
  image "$(kubeadm_image kube-proxy)" kube-proxy
}

# image NAME BINARY...: an image of these binaries beside what is in $work/BINARY already; the first is its entry point.
image() {
  local name=$1 files=$work/$2 binary
  mkdir -p "$files/usr/local/bin"
  for binary in "${@:2}"; do
    [ -e "$files/usr/local/bin/$binary" ] || ln "$bin/$binary" "$files/usr/local/bin/"
  done
  tar -C "$files" -c . | docker import -c 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin' -c "LABEL $image_label=" -c "ENTRYPOINT [\"$2\"]" - "$name" >/dev/null
  images+=("$name")
}

# The storage provisioner calls /bin/sh.
busybox_files() {
  local applet
  ln -s usr/local/bin "$work/busybox/bin"
  cp "$(command -v busybox)" "$1/"
  for applet in sh cat ip ls mkdir mv ps rm sleep; do ln -s busybox "$1/$applet"; done
}

# kube-proxy runs iptables, which loads its extensions at run time: those and all they link to come from the node's Debian.
kube_proxy_files() (
  cd "$root"
  files=(usr/sbin/{nft,conntrack,xtables-nft-multi} usr/lib/*/xtables/*.so)
  mapfile -t libraries < <(chroot . ldd "${files[@]/#//}" 2>/dev/null | grep -o '/[^ :]*' | sort -u)
  tar -ch --hard-dereference "${files[@]}" "${libraries[@]#/}" | tar -xC "$1"
  for name in {ip,ip6}tables{,-save,-restore}; do ln -s xtables-nft-multi "$1/usr/sbin/$name"; done
)

# The component images go into the node's containerd, which runs once for that in a container of the new image.
node_image() {
  local base=grepzilla-e2e/node-base:new
  tar -C "$root" -c . | docker import -c "LABEL $image_label=" - "$base" >/dev/null
  docker save -o "$work/images.tar" "${images[@]}"
  container=$(docker run -d --privileged -v "$work/images.tar:/images.tar:ro" --entrypoint sleep "$base" infinity)
  docker exec "$container" sh -euc '
    containerd >/dev/null 2>&1 & daemon=$!
    for _ in $(seq 50); do ctr version >/dev/null 2>&1 && break; sleep 0.2; done
    ctr -n k8s.io images import --no-unpack --all-platforms --digests /images.tar >/dev/null
    kill $daemon; wait $daemon || true; rm -rf /run/containerd'
  docker commit -c 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' -c 'CMD []' -c 'ENV container=docker' \
    "$container" "$own" >/dev/null
  docker rm -fv "$container" >/dev/null
  container=
  docker rmi "$base" "${images[@]}" >/dev/null
  docker_prune
}

main
