mod look;

use std::path::PathBuf;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{FieldTable, ShortString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, ExchangeKind,
};
use tokio::time::timeout;

use super::link::Link;
use super::{Message, PublishError, Receipt, authorities};
use crate::config::{AmqpTarget, Secret};

/// AMQP 0-9-1, section 4.2.3 of the reference: the message is written to disk.
const PERSISTENT: u8 = 2;

/// A durable topic exchange; the routing key is the type of the event.
#[derive(Debug)]
pub(super) struct Amqp {
    url: Secret,
    exchange: ShortString,
    ca: Option<PathBuf>,
    link: Link<Open>,
}

struct Open {
    connection: Connection,
    channel: Channel,
}

impl Amqp {
    /// `Err` says what is wrong with the file of authorities.
    pub(super) fn new(target: &AmqpTarget) -> Result<Self, String> {
        target.ca.as_deref().map_or(Ok(()), authorities::check)?;
        let exchange = ShortString::from(target.exchange.as_str());
        Ok(Self { url: target.url.clone(), exchange, ca: target.ca.clone(), link: Link::new() })
    }

    pub(super) async fn publish(&self, message: &Message) -> Result<Receipt, PublishError> {
        let connect = async || self.connect().await.map_err(|error| PublishError::Away(describe(&error)));
        let open = self.link.get(|open| open.channel.status().connected(), connect).await?;
        match self.publish_over(&open, message).await {
            Ok(Confirmation::Ack(None)) => Ok(Receipt::Taken),
            // Returned first and then confirmed: there was no queue to put it into.
            Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))) => Ok(Receipt::NoSubscriber),
            Ok(Confirmation::Nack(None)) => {
                Err(PublishError::Refused("the broker refused it (nack)".to_owned()))
            }
            Ok(Confirmation::NotRequested) => {
                Err(PublishError::Away("the channel does not confirm".to_owned()))
            }
            Err(error) => {
                self.link.forget(&open).await;
                Err(PublishError::Away(describe(&error)))
            }
        }
    }

    async fn publish_over(&self, open: &Open, message: &Message) -> Result<Confirmation, lapin::Error> {
        let properties = BasicProperties::default()
            .with_message_id(message.id.to_string().into())
            .with_type(message.kind.as_str().into())
            .with_content_type("application/cloudevents+json".into())
            .with_app_id("keyward".into())
            .with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let routing_key = message.kind.as_str().into();
        let confirm = open
            .channel
            .basic_publish(self.exchange.clone(), routing_key, options, &message.body, properties)
            .await?;
        confirm.await
    }

    async fn connect(&self) -> Result<Open, lapin::Error> {
        let connection = self.dial("keyward relay").await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        self.declare(&channel, DURABLE).await?;
        Ok(Open { connection, channel })
    }

    async fn declare(&self, channel: &Channel, options: ExchangeDeclareOptions) -> Result<(), lapin::Error> {
        let exchange = self.exchange.clone();
        channel.exchange_declare(exchange, ExchangeKind::Topic, options, FieldTable::default()).await
    }

    async fn dial(&self, name: &str) -> Result<Connection, lapin::Error> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let cert_chain = match &self.ca {
            Some(ca) => Some(tokio::fs::read_to_string(ca).await?),
            None => None,
        };
        let tls = OwnedTLSConfig { identity: None, cert_chain };
        let runtime = lapin::runtime::default_runtime()?;
        Connection::connect_with_config(self.url.expose(), properties, tls, runtime).await
    }

    /// Before the runtime stops, or its input and output would end in the middle of a frame.
    pub(super) async fn close(&self) {
        let Some(open) = self.link.take().await else { return };
        let closed = open.connection.close(200, "keyward stops".into());
        let _ = timeout(Duration::from_secs(1), closed).await;
    }
}

/// What the relay declares. Field by field, since the default is no constant.
const DURABLE: ExchangeDeclareOptions = ExchangeDeclareOptions {
    passive: false,
    durable: true,
    auto_delete: false,
    internal: false,
    nowait: false,
};

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("status", self.channel.status()).finish_non_exhaustive()
    }
}

/// Says what is wrong without the URL, which holds a password.
fn describe(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => {
            format!("the broker says {} {}", error.get_id(), error.get_message())
        }
        ErrorKind::IOError(error) => error.to_string(),
        _ => error.to_string(),
    }
}
