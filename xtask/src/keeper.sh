# Keeps a server until stdin closes, in a temporary folder. $1: its programs, $2 $3 $4: free ports.
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/keyward-server.XXXXXX")
trap 'cd /; rm -rf "$folder"' EXIT
cd "$folder"

# Runs a server in the foreground until then. If it ends by itself, its log says why.
keep() {
    exec 3<&0
    "$@" >log 2>&1 3<&- &
    server=$!
    (read -r _ <&3 || true; touch told; kill -KILL "$server") &
    wait "$server" 2>/dev/null || true
    [ -e told ] || { kill "$!"; cat log >&2; exit 1; }
}
