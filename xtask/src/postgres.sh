# PostgreSQL refuses to run as root.
as=
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$folder"
    as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi

# Nothing here outlives the run, so nothing is synced, but where that is measured.
$as "$1/initdb" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync cluster >log 2>&1 &&
    $as "$1/pg_ctl" --pgdata=cluster --log=server.log --wait start >>log 2>&1 -o "-p $2 -h 127.0.0.1 \
        -c unix_socket_directories= -c max_connections=300 -c fsync=${fsync:-off}" ||
    { cat log server.log >&2; exit 1; }

read -r _ || true
$as "$1/pg_ctl" --pgdata=cluster --mode=immediate stop >/dev/null
