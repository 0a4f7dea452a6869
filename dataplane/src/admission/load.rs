//! Three times as much as a node can take: what it takes stays what it can take, and nobody waits for long.
//!
//! The node is slow by its disk, each of whose syncs takes a fixed time, and not by the machine that the test runs on. What
//! else the machine does can only lower a figure, so a round that fails is repeated.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use grepzilla_storage::disk::{Died, Disk, DiskFile, DiskLock, RealDisk};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::admission::tests::metric;
use crate::server::fixtures::Cluster;

/// What one sync takes: so long that a processor which many others share keeps up with three times the load easily.
const SYNC: Duration = Duration::from_millis(200);
/// Bytes that may wait for the log.
const QUEUE_BYTES: u64 = 64 << 10;
/// Bytes that all requests may hold.
const IN_FLIGHT_BYTES: u64 = 1 << 20;
/// How long each load lasts.
const LOAD_TIME: Duration = Duration::from_secs(4);
/// Clients that find out what the node can take, each with one request at a time.
const CLIENTS: usize = 24;
/// Requests under way that the overload may have: whoever offers more than that is not answered at all.
const OUTSTANDING_MAX: usize = 300;
/// How often a round may fail because of what else the machine does.
const ROUNDS_MAX: usize = 5;

/// The disk of this machine, but for the time that a sync takes.
#[derive(Debug)]
struct SlowDisk;

#[derive(Debug)]
struct SlowFile(Box<dyn DiskFile>);

impl Disk for SlowDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SlowFile(RealDisk.create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SlowFile(RealDisk.open(path)?)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        RealDisk.lock(path)
    }

    fn abort(&self, reason: &Died) {
        RealDisk.abort(reason);
    }
}

impl DiskFile for SlowFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_length(length)
    }

    fn sync(&self) -> io::Result<()> {
        std::thread::sleep(SYNC);
        self.0.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
}

/// What became of a load.
#[derive(Debug, Default)]
struct Outcome {
    accepted: Vec<Duration>,
    accepted_bytes: usize,
    refused: usize,
    seconds: f64,
}

impl Outcome {
    fn add(&mut self, (status, bytes, took): (u16, usize, Duration)) {
        match status {
            200 => {
                self.accepted.push(took);
                self.accepted_bytes += bytes;
            }
            429 | 503 => self.refused += 1,
            other => panic!("{other} is no answer to too much"),
        }
    }

    fn bytes_per_second(&self) -> f64 {
        self.accepted_bytes as f64 / self.seconds
    }

    fn p99(&mut self) -> Duration {
        self.accepted.sort_unstable();
        self.accepted[(self.accepted.len() * 99).div_ceil(100) - 1]
    }
}

/// One document of 2 to 6 KiB, the same for everybody who asks with the same number.
fn body(seed: u64, number: u64) -> String {
    let bytes = StdRng::seed_from_u64(seed ^ number).random_range(2 << 10..6 << 10);
    format!(r#"[{{"a":"needle {}"}}]"#, "x".repeat(bytes))
}

async fn send(cluster: &Cluster, body: String) -> (u16, usize, Duration) {
    let (bytes, started) = (body.len(), Instant::now());
    let (status, _) = cluster.ingest(0, "", body).await;
    (status.as_u16(), bytes, started.elapsed())
}

/// As many requests as the node answers, from clients that come again soon after they were sent away.
async fn as_much_as_it_takes(cluster: &Cluster, seed: u64) -> Outcome {
    let started = Instant::now();
    let client = |client: usize| async move {
        let mut answers = Vec::new();
        while started.elapsed() < LOAD_TIME {
            let answer = send(cluster, body(seed, (client << 32 | answers.len()) as u64)).await;
            if answer.0 != 200 {
                sleep(SYNC / 4).await;
            }
            answers.push(answer);
        }
        answers
    };
    let mut outcome = Outcome::default();
    join_all((0..CLIENTS).map(client)).await.into_iter().flatten().for_each(|answer| outcome.add(answer));
    outcome.seconds = started.elapsed().as_secs_f64();
    outcome
}

/// So many requests in a second, whether they are answered or not.
async fn offered(cluster: &Arc<Cluster>, seed: u64, bytes_per_second: f64) -> Outcome {
    let (started, mut outcome) = (Instant::now(), Outcome::default());
    let (mut requests, mut offered_bytes) = (JoinSet::new(), 0.0);
    let mut ticks = interval(Duration::from_millis(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        while offered_bytes > started.elapsed().as_secs_f64() * bytes_per_second {
            ticks.tick().await;
        }
        if started.elapsed() > LOAD_TIME {
            break;
        }
        while requests.len() >= OUTSTANDING_MAX {
            outcome.add(requests.join_next().await.expect("there are some").expect("no panic"));
        }
        let (cluster, body) = (cluster.clone(), body(seed, number));
        offered_bytes += body.len() as f64;
        requests.spawn(async move { send(&cluster, body).await });
    }
    requests.join_all().await.into_iter().for_each(|answer| outcome.add(answer));
    outcome.seconds = started.elapsed().as_secs_f64();
    outcome
}

/// The most bytes of requests that the node says it has under way.
async fn watch_in_flight(cluster: &Cluster) -> f64 {
    let mut most = 0.0_f64;
    while timeout(SYNC / 4, std::future::pending::<()>()).await.is_err() {
        most = most.max(metric(cluster, "grepzilla_in_flight_bytes").await);
        if most > IN_FLIGHT_BYTES as f64 {
            break;
        }
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_times_as_much_as_a_node_can_take_costs_no_tenth_of_what_it_takes() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let cluster = Cluster::start_on(Arc::new(SlowDisk), 1, 1, |config| {
        config.ingest.queue_bytes_max = QUEUE_BYTES;
        config.admission.in_flight_bytes_max = IN_FLIGHT_BYTES;
    });
    let cluster = Arc::new(cluster.await);
    let (mut accepted, mut seen) = (0, Vec::new());
    for round in 0..ROUNDS_MAX as u64 {
        let peak = as_much_as_it_takes(&cluster, seed ^ round).await;
        let rate = peak.bytes_per_second();
        let mut over = tokio::select! {
            over = offered(&cluster, !seed ^ round, 3.0 * rate) => over,
            most = watch_in_flight(&cluster) => panic!("{most} bytes under way, {IN_FLIGHT_BYTES} at most"),
        };
        let recovered = send(&cluster, body(seed, round)).await;
        assert_eq!(recovered.0, 200, "the first request after the load is taken");
        accepted += (peak.accepted.len() + over.accepted.len() + 1) as u64;
        let (share, p99, took) = (over.bytes_per_second() / rate, over.p99(), recovered.2);
        println!("{rate:.0} B/s, then {share:.2} of it; p99 {p99:?}; {} refused; then {took:?}", over.refused);
        assert!(over.refused > over.accepted.len() / 2, "it was too much");
        seen.push((share, p99, took));
        if share >= 0.9 && p99 < 10 * SYNC && took < 5 * SYNC {
            break;
        }
    }
    let (share, p99, took) = *seen.last().expect("one round at least");
    assert!(share >= 0.9 && p99 < 10 * SYNC && took < 5 * SYNC, "{seen:?}");
    assert_eq!(cluster.count(0, "needle").await, accepted, "what was accepted is there, and nothing else");
    assert_eq!(metric(&cluster, "grepzilla_in_flight_bytes").await, 0.0);
}
