use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Connection, ConnectionProperties, ExchangeKind};
use tokio::sync::watch;

use super::source::RabbitMq;
use super::{Lost, TYPES, apply};
use crate::profiles::Profiles;

/// Messages that are on their way to us unconfirmed: enough to keep busy, few enough to leave some to other replicas.
const PREFETCH: u16 = 64;

/// Applies events until `stop` turns true, or until the connection is lost.
pub(super) async fn follow(
    source: &RabbitMq,
    profiles: &Profiles,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Lost> {
    let properties = ConnectionProperties::default().with_connection_name("user-service".into());
    let connection = Connection::connect(&source.url, properties).await?;
    let followed = follow_over(&connection, source, profiles, stop).await;
    // What we hold unconfirmed goes back to the queue at once.
    let _ = connection.close(200, "goodbye".into()).await;
    followed
}

async fn follow_over(
    connection: &Connection,
    RabbitMq { exchange, queue, .. }: &RabbitMq,
    profiles: &Profiles,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Lost> {
    let (exchange, queue) = (ShortString::from(exchange.as_str()), ShortString::from(queue.as_str()));
    let channel = connection.create_channel().await?;
    // Declared by both sides alike, so that it does not matter who starts first.
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(exchange.clone(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
    // Keeps what happens while we are away. From here on Keyward knows that somebody wants these types.
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.clone(), durable, FieldTable::default()).await?;
    for kind in TYPES {
        let (queue, exchange) = (queue.clone(), exchange.clone());
        let bind = QueueBindOptions::default();
        channel.queue_bind(queue, exchange, kind.into(), bind, FieldTable::default()).await?;
    }
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let consume = BasicConsumeOptions::default();
    let mut deliveries = channel.basic_consume(queue, "".into(), consume, FieldTable::default()).await?;
    tracing::info!("events come from RabbitMQ");
    loop {
        let delivery = tokio::select! {
            delivery = deliveries.next() => delivery.ok_or(Lost::Cancelled)??,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        apply(&delivery.data, profiles).await?;
        // Only now, when the profile is written. If we end before, the message comes again.
        delivery.ack(BasicAckOptions::default()).await?;
    }
}
