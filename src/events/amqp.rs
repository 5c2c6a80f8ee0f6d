use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, ExchangeKind,
};
use tokio::sync::Mutex;

use super::{Message, PublishError, Receipt};
use crate::config::{AmqpTarget, Secret};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// AMQP 0-9-1, section 4.2.3 of the reference: the message is written to disk.
const PERSISTENT: u8 = 2;

/// A durable topic exchange; the routing key is the type of the event.
#[derive(Debug)]
pub(super) struct Amqp {
    url: Secret,
    exchange: ShortString,
    /// `None` until the first event, and after a failure until the next.
    link: Mutex<Option<Arc<Link>>>,
}

struct Link {
    connection: Connection,
    channel: Channel,
}

impl Amqp {
    pub(super) fn new(target: &AmqpTarget) -> Self {
        let exchange = ShortString::from(target.exchange.as_str());
        Self { url: target.url.clone(), exchange, link: Mutex::new(None) }
    }

    pub(super) async fn publish(&self, message: &Message) -> Result<Receipt, PublishError> {
        let link = self.link().await?;
        match self.publish_over(&link, message).await {
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
                self.forget(&link).await;
                Err(PublishError::Away(describe(&error)))
            }
        }
    }

    async fn publish_over(&self, link: &Link, message: &Message) -> Result<Confirmation, lapin::Error> {
        let properties = BasicProperties::default()
            .with_message_id(message.id.to_string().into())
            .with_type(message.kind.as_str().into())
            .with_content_type("application/cloudevents+json".into())
            .with_app_id("keyward".into())
            .with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let routing_key = message.kind.as_str().into();
        let confirm = link
            .channel
            .basic_publish(self.exchange.clone(), routing_key, options, &message.body, properties)
            .await?;
        confirm.await
    }

    /// Returns the connection, made anew if need be; whoever comes meanwhile waits for it.
    async fn link(&self) -> Result<Arc<Link>, PublishError> {
        let mut link = self.link.lock().await;
        if let Some(link) = link.as_ref().filter(|link| link.channel.status().connected()) {
            return Ok(Arc::clone(link));
        }
        let made = tokio::time::timeout(CONNECT_TIMEOUT, self.connect()).await;
        let made = match made {
            Ok(Ok(made)) => Arc::new(made),
            Ok(Err(error)) => return Err(PublishError::Away(describe(&error))),
            Err(_) => {
                let seconds = CONNECT_TIMEOUT.as_secs();
                return Err(PublishError::Away(format!("no connection within {seconds} s")));
            }
        };
        *link = Some(Arc::clone(&made));
        Ok(made)
    }

    async fn connect(&self) -> Result<Link, lapin::Error> {
        let properties = ConnectionProperties::default().with_connection_name("keyward relay".into());
        let connection = Connection::connect(self.url.expose(), properties).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel
            .exchange_declare(self.exchange.clone(), ExchangeKind::Topic, durable, FieldTable::default())
            .await?;
        Ok(Link { connection, channel })
    }

    /// Drops a connection that failed, unless somebody has made another by now.
    async fn forget(&self, failed: &Arc<Link>) {
        let mut link = self.link.lock().await;
        if link.as_ref().is_some_and(|link| Arc::ptr_eq(link, failed)) {
            *link = None;
        }
    }

    /// Before the runtime stops, or its input and output would end in the middle of a frame.
    pub(super) async fn close(&self) {
        let Some(link) = self.link.lock().await.take() else { return };
        let closed = link.connection.close(200, "keyward stops".into());
        let _ = tokio::time::timeout(Duration::from_secs(1), closed).await;
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("status", self.channel.status()).finish_non_exhaustive()
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
