//! The Python tools that some tests use, in a virtual environment under the target folder.

use std::fs;
use std::path::PathBuf;

use crate::workspace::{Outcome, Workspace, apt_install, output};

const REQUIREMENTS: &str = "tests/python/requirements.txt";

/// Returns a Python that has the requirements; installs them only when their list changed.
pub(crate) fn prepare(workspace: &Workspace) -> Outcome<PathBuf> {
    let folder = workspace.target.join("python");
    let python = folder.join("bin/python");
    let stamp = folder.join("requirements.txt");
    let wanted = fs::read_to_string(workspace.root.join(REQUIREMENTS))?;
    let works = output(workspace.command(&python).arg("--version")).is_ok();
    if works && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    println!("python: installing {REQUIREMENTS}");
    let mut venv = workspace.command("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&folder);
    // Debian splits venv from python3.
    output(&mut venv).or_else(|first| {
        apt_install(&["python3", "python3-venv"])
            .and_then(|()| output(&mut venv))
            .map_err(|second| format!("some tests need Python 3.10 or newer with venv: {first}\n{second}"))
    })?;
    let install = "-m pip install --quiet --disable-pip-version-check -r";
    output(workspace.command(&python).args(install.split(' ')).arg(REQUIREMENTS))?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}
