# Keeps a Redis in a temporary folder until stdin closes. $1: its programs, $2: a free port.
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/keyward-redis.XXXXXX")
trap 'cd /; rm -rf "$folder"' EXIT
cd "$folder"

# Nothing here outlives the run, so nothing is saved.
"$1/redis-server" --port "$2" --bind 127.0.0.1 --save '' --appendonly no --dir "$folder" \
    --daemonize yes --pidfile "$folder/pid" --logfile log >/dev/null
tries=0
until grep -q 'Ready to accept connections' log; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { cat log >&2; exit 1; }
    sleep 0.1
done

echo "redis://127.0.0.1:$2"
read -r _ || true
kill "$(cat "$folder/pid")"
