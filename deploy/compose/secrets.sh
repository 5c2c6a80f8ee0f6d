#!/bin/sh
# Makes the secrets of deploy/compose.yml: a folder for each service that reads them, and none reads another's.
# A secret that is there stays, so this may run again, and so yours may be put in its place.
set -eu
umask 077
folder=${1:-/secrets}

# Letters and digits only: they stand in URLs.
password() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

# Writes standard input to a file, whole or not at all.
write() {
    mkdir -p "$(dirname "$1")"
    cat >"$1.new"
    mv "$1.new" "$1"
}

for service in postgres redis rabbitmq; do
    [ -s "$folder/$service/password" ] || password | write "$folder/$service/password"
done
[ -s "$folder/keyward/master_key" ] || head -c 32 /dev/urandom | base64 | write "$folder/keyward/master_key"

postgres=$(cat "$folder/postgres/password")
redis=$(cat "$folder/redis/password")
rabbitmq=$(cat "$folder/rabbitmq/password")

# Without TLS: these networks never leave the machine.
echo "postgres://keyward:$postgres@postgres:5432/keyward?sslmode=disable" | write "$folder/keyward/database_url"
echo "redis://:$redis@redis:6379/0" | write "$folder/keyward/redis_url"
for service in keyward user-service; do
    echo "amqp://keyward:$rabbitmq@rabbitmq:5672/%2f" | write "$folder/$service/events_url"
    echo "kafka://kafka:9092/auth.events" | write "$folder/$service/events_url_kafka"
done
write "$folder/redis/redis.conf" <<END
requirepass $redis
# Counters of rate limits only: nothing is lost with them.
save ""
maxmemory 64mb
maxmemory-policy allkeys-lru
END
write "$folder/rabbitmq/rabbitmq.conf" <<END
default_user = keyward
default_pass = $rabbitmq
END

# Whoever the services run as: each has its own folder mounted, and only that.
for service in postgres redis rabbitmq keyward user-service; do
    chmod 0755 "$folder/$service"
    chmod 0444 "$folder/$service"/*
done
