//! The steps of the schema: those that were applied, held against those that this binary knows.

use super::{Fault, Finding};
use crate::store::{SchemaState, Store, StoreError};

const CODE: &str = "schema.steps";

/// What other looks must know of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema {
    /// Whether tables or columns are missing that this binary asks for.
    pub behind: bool,
}

/// Returns `None` where there is nothing that could be looked at.
pub(super) async fn look(store: &Store, found: &mut Vec<Finding>) -> Result<Option<Schema>, StoreError> {
    let state = store.schema_state().await?;
    found.push(judge(&state));
    Ok((state.applied > 0).then_some(Schema { behind: !state.missing.is_empty() }))
}

fn judge(state: &SchemaState) -> Finding {
    let SchemaState { known, applied, missing, newer, foreign, needs } = state;
    if let Some(needed) = needs.filter(|needed| needed > known) {
        let meaning = format!(
            "the schema needs a Keyward that knows {needed} steps, and this one knows {known}: it does not start"
        );
        return Finding::problem(
            CODE,
            Fault::Configuration,
            meaning,
            "run the newer version that was here before",
        );
    }
    if !foreign.is_empty() {
        let meaning = format!("steps of the schema are not those of Keyward: {}", foreign.join(", "));
        let advice = "find out what changed schema_migrations; restore a backup if tables were changed too";
        return Finding::problem(CODE, Fault::Other, meaning, advice);
    }
    if *applied == 0 {
        let advice = "nothing: the first start makes the tables, or `keyward migrate` by the role that may";
        return Finding::note(CODE, "the database has no tables of Keyward yet", advice);
    }
    if !missing.is_empty() {
        let meaning = format!("steps of the schema are missing: {}", missing.join(", "));
        let advice = "back up, then `keyward migrate`, or let the next start of this version do it";
        return Finding::warning(CODE, meaning, advice);
    }
    if !newer.is_empty() {
        let meaning = format!(
            "a newer Keyward has been here, and this one works with its schema: {}",
            newer.join(", ")
        );
        return Finding::note(CODE, meaning, "nothing during a roll-out; after it, upgrade this one too");
    }
    Finding::ok(CODE, format!("all {known} steps of the schema are applied"))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn the_worst_is_told_first() {
        let whole = SchemaState { known: 9, applied: 9, ..SchemaState::default() };
        let names = |name: &str| vec![name.to_owned()];
        for (state, level) in [
            (whole.clone(), Level::Ok),
            (SchemaState { applied: 0, missing: names("0001_users_auth"), ..whole.clone() }, Level::Note),
            (SchemaState { newer: names("0010_later"), needs: Some(1), ..whole.clone() }, Level::Note),
            (SchemaState { missing: names("0009_audit_outcome"), ..whole.clone() }, Level::Warning),
            (SchemaState { foreign: names("0003_other"), ..whole.clone() }, Level::Problem),
            (SchemaState { newer: names("0010_later"), needs: Some(10), ..whole }, Level::Problem),
        ] {
            assert_eq!(judge(&state).level, level, "{state:?}");
        }
    }
}
