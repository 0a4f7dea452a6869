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

# need COMMAND=PACKAGE...: installs the Debian package of each command that is not there.
need() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
    fail "please install ${missing[*]} (Debian's names); only root with apt-get can do it from here"
  say "installing ${missing[*]} ..."
  install_packages "${missing[@]}" || { apt-get -q update >&2 && install_packages "${missing[@]}"; } ||
    fail "apt-get could not install ${missing[*]}"
}

# RUNLEVEL=1 keeps the packages' own services from being started.
install_packages() {
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" >&2
}

# The kubeconfig of cluster $1; the person's own ~/.kube/config is never used.
kubeconfig_of() { printf '%s\n' "${KUBECONFIG:-$cache/$1.kubeconfig}"; }
