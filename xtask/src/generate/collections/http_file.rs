//! The walk as a `.http` file, in the dialect of VS Code's REST Client: what a request gave is named by the request.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::walk::{Caller, Step};
use super::{Operation, VARIABLES};

const INTRODUCTION: &str = "\
# Made by `cargo xtask generate` from openapi.json. A walk through the whole API, for VS Code's REST Client and editors
# that understand its files: send the requests in their order, against a server to try things on.

";

pub(super) fn render(walk: &[(&Step, &Operation)]) -> String {
    let mut file = INTRODUCTION.to_owned();
    for (name, value, description) in VARIABLES {
        let _ = writeln!(file, "# {description}\n@{name} = {value}");
    }
    // Where each variable comes from at this point of the walk.
    let mut given: BTreeMap<&str, String> = BTreeMap::new();
    for (at, (step, operation)) in walk.iter().enumerate() {
        let name = format!("r{:02}_{}", at + 1, operation.id);
        let filled = |text: &str| {
            given.iter().fold(text.to_owned(), |text, (variable, reference)| {
                text.replace(&format!("{{{{{variable}}}}}"), reference)
            })
        };
        let answers = if step.code.is_empty() {
            step.status.to_string()
        } else {
            format!("{} {}", step.status, step.code)
        };
        let _ = write!(file, "\n### {}\n# Answers {answers}.\n# @name {name}\n", step.title(operation));
        let _ = writeln!(file, "{} {{{{base_url}}}}{}", operation.method, filled(&step.place(operation)));
        match step.caller {
            Caller::Anyone => {}
            Caller::Bearer(variable) => {
                let _ = writeln!(file, "Authorization: Bearer {}", filled(&format!("{{{{{variable}}}}}")));
            }
            Caller::Client => file += "Authorization: Basic {{client_name}}:{{client_secret}}\n",
        }
        if !step.body.is_empty() {
            let kind = if operation.form { "application/x-www-form-urlencoded" } else { "application/json" };
            let _ = writeln!(
                file,
                "Content-Type: {kind}\n\n{}",
                filled(step.body).replace('\n', if operation.form { "&" } else { "\n" })
            );
        }
        for (variable, path) in step.kept {
            given.insert(variable, format!("{{{{{name}.response.body.{}}}}}", json_path(path)));
        }
    }
    file
}

fn json_path(path: &str) -> String {
    match path.split_once('[').and_then(|(list, rest)| Some((list, rest.split_once(']')?))) {
        Some((list, (choice, member))) => {
            let (name, wanted) = choice.split_once('=').unwrap_or((choice, "true"));
            let literal = wanted.parse::<bool>().map_or(format!("'{wanted}'"), |wanted| wanted.to_string());
            format!("$.{list}[?(@.{name}=={literal})]{member}")
        }
        None => path.to_owned(),
    }
}
