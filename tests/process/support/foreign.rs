//! What programs of other people need: an issuer they can find by its URL, and their languages.

use std::net::TcpListener;
use std::path::PathBuf;

use super::{Server, Setup, TestDatabase};

/// Serves where the issuer says, so that its documents can be found; others may be quicker to take a free port.
pub async fn serve_as_issuer(database: &TestDatabase) -> (Setup, Server) {
    for _ in 0..10 {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
        let setup = Setup::on(database)
            .env("KEYWARD_LISTEN", free.to_string())
            .env("KEYWARD_ISSUER", format!("http://{free}"));
        let process = setup.start(&[]);
        if let Some(server) = Server::ready_unless_port_taken(process).await {
            return (setup, server);
        }
    }
    panic!("no port stays free for long enough");
}

/// A Python with the requirements of the tests.
pub fn python() -> PathBuf {
    std::env::var_os("KEYWARD_TEST_PYTHON").map(PathBuf::from).expect(
        "KEYWARD_TEST_PYTHON names a Python with tests/python/requirements.txt installed: run `cargo xtask test`, \
         which makes one",
    )
}

/// A folder with the packages of the recipe for Node.
pub fn node_packages() -> PathBuf {
    std::env::var_os("KEYWARD_TEST_NODE").map(PathBuf::from).expect(
        "KEYWARD_TEST_NODE names a folder where docs/integrate/node/package-lock.json is installed: run \
         `cargo xtask test`, which makes one",
    )
}

/// A folder with the tools that `tests/node` locks.
pub fn node_tools() -> PathBuf {
    std::env::var_os("KEYWARD_TEST_NODE_TOOLS").map(PathBuf::from).expect(
        "KEYWARD_TEST_NODE_TOOLS names a folder where tests/node/package-lock.json is installed: run \
         `cargo xtask test`, which makes one",
    )
}
