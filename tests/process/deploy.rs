//! What stands in `deploy/` and in the pipelines is read here by the tools that would read it there.

use std::path::Path;
use std::time::Duration;

use crate::support::{Process, Setup, python};

#[tokio::test]
async fn manifests_fit_their_schemas_and_their_settings_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Setup::bare(folder.path()).command(python().to_str().unwrap());
    command.arg(root.join("tests/python/deploy.py"));
    command.args([Path::new(env!("CARGO_BIN_EXE_keyward")), root, folder.path()]);
    let mut checked = Process::spawn(command, "");
    // Four seconds of a dozen programs, where nothing else runs.
    assert_eq!(checked.exit_code_within(Duration::from_secs(120)).await, 0, "{}", checked.said());
}
