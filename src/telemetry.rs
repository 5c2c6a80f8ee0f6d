//! What operators watch: metrics and traces. Neither holds a secret, an e-mail address or anything that a stranger
//! wrote: labels and attributes are of closed sets, or are ids and numbers.

mod catalogue;
mod handles;
mod otlp;
mod process;
mod recorder;
mod trace;
mod trace_parent;

pub use catalogue::*;
pub(crate) use handles::closed;
pub use handles::{Closed, Counters, WorkTimes};
pub use otlp::{Traces, start_traces};
pub use recorder::render;
pub use trace::{RequestEnd, RequestSpan, Span, carried, remember_origin};
pub use trace_parent::TraceParent;
