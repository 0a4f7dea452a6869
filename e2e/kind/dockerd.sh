# A Docker daemon for as long as somebody needs it. Sourced after lib.sh, never run.
#
# Where a daemon runs already it is used and left alone. Else `docker_hold NAME` starts one and writes down that it is
# ours; NAME (a cluster, or a script by its process id) is noted as a holder, and the `docker_release` of the last
# holder stops the daemon with everything below it.

run=$cache/run
holders=$run/holders
mkdir -p "$holders"
docker_root=/var/run/docker # where dockerd keeps the socket of its own containerd

docker_answers() { timeout 10 docker info >/dev/null 2>&1; }

docker_hold() {
  need docker=docker.io
  (
    flock 9
    docker_answers || start_dockerd
    : >"$holders/$1"
  ) 9>"$run/lock"
}

docker_release() {
  (
    flock 9
    rm -f "$holders/$1"
    forget_dead_scripts
    [ -f "$run/dockerd.pid" ] || exit 0
    if ! dockerd_is_ours || [ -z "$(ls -A "$holders")" ]; then stop_dockerd; fi
  ) 9>"$run/lock"
}

# Images that these scripts make carry this label, so that what newer ones replaced can be told from a person's own.
image_label=io.grepzilla.e2e
docker_prune() { docker image prune -f --filter "label=$image_label" >/dev/null; }

# Why stories cannot run here, in one sentence; nothing where they can.
docker_obstacle() {
  ! docker_answers || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "no Docker daemon answers, and only root can start one"
  elif ! capability cap_sys_admin 21 || ! capability cap_net_admin 12; then
    echo "no Docker daemon answers, and this sandbox forbids what starting one takes (CAP_SYS_ADMIN, CAP_NET_ADMIN)"
  elif ! command -v dockerd >/dev/null && ! command -v apt-get >/dev/null; then
    echo "no Docker daemon answers, dockerd is not installed, and there is no apt-get to install it"
  fi
}

# capability NAME BIT: whether this process may hold the capability.
capability() { (((0x$(awk '/^CapBnd/ { print $2 }' /proc/self/status) >> $2) & 1)); }

start_dockerd() {
  local obstacle options=()
  obstacle=$(docker_obstacle)
  [ -z "$obstacle" ] || fail "$obstacle"
  need dockerd=docker.io containerd=containerd runc=runc iptables=iptables jq=jq
  [ ! -f "$run/dockerd.pid" ] || kill_leftovers
  capability cap_sys_resource 24 || options=(--add-runtime "lessr=$here/oci-runtime" --default-runtime lessr)
  raise_inotify_limit
  say "starting dockerd ..."
  setsid dockerd "${options[@]}" >"$cache/dockerd.log" 2>&1 </dev/null 9>&- &
  printf '%s %s\n' $! "$(started_at $!)" >"$run/dockerd.pid"
  for _ in $(seq 120); do
    docker_answers && break
    dockerd_is_ours || break
    sleep 0.25
  done
  docker_answers || fail "dockerd did not start; its log is $cache/dockerd.log"
  remove_leftover_clusters
}

# The kernel's default of 128 watchers is too little for two clusters of four nodes.
raise_inotify_limit() {
  local limit=/proc/sys/fs/inotify/max_user_instances
  [ "$(cat $limit)" -ge 1024 ] || echo 1024 2>/dev/null >$limit || true
}

# A daemon that was killed starts its old containers again. Those of our own holders are of no use to anybody any more.
remove_leftover_clusters() {
  local holder
  for holder in "$holders"/cluster-*; do
    [ -e "$holder" ] || continue
    docker ps -aq --filter "label=io.x-k8s.kind.cluster=${holder##*/cluster-}" | xargs -r docker rm -fv >/dev/null
    rm -f "$holder"
  done
}

# Where our daemon died and another one runs by now, there is nothing to do but to forget ours.
stop_dockerd() {
  local pid
  if dockerd_is_ours; then
    read -r pid _ <"$run/dockerd.pid"
    ! docker_answers || docker network rm kind >/dev/null 2>&1 || true
    kill -TERM "$pid"
    for _ in $(seq 120); do
      dockerd_is_ours || break
      sleep 0.25
    done
    ! dockerd_is_ours || kill -KILL "$pid"
  fi
  docker_answers || kill_leftovers
  rm -f "$run/dockerd.pid"
}

# What a daemon of ours leaves behind when it did not end well: its containerd, the shims and the containers below them.
# They name its private socket, which no other containerd on the machine uses.
kill_leftovers() {
  local shim
  for shim in $(pgrep -f "containerd-shim.* -address $docker_root/containerd/containerd.sock" || true); do
    pkill -KILL -P "$shim" || true
    kill -KILL "$shim" 2>/dev/null || true
  done
  pkill -KILL -f "^containerd --config $docker_root/containerd/containerd.toml" || true
  rm -f "$docker_root.pid" "$docker_root/containerd/containerd.pid"
}

# Process ids are used again, so the time of the process's start is compared too.
dockerd_is_ours() {
  local pid started
  read -r pid started 2>/dev/null <"$run/dockerd.pid" || return 1
  [ -n "$started" ] && [ "$(started_at "$pid")" = "$started" ]
}

started_at() { awk '{ print $22 }' "/proc/$1/stat" 2>/dev/null || true; }

forget_dead_scripts() {
  local holder
  for holder in "$holders"/script-*; do
    [ -e "$holder" ] && [ ! -d "/proc/${holder##*/script-}" ] && rm -f "$holder"
  done
  return 0
}
