mod look;
mod rounds;

use std::path::PathBuf;
use std::time::Duration;

use lapin::options::{ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind, ExchangeKind};
use tokio::time::timeout;

use self::rounds::{Letter, Rounds};
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

#[derive(Debug)]
struct Open {
    connection: Connection,
    rounds: Rounds,
}

impl Open {
    fn blocked(&self) -> bool {
        let status = self.connection.status();
        status.connected() && status.blocked()
    }
}

impl Amqp {
    /// How many events it takes at a time.
    pub(super) const CONCURRENCY: usize = rounds::ROUND_MAX;

    /// `Err` says what is wrong with the file of authorities.
    pub(super) fn new(target: &AmqpTarget) -> Result<Self, String> {
        target.ca.as_deref().map_or(Ok(()), authorities::check)?;
        let exchange = ShortString::from(target.exchange.as_str());
        Ok(Self { url: target.url.clone(), exchange, ca: target.ca.clone(), link: Link::new() })
    }

    pub(super) async fn publish(&self, message: &Message) -> Result<Receipt, PublishError> {
        let connect = async || self.connect().await.map_err(|error| PublishError::Away(describe(&error)));
        let open = self.link.get(|open| open.blocked() || open.rounds.go_on(), connect).await?;
        // Whatever the library is given now stays in memory until the alarm is over.
        if open.blocked() {
            return Err(PublishError::Away(
                "the broker blocks publishers: it lacks memory or disk".to_owned(),
            ));
        }
        let outcome = open.rounds.publish(letter(message)).await;
        if matches!(outcome, Err(PublishError::Away(_))) && !open.blocked() {
            self.link.forget(&open).await;
        }
        outcome
    }

    async fn connect(&self) -> Result<Open, lapin::Error> {
        let connection = self.dial("keyward relay").await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        self.declare(&channel, DURABLE).await?;
        Ok(Open { connection, rounds: Rounds::over(channel, self.exchange.clone()) })
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

fn letter(message: &Message) -> Letter {
    let properties = BasicProperties::default()
        .with_message_id(message.id.to_string().into())
        .with_type(message.kind.as_str().into())
        .with_content_type("application/cloudevents+json".into())
        .with_app_id("keyward".into())
        .with_delivery_mode(PERSISTENT);
    Letter { routing_key: message.kind.as_str().into(), properties, body: message.body.clone() }
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
