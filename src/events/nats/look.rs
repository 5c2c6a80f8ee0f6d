//! A look at the stream that leaves nothing in it.

use async_nats::jetstream::stream::{DiscardPolicy, Info};

use super::{Nats, away, matches, not_found};
use crate::events::{Look, PublishError};

/// Any type of event; all have the same beginning, and a stream that wants some of them only is as its owner meant it.
const TYPE: &str = "auth.user_created";

impl Nats {
    /// Asks for the stream. A message that `JetStream` refuses (it can be told to expect another stream) would still reach those
    /// who subscribe to the subject without a stream, so nothing is published.
    pub(in crate::events) async fn look(&self) -> Result<Look, PublishError> {
        let open = self.dial().await?;
        let stream = &self.target.stream;
        let look = match open.jetstream.get_stream(stream).await {
            Ok(found) => self.judge(found.cached_info()),
            Err(error) if not_found(&error) => {
                Ok(Look::Unmade(format!("the server answers; it has no stream {stream} yet")))
            }
            Err(error) => Err(away(format!("stream {stream} of events_url: {error}"))),
        };
        let _ = open.client.drain().await;
        look
    }

    fn judge(&self, info: &Info) -> Result<Look, PublishError> {
        let (config, state) = (&info.config, &info.state);
        let (stream, subject) = (&config.name, format!("{}.{TYPE}", self.target.subject));
        if !config.subjects.iter().any(|pattern| matches(pattern, &subject)) {
            let subjects = config.subjects.join(", ");
            return Err(PublishError::Refused(format!(
                "stream {stream} takes {subjects}, and not {subject}"
            )));
        }
        let reached =
            |limit: i64, held: u64| u64::try_from(limit).is_ok_and(|limit| limit > 0 && held >= limit);
        let full = reached(config.max_messages, state.messages) || reached(config.max_bytes, state.bytes);
        if full && config.discard == DiscardPolicy::New {
            return Err(PublishError::Refused(format!("stream {stream} is full, and refuses what is new")));
        }
        Ok(Look::Ready(format!("the server answers, and stream {stream} takes {subject}")))
    }
}
