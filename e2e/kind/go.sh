# Go, new enough for the pins in tools/. Sourced after lib.sh, never run.

go_version=1.26.8 # fetched where the machine's Go is older than what the pins ask for

# Puts a Go that is new enough for all pins on PATH. Any Go, however old, can fetch a new one as a module;
# the module cache holds it without execute bits, hence the copy.
find_go() {
  local own=$cache/go-$go_version fetched
  export GOTOOLCHAIN=local
  ! go_is_new_enough || return 0
  export PATH="$own/bin:$PATH"
  ! go_is_new_enough || return 0
  need go=golang-go
  need_certificates
  say "fetching Go $go_version ..."
  fetched=$(cd / && GOFLAGS=-modcacherw go mod download -json "golang.org/toolchain@v0.0.1-go$go_version.linux-$(go env GOARCH)" |
    sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  [ -n "$fetched" ] || fail "Go $go_version is needed and could not be fetched; please install it and put it on PATH"
  cp -r "$fetched" "$own.$$"
  chmod +x "$own.$$"/bin/* "$own.$$"/pkg/tool/*/*
  rm -rf "$own" && mv "$own.$$" "$own"
  hash -r
}

go_is_new_enough() {
  local wanted found
  wanted=$(awk '$1 == "go" { print $2 }' "$here"/tools/*/go.mod | sort -V | tail -1)
  found=$(go env GOVERSION 2>/dev/null) || return 1
  [ "$(printf '%s\n' "$wanted" "${found#go}" | sort -V | head -1)" = "$wanted" ]
}

# The folder that holds the source of module $2, as the pins in tools/$1 have it.
module_folder() {
  find_go
  (cd "$here/tools/$1" && go mod download -json "$2") | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'
}
