//! The packages of npm that tests use, in folders under the target folder.

use std::fs;
use std::path::PathBuf;

use crate::workspace::{Outcome, Workspace, apt_install, output};

/// What is locked where, and the variable that names the folder in which it is installed.
const LOCKED: [(&str, &str); 2] =
    [("docs/integrate/node", "KEYWARD_TEST_NODE"), ("tests/node", "KEYWARD_TEST_NODE_TOOLS")];

/// Returns for each variable a folder with `node_modules` as locked.
pub(crate) fn prepare(workspace: &Workspace) -> Outcome<Vec<(&'static str, PathBuf)>> {
    let install = |(source, variable)| Ok((variable, install(workspace, source)?));
    LOCKED.into_iter().map(install).collect()
}

/// Installs only when the lock changed.
fn install(workspace: &Workspace, source: &str) -> Outcome<PathBuf> {
    let folder = workspace.target.join("node").join(source.replace('/', "-"));
    let stamp = folder.join("installed");
    let source = workspace.root.join(source);
    let lock = fs::read_to_string(source.join("package-lock.json"))?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(folder);
    }
    println!("node: installing {}", source.join("package-lock.json").display());
    for program in ["node", "npm"] {
        output(workspace.command(program).arg("--version"))
            .or_else(|first| {
                apt_install(&["nodejs", "npm"]).map_err(|second| format!("{first}\n{second}"))?;
                output(workspace.command(program).arg("--version"))
            })
            .map_err(|error| format!("some tests need Node 20 or newer with npm: {error}"))?;
    }
    fs::create_dir_all(&folder)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(source.join(file), folder.join(file))?;
    }
    let ci = "ci --ignore-scripts --no-audit --no-fund --silent";
    output(workspace.command("npm").args(ci.split(' ')).current_dir(&folder))?;
    fs::write(stamp, lock)?;
    Ok(folder)
}
