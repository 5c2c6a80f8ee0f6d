//! Files that are made from others and committed.

mod collections;
mod configuration;
mod diagrams;

use std::fs;

use crate::workspace::{Outcome, Workspace, output};

/// Each file, and the subcommand of `keyward` that prints it.
const PRINTED: [(&str, &str); 3] =
    [("openapi.json", "openapi"), ("asyncapi.json", "asyncapi"), ("docs/errors.md", "errors")];

pub(crate) fn run(workspace: &Workspace, check: bool) -> Outcome {
    for (file, subcommand) in PRINTED {
        let fresh = output(&mut workspace.cargo(&format!("run --quiet --package keyward -- {subcommand}")))?;
        settle(workspace, file, &fresh, check)?;
    }
    for (file, fresh) in derived(workspace)? {
        settle(workspace, &file, &fresh, check)?;
    }
    Ok(())
}

/// What is made from other files of the checkout alone.
fn derived(workspace: &Workspace) -> Outcome<Vec<(String, String)>> {
    let read = |file: &str| fs::read_to_string(workspace.root.join(file));
    let mut files =
        vec![("docs/configuration.md".to_owned(), configuration::reference(&read("config.default.toml")?))];
    files.extend(collections::render(&read("openapi.json")?)?);
    for entry in fs::read_dir(workspace.root.join("docs/diagrams"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "mmd") {
            let picture = path.with_extension("svg");
            let name = picture.strip_prefix(&workspace.root)?.display().to_string();
            files.push((name, diagrams::draw(&fs::read_to_string(&path)?)?));
        }
    }
    Ok(files)
}

/// Writes the file, or only holds it against what it should be.
fn settle(workspace: &Workspace, file: &str, fresh: &str, check: bool) -> Outcome {
    let path = workspace.root.join(file);
    if !check {
        return Ok(fs::write(path, fresh)?);
    }
    let old = fs::read_to_string(path).unwrap_or_default();
    if old == fresh {
        return Ok(());
    }
    let same = old.lines().zip(fresh.lines()).take_while(|(old, new)| old == new).count();
    Err(format!(
        "{file} is stale from line {}:\n- {}\n+ {}\nRun `cargo xtask generate`, and commit it.",
        same + 1,
        old.lines().nth(same).unwrap_or("(end)"),
        fresh.lines().nth(same).unwrap_or("(end)"),
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_from_other_files_is_fresh() {
        let workspace = Workspace::find().expect("tests run in the workspace");
        for (file, fresh) in derived(&workspace).expect("every source can be read") {
            settle(&workspace, &file, &fresh, true).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
