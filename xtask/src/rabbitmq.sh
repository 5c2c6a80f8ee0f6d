# Name, port mapper and cookie are its own: it neither finds nor disturbs another RabbitMQ.
export HOME="$folder" RABBITMQ_NODENAME="keyward-$2@localhost" RABBITMQ_DIST_PORT="$3"
export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$4"
export RABBITMQ_MNESIA_BASE="$folder" RABBITMQ_LOG_BASE="$folder"
export RABBITMQ_CONFIG_FILE="$folder/rabbitmq" RABBITMQ_ENABLED_PLUGINS_FILE="$folder/plugins"
# Then its script turns into the server, instead of waiting for it.
export RUNNING_UNDER_SYSTEMD=true
echo "listeners.tcp.default = 127.0.0.1:$2" >rabbitmq.conf
echo '[].' >plugins

# The server would start the mapper itself, and leave it running.
epmd &
epmd=$!
keep "$1/rabbitmq-server"
kill "$epmd"
