//! A disk that is full (F8): what cannot be written is refused, nothing is corrupt, and room is all it takes to go on.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::{
    Actor, Crowd, Faults, Kind, PostgresServer, Server, Setup, TestDatabase, promised, rounds, until,
};

/// What is promised of the time from when there is room to the next answer.
const RECOVERED: Duration = Duration::from_secs(5);

/// A small file system of its own, in memory.
struct SmallDisk {
    mounted_on: TempDir,
}

impl SmallDisk {
    /// `None`, said aloud, where nobody lets us mount one.
    fn mount(mebibytes: u32) -> Option<Self> {
        let mounted_on = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=0755"), "tmpfs"])
            .arg(mounted_on.path());
        let refused = match mount.output() {
            Ok(done) if done.status.success() => return Some(Self { mounted_on }),
            Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        println!("SKIPPED: a disk that is full, for want of one that may be filled: mount: {refused}");
        None
    }

    fn path(&self) -> &Path {
        self.mounted_on.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Takes the last byte.
    fn fill(&self) {
        let mut filler = OpenOptions::new().create(true).append(true).open(self.filler()).expect("a file");
        for size in [64 * 1024, 4 * 1024, 1] {
            while filler.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        File::create(self.filler()).expect("a file that shrinks");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|done| done.success()), "a mount was left behind");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_is_over_when_there_is_room() {
    if Kind::of_this_run() == Kind::Postgres {
        return; // it is its server's disk then, which is the next test
    }
    let Some(disk) = SmallDisk::mount(16) else { return };
    let setup = Setup::embedded(disk.path());
    let mut server = setup.serve().await;
    let before = server.user().await;
    let crowd = Crowd::at(&server, 4, Faults::Unavailable);
    let meanwhile = async || {
        before.me().await.expect_status(200); // what needs no room is served
    };
    fill_and_make_room(&disk, (&server, &crowd), meanwhile, async || ()).await;
    let ledger = crowd.leaves().await;
    println!("{ledger}");
    ledger.check(&server).await;

    // Nobody writes, and what works by itself does not complain without end.
    disk.fill();
    until("a sign-up that is refused", async || refused(&server).await).await;
    let said = server.process.stdout().lines().count();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let more = server.process.stdout().lines().count() - said;
    assert!(more <= 12, "{more} lines in three seconds: {}", server.process.said());

    // Started on it, too: no crash loop.
    server.process.kill();
    let mut server = setup.serve().await;
    before.at(server.url("")).me().await.expect_status(200);
    disk.empty();
    until("a sign-up", async || (server.anonymous().signup().await.status == 201).then_some(())).await;
    assert_eq!(server.stop().await, 0);
    TestDatabase::of_file(&disk.path().join("data/keyward.db")).check_invariants().await;
}

/// PostgreSQL gives up itself when it has no room for its log, and comes back when it is started with room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_postgresql_is_over_when_there_is_room() {
    if Kind::of_this_run() == Kind::Sqlite {
        return;
    }
    let Some(disk) = SmallDisk::mount(128) else { return };
    let mut postgres = PostgresServer::start_in(disk.path()).await;
    let database = TestDatabase::create_on(postgres.options()).await;
    // People must be able to repeat a refresh that was not answered for as long as the disk is full.
    let setup = Setup::on(&database).env("KEYWARD_TOKEN_REFRESH_GRACE", "60s");
    let mut server = setup.serve().await;
    let crowd = Crowd::at(&server, 4, Faults::Unavailable);
    let back = async || postgres.answers_or_starts_again().await;
    fill_and_make_room(&disk, (&server, &crowd), async || (), back).await;
    let ledger = crowd.leaves().await;
    println!("{ledger}");
    ledger.check(&server).await;
    assert_eq!(server.stop().await, 0);
    database.check_invariants().await;
}

/// Fills the disk under people at work and makes room again, several times. `back` waits for what gave up with the disk.
async fn fill_and_make_room(
    disk: &SmallDisk,
    (server, crowd): (&Server, &Crowd),
    meanwhile: impl AsyncFn(),
    mut back: impl AsyncFnMut(),
) {
    for _ in 0..rounds(2, 10) {
        crowd.works(40).await;
        disk.fill();
        crowd.notices().await;
        until("a sign-up that is refused", async || refused(server).await).await;
        meanwhile().await;
        assert_eq!(server.operator().get("/livez").await.status, 200);
        disk.empty();
        back().await;
        let room = Instant::now();
        crowd.works(1).await;
        assert!(room.elapsed() <= promised(RECOVERED), "answers again after {:?}", room.elapsed());
    }
    crowd.works(40).await;
}

/// A sign-up that is told 503 and why.
async fn refused(server: &Server) -> Option<()> {
    let stranger: Actor = server.anonymous();
    let answer = stranger.signup().await;
    if answer.status == 201 {
        return None; // there was a page left
    }
    answer.expect_problem(503, "unavailable");
    Some(())
}
