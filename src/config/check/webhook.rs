use crate::config::{
    EventsSettings, Sink, SinkTarget, WebhookSecret,
    reader::{Checked, Reader},
};

const SECRETS: &str = "events.webhook_secrets";

pub(super) fn secrets(reader: &mut Reader<'_>) -> Checked<Vec<WebhookSecret>> {
    // Through `secret` first: a variable that was not filled in must not pass for one that was not set.
    reader.secret(SECRETS, |_| Ok(()))?;
    let secrets = reader.list(SECRETS, WebhookSecret::parse)?;
    if secrets.is_empty() && reader.given(SECRETS) {
        return reader.refuse(SECRETS, "holds no secret", "write one, or do not set it at all");
    }
    if secrets.iter().enumerate().any(|(at, one)| secrets.iter().skip(at + 1).any(|other| other == one)) {
        return reader.refuse(SECRETS, "holds the same secret twice", "keep one of the two");
    }
    Ok(secrets)
}

/// Refuses webhooks that nothing would sign: a receiver could not tell them from anybody's.
pub(super) fn signed(
    reader: &mut Reader<'_>,
    sinks: &[Sink],
    events: &EventsSettings,
    fresh_key: &dyn Fn() -> [u8; 32],
) {
    let any = sinks.iter().any(|sink| matches!(sink.target, SinkTarget::Webhook(_)));
    if any && events.webhook_secrets.is_empty() && reader.complete() {
        let fresh = WebhookSecret::new(&fresh_key()).to_text();
        reader.note(
            SECRETS,
            "no secret: events_url names a webhook, and its receiver could not tell who posts",
            format!(
                "this one is fresh, nobody else has it:\n\
                 \u{20}   KEYWARD_EVENTS_WEBHOOK_SECRETS={} keyward serve\n\
                 keep it in a secret store, and give the receiver the same one",
                *fresh
            ),
        );
    }
}
