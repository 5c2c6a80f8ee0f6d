//! Events that share a channel, a round at a time.
//!
//! A broker returns what no queue takes, and then confirms it. The client library hands a returned message to whichever
//! confirmation comes next, which need not be that message's own: once several are under way, only all of them together
//! tell which were returned. So what waits is published together, and nobody hears before the last has been confirmed.

use std::collections::HashSet;

use futures_util::future::join_all;
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::describe;
use crate::events::{PUBLISH_TIMEOUT, PublishError, Receipt};

/// The most events of one round.
pub(super) const ROUND_MAX: usize = 512;

/// An event as AMQP has it.
pub(super) struct Letter {
    pub routing_key: ShortString,
    pub properties: BasicProperties,
    pub body: Vec<u8>,
}

type Outcome = Result<Receipt, PublishError>;
type Waiting = (Letter, oneshot::Sender<Outcome>);

/// The way to the task that has a channel.
#[derive(Debug)]
pub(super) struct Rounds(mpsc::Sender<Waiting>);

impl Rounds {
    /// `channel` confirms. It is used until it fails, or until this is dropped.
    pub(super) fn over(channel: Channel, exchange: ShortString) -> Self {
        let (waiting, rounds) = mpsc::channel(ROUND_MAX);
        tokio::spawn(go_round(channel, exchange, rounds));
        Self(waiting)
    }

    /// Whether the channel still works.
    pub(super) fn go_on(&self) -> bool {
        !self.0.is_closed()
    }

    /// Publishes in the next round.
    pub(super) async fn publish(&self, letter: Letter) -> Outcome {
        let given_up = || PublishError::Away("the channel was given up".to_owned());
        let (told, outcome) = oneshot::channel();
        self.0.send((letter, told)).await.map_err(|_| given_up())?;
        outcome.await.map_err(|_| given_up())?
    }
}

/// Ends with the first round that fails: its confirmations must not come up in another. Who waits then is let go.
async fn go_round(channel: Channel, exchange: ShortString, mut rounds: mpsc::Receiver<Waiting>) {
    let mut round = Vec::with_capacity(ROUND_MAX);
    while rounds.recv_many(&mut round, ROUND_MAX).await > 0 {
        // Who has hung up may have lost the right to publish.
        let round = round.drain(..).filter(|(_, told)| !told.is_closed()).collect();
        let done = timeout(PUBLISH_TIMEOUT, publish_all(&channel, &exchange, round)).await;
        if done.is_err() || !channel.status().connected() {
            return;
        }
    }
}

async fn publish_all(channel: &Channel, exchange: &ShortString, round: Vec<Waiting>) {
    let mut sent = Vec::with_capacity(round.len());
    for (letter, told) in round {
        let id = letter.properties.message_id().clone();
        sent.push((id, told, send(channel, exchange, letter).await));
    }
    let confirmed = join_all(sent.into_iter().map(async |(id, told, sent)| {
        let confirmation = match sent {
            Ok(confirmation) => confirmation.await,
            Err(error) => Err(error),
        };
        (id, told, confirmation)
    }));
    let (mut returned, mut outcomes) = (HashSet::new(), Vec::new());
    for (id, told, confirmation) in confirmed.await {
        let (outcome, message) = judge(confirmation);
        returned.extend(message.and_then(|message| message.delivery.properties.message_id().clone()));
        outcomes.push((id, told, outcome));
    }
    for (id, told, outcome) in outcomes {
        let nowhere = id.is_some_and(|id| returned.contains(&id));
        // Who has hung up publishes it again.
        let _ = told.send(match outcome {
            Ok(_) | Err(PublishError::Refused(_)) if nowhere => Ok(Receipt::NoSubscriber),
            outcome => outcome,
        });
    }
}

async fn send(
    channel: &Channel,
    exchange: &ShortString,
    Letter { routing_key, properties, body }: Letter,
) -> Result<PublisherConfirm, lapin::Error> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel.basic_publish(exchange.clone(), routing_key, options, &body, properties).await
}

/// What a confirmation says of its own event, and the returned message that came up with it.
fn judge(confirmation: Result<Confirmation, lapin::Error>) -> (Outcome, Option<BasicReturnMessage>) {
    match confirmation {
        Ok(Confirmation::Ack(returned)) => (Ok(Receipt::Taken), returned),
        Ok(Confirmation::Nack(returned)) => {
            (Err(PublishError::Refused("the broker refused it (nack)".to_owned())), returned)
        }
        Ok(Confirmation::NotRequested) => {
            (Err(PublishError::Away("the channel does not confirm".to_owned())), None)
        }
        Err(error) => (Err(PublishError::Away(describe(&error))), None),
    }
}
