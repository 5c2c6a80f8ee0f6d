# PgBouncer refuses to run as root.
as=
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$folder"
    as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi

# Every database of the server, by its own name; who connects is taken at their word.
cat >pgbouncer.ini <<END
[databases]
* = $POSTGRES
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $2
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 2000
default_pool_size = 20
END

keep $as "$1/pgbouncer" pgbouncer.ini
