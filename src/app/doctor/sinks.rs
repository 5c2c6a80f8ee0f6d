//! The places that events go to, each asked by the way that events take.

use super::{Fault, Finding, one_line};
use crate::config::{Settings, Sink};
use crate::events::{Look, PublishError, Publisher};

const CODE: &str = "sink.takes";

pub(super) async fn look(sink: &Sink, settings: &Settings) -> Vec<Finding> {
    let publisher = match Publisher::new(sink, &settings.events) {
        Ok(publisher) => publisher,
        Err(wrong) => {
            let (meaning, advice) = wrong.split_once("\n  fix: ").unwrap_or((&wrong, "see events_url"));
            let mistake = Finding::problem(CODE, Fault::Configuration, one_line(meaning), one_line(advice));
            return vec![mistake.about(&sink.name)];
        }
    };
    let finding = match publisher.look().await {
        Ok(Look::Ready(meaning)) => Finding::ok(CODE, meaning),
        Ok(Look::Unmade(meaning)) => {
            Finding::note(CODE, meaning, "nothing: it is made before the first event")
        }
        Err(PublishError::Away(reason)) => Finding::problem(
            CODE,
            Fault::Away,
            format!("it is away: {reason}; events wait in the outbox until it is back"),
            "start it, or look at its address and password in events_url; nothing is lost meanwhile",
        ),
        Err(PublishError::Refused(reason)) => Finding::problem(
            CODE,
            Fault::Configuration,
            format!("it answers, and would take no event: {reason}"),
            "mend that at the broker, or in events_url; events wait in the outbox until then",
        ),
    };
    vec![finding.about(&sink.name)]
}
