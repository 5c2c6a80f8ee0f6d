//! The packages of npm that the recipe for Node uses, in a folder under the target folder.

use std::fs;
use std::path::PathBuf;

use crate::workspace::{Outcome, Workspace, apt_install, output};

const RECIPE: &str = "docs/integrate/node";

/// Returns a folder with `node_modules` as locked; installs them only when the lock changed.
pub(crate) fn prepare(workspace: &Workspace) -> Outcome<PathBuf> {
    let folder = workspace.target.join("node");
    let stamp = folder.join("installed");
    let recipe = workspace.root.join(RECIPE);
    let lock = fs::read_to_string(recipe.join("package-lock.json"))?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(folder);
    }
    println!("node: installing {RECIPE}/package-lock.json");
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
        fs::copy(recipe.join(file), folder.join(file))?;
    }
    let ci = "ci --ignore-scripts --no-audit --no-fund --silent";
    output(workspace.command("npm").args(ci.split(' ')).current_dir(&folder))?;
    fs::write(stamp, lock)?;
    Ok(folder)
}
