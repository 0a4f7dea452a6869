# What the scripts of this folder share: where things are, how they speak, what they need. Sourced, never run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
cache=${GREPZILLA_CACHE:-${HOME:-/root}/.cache/grepzilla}
bin=$cache/bin
mkdir -p "$bin"
export PATH="$bin:$PATH"

say() { printf '%s\n' "$*" >&2; }
fail() { say "${0##*/}: $*"; exit 1; }

# child COMMAND...: a long command, in a process group of its own, that ends when this script is told to end (or killed).
child() {
  local status=0
  setsid setpriv --pdeathsig TERM "$@" &
  child_group=$!
  wait "$child_group" || status=$?
  child_group=
  return "$status"
}

end_child() {
  [ -n "${child_group:-}" ] || return 0
  kill -TERM -- "-$child_group" 2>/dev/null || true
  wait "$child_group" || true
}

trap 'end_child; exit 130' INT TERM

# need COMMAND=PACKAGE...: installs the Debian package of each command that is not there.
need() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    fail "please install ${missing[*]} (Debian's names); only root with apt-get can do it from here"
  fi
  say "installing ${missing[*]} ..."
  install_packages "${missing[@]}" || { apt-get -q update >&2 && install_packages "${missing[@]}"; } ||
    fail "apt-get could not install ${missing[*]}"
}

certificates=/etc/ssl/certs/ca-certificates.crt
need_certificates() { [ -s "$certificates" ] || need update-ca-certificates=ca-certificates; }

# RUNLEVEL=1 keeps the packages' own services from being started.
install_packages() {
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" >&2
}

# The kubeconfig of cluster $1; the person's own ~/.kube/config is never used.
kubeconfig_of() { printf '%s\n' "${KUBECONFIG:-$cache/$1.kubeconfig}"; }
