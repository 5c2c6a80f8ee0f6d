//! Files that the program itself prints and that are committed.

use std::fs;

use crate::workspace::{Outcome, Workspace, output};

/// Each file, and the subcommand of `keyward` that prints it.
const GENERATED: [(&str, &str); 2] = [("openapi.json", "openapi"), ("asyncapi.json", "asyncapi")];

pub(crate) fn run(workspace: &Workspace, check: bool) -> Outcome {
    for (file, subcommand) in GENERATED {
        let run = format!("run --quiet --package keyward -- {subcommand}");
        let fresh = output(&mut workspace.cargo(&run))?;
        let path = workspace.root.join(file);
        if !check {
            fs::write(path, fresh)?;
            continue;
        }
        let old = fs::read_to_string(path).unwrap_or_default();
        if old != fresh {
            let same = old.lines().zip(fresh.lines()).take_while(|(old, new)| old == new).count();
            return Err(format!(
                "{file} is stale from line {}:\n- {}\n+ {}\nRun `cargo xtask generate`, and commit it.",
                same + 1,
                old.lines().nth(same).unwrap_or("(end)"),
                fresh.lines().nth(same).unwrap_or("(end)"),
            )
            .into());
        }
    }
    Ok(())
}
