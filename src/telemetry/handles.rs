//! Handles of series: found once, kept, and then as cheap as an atomic number.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata};

use super::Metric;
use super::recorder::installed;

static METADATA: Metadata<'static> = Metadata::new("keyward", Level::INFO, None);

impl Metric {
    /// Returns the counter of these values of the metric's labels, in their order; it is shown from then on.
    pub fn counter(&self, values: &[&str]) -> Counter {
        installed();
        metrics::with_recorder(|recorder| recorder.register_counter(&self.key(values), &METADATA))
    }

    pub fn gauge(&self, values: &[&str]) -> Gauge {
        installed();
        metrics::with_recorder(|recorder| recorder.register_gauge(&self.key(values), &METADATA))
    }

    pub fn histogram(&self, values: &[&str]) -> Histogram {
        installed();
        metrics::with_recorder(|recorder| recorder.register_histogram(&self.key(values), &METADATA))
    }

    fn key(&self, values: &[&str]) -> Key {
        debug_assert_eq!(self.labels.len(), values.len(), "{}", self.name);
        let labels = self.labels.iter().zip(values);
        let labels = labels.map(|(name, value)| Label::new(*name, (*value).to_owned()));
        Key::from_parts(self.name, labels.collect::<Vec<_>>())
    }
}

/// A closed set of label values.
pub trait Closed: Copy + 'static {
    const ALL: &'static [Self];

    fn word(self) -> &'static str;

    /// Where it stands in [`Self::ALL`].
    fn place(self) -> usize;
}

/// Defines a closed set, and the words that stand for it in a label.
macro_rules! closed {
    ($(#[$meta:meta])* $visible:vis $name:ident { $($(#[$note:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visible enum $name { $($(#[$note])* $variant),+ }

        impl $crate::telemetry::Closed for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            fn place(self) -> usize {
                self as usize
            }
        }
    };
}
pub(crate) use closed;

/// A counter for each member of a closed set.
#[derive(Debug)]
pub struct Counters<L>(Vec<Counter>, PhantomData<L>);

impl<L: Closed> Counters<L> {
    /// For a metric whose only label has these values.
    #[must_use]
    pub fn of(metric: &Metric) -> Self {
        Self::by(|label| metric.counter(&[label.word()]))
    }

    pub fn by(counter: impl Fn(L) -> Counter) -> Self {
        Self(L::ALL.iter().map(|label| counter(*label)).collect(), PhantomData)
    }

    pub fn increment(&self, label: L) {
        if let Some(counter) = self.0.get(label.place()) {
            counter.increment(1);
        }
    }
}

/// Durations by a word that stands in the code: as many series as there are such words.
#[derive(Debug)]
pub struct WorkTimes {
    metric: Metric,
    known: RwLock<HashMap<&'static str, Histogram>>,
}

impl WorkTimes {
    #[must_use]
    pub fn of(metric: Metric) -> Self {
        Self { metric, known: RwLock::default() }
    }

    pub fn record(&self, word: &'static str, took: Duration) {
        if let Some(histogram) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(word) {
            return histogram.record(took);
        }
        let histogram = self.metric.histogram(&[word]);
        histogram.record(took);
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(word, histogram);
    }
}
