//! A look at the exchange that leaves nothing in it.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::{BasicProperties, Channel, Connection, ErrorKind};

use super::{Amqp, DURABLE, describe};
use crate::events::{Look, PublishError};

/// AMQP 0-9-1, section 1.2 (constants).
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;

/// Begins as types of events do, for users who may write only to such keys. No event has it.
const ROUTING_KEY: &str = "auth.doctor";
/// A time to live must be a number.
const NO_NUMBER: &str = "none";

impl Amqp {
    pub(in crate::events) async fn look(&self) -> Result<Look, PublishError> {
        let connection = self.dial("keyward doctor").await.map_err(|error| judge(&error))?;
        let look = self.look_over(&connection).await;
        let _ = connection.close(200, "keyward has looked".into()).await;
        look
    }

    /// An event that was made up must reach nobody, and whoever is bound by `#` gets everything that is published: even
    /// a temporary queue bound to the exchange would have to share. So the last question is a publish that the broker refuses:
    /// RabbitMQ looks whether the user may write to the exchange, by this key, and only then at the properties, where
    /// a time to live that is no number ends the channel, before anything is routed.
    async fn look_over(&self, connection: &Connection) -> Result<Look, PublishError> {
        let exchange = &self.exchange;
        let passive = ExchangeDeclareOptions { passive: true, ..DURABLE };
        match self.declare(&channel(connection).await?, passive).await {
            Err(error) if code(&error) == Some(NOT_FOUND) => {
                return Ok(Look::Unmade(format!("the broker answers; it has no exchange {exchange} yet")));
            }
            outcome => outcome.map_err(|error| judge(&error))?,
        }
        let channel = channel(connection).await?;
        // What every relay does, and where one stumbles over an exchange of another kind.
        self.declare(&channel, DURABLE).await.map_err(|error| judge(&error))?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(|error| judge(&error))?;
        let refused = BasicProperties::default().with_expiration(NO_NUMBER.into());
        let options = BasicPublishOptions::default();
        let published = async {
            channel.basic_publish(exchange.clone(), ROUTING_KEY.into(), options, &[], refused).await?.await
        };
        match published.await {
            Err(error) if code(&error) != Some(PRECONDITION_FAILED) => Err(judge(&error)),
            _ => Ok(Look::Ready(format!(
                "the broker answers, and this user may publish to exchange {exchange}"
            ))),
        }
    }
}

async fn channel(connection: &Connection) -> Result<Channel, PublishError> {
    connection.create_channel().await.map_err(|error| judge(&error))
}

/// Whether it is away, or there and not as it should be.
fn judge(error: &lapin::Error) -> PublishError {
    let reason = describe(error);
    match code(error) {
        Some(ACCESS_REFUSED | PRECONDITION_FAILED) => PublishError::Refused(reason),
        _ => PublishError::Away(reason),
    }
}

fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}
