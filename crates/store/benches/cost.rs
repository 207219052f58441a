//! What a store of a million tasks costs, printed as a table: memory per row, the image's operations, group commits,
//! opening. `cargo bench -p store [rows]`. Not criterion: most of these happen once per run.

use base::Rng;
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::backend::file::File;
use store::{Backend, Image, Index, Key, Record, Tables, Tx};

/// About what a running task holds.
#[derive(Clone, Serialize, Deserialize)]
struct Task {
    id: String,
    cluster: String,
    family: String,
    definition: String,
    node: String,
    status: String,
    started_by: Option<String>,
    version: u64,
    created_at: u64,
    containers: Vec<Container>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Container {
    name: String,
    runtime_id: String,
    status: String,
    exit_code: Option<i64>,
}

impl Record for Task {
    const TABLE: &'static str = "ecs/task";

    fn key(&self) -> Key {
        Key::new(format!("123456789012/eu-west-1/{}/{}", self.cluster, self.id))
    }

    fn indexes(&self, index: &mut Index) {
        index.add("cluster", &self.cluster);
        index.add("family", &self.family);
        index.add("node", &self.node);
        index.add("status", &self.status);
    }
}

fn task(rng: &mut Rng) -> Task {
    let family = format!("family-{}", rng.below(500));
    Task {
        id: rng.hex32(),
        cluster: format!("cluster-{}", rng.below(10)),
        definition: format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{family}:7"),
        family,
        node: format!("node-{:05}", rng.below(10_000)),
        status: "RUNNING".into(),
        started_by: None,
        version: 3,
        created_at: 1_764_000_000_000,
        containers: vec![Container { name: "web".into(), runtime_id: rng.hex32(), status: "RUNNING".into(), exit_code: None }],
    }
}

fn main() {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let rows = arguments.first().map_or(1_000_000, |rows| rows.parse().expect("a number of rows"));
    match arguments.get(1).map(String::as_str) {
        None => each_in_a_process_of_its_own(rows),
        Some("records") => memory_of_plain_rows(rows),
        Some("image") => image_operations(&filled(rows), rows),
        Some("commits") => commits(Path::new(&arguments[2]), rows),
        Some("opening") => opening(Path::new(&arguments[2]), rows),
        Some(other) => panic!("no section {other}"),
    }
}

/// Memory that one section freed would hide what the next one takes.
fn each_in_a_process_of_its_own(rows: u64) {
    println!("{rows} rows of {} bytes", serde_json::to_vec(&task(&mut Rng::from_seed(0))).unwrap().len());
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("state.redb");
    for section in ["records", "image", "commits", "opening"] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        assert!(command.arg(rows.to_string()).arg(section).arg(&path).status().unwrap().success());
    }
}

fn memory_of_plain_rows(rows: u64) {
    let mut rng = Rng::from_seed(1);
    let plain: Vec<_> = (0..rows).map(|_| Arc::new(task(&mut rng))).collect();
    memory("memory, the records alone", rows);
    drop(black_box(plain));
}

fn filled(rows: u64) -> Image {
    let mut rng = Rng::from_seed(1);
    let mut image = Image::default();
    let mut spent = Duration::ZERO;
    for _ in 0..rows / 1000 {
        let tasks: Vec<Task> = (0..1000).map(|_| task(&mut rng)).collect();
        let started = Instant::now();
        let mut tx = Tx::new(image.clone());
        tasks.into_iter().for_each(|task| tx.put(task));
        image = tx.into_parts().2;
        spent += started.elapsed();
    }
    per_operation("put of a new row, 1000 to a transaction", spent, rows);
    memory("memory, the image", rows);
    image
}

fn image_operations(image: &Image, rows: u64) {
    let keys: Vec<String> = image.scan::<Task>().step_by(97).map(|task| task.key().to_string()).collect();
    let count = keys.len() as u64;
    time("get", count, || keys.iter().for_each(|key| _ = black_box(image.get::<Task>(key))));
    time("clone of the image", 1_000_000, || (0..1_000_000).for_each(|_| _ = black_box(image.clone())));
    time("scan, per row", rows, || assert_eq!(image.scan::<Task>().filter(|task| task.version == 3).count() as u64, rows));
    let found = image.count_by::<Task>("cluster", "cluster-3") as u64;
    time("by(cluster), per row", found, || {
        _ = black_box(image.by::<Task>("cluster", "cluster-3").map(|t| t.version).sum::<u64>())
    });
    time("count_by(cluster), each", 100, || (0..100).for_each(|_| _ = black_box(image.count_by::<Task>("cluster", "cluster-3"))));
    updates("update of a row, alone in its transaction", image, &keys, 1);
    updates("update of a row, 64 to a transaction", image, &keys, 64);
    updates("the same, each behind a savepoint", image, &keys, 0);
}

/// `size` rows to a transaction; 0 means 64, each behind a savepoint and with its changes asked for.
fn updates(name: &str, image: &Image, keys: &[String], size: usize) {
    let mut image = image.clone();
    time(name, keys.len() as u64, || {
        for group in keys.chunks(if size == 0 { 64 } else { size }) {
            let mut tx = Tx::new(image.clone());
            for key in group {
                let savepoint = (size == 0).then(|| tx.savepoint());
                tx.update::<Task>(key, |task| task.version += 1);
                if let Some(savepoint) = savepoint {
                    black_box(tx.changes_since(&savepoint));
                }
            }
            image = black_box(tx.into_parts()).2;
        }
    });
}

fn commits(path: &Path, rows: u64) {
    let mut file = File::open(path).unwrap();
    let epoch = file.lead().unwrap();
    let mut rng = Rng::from_seed(1);
    let started = Instant::now();
    for _ in 0..rows / 1000 {
        commit(&mut file, epoch, &mut rng, 1000);
    }
    per_operation("durable write, 1000 to a commit", started.elapsed(), rows);
    for size in [1, 64] {
        let mut times: Vec<Duration> = (0..500).map(|_| commit(&mut file, epoch, &mut rng, size)).collect();
        times.sort();
        println!("{:<46} p50 {:>9.3?}  p99 {:>9.3?}", format!("durable commit of {size} over that"), times[250], times[495]);
    }
    println!("{:<46} {:>9} MB", "size of the file", std::fs::metadata(path).unwrap().len() >> 20);
}

fn commit(file: &mut File, epoch: u64, rng: &mut Rng, size: usize) -> Duration {
    let mut tx = Tx::new(Image::default());
    (0..size).for_each(|_| tx.put(task(rng)));
    let writes = tx.into_parts().0;
    let started = Instant::now();
    file.commit(epoch, &writes).unwrap();
    started.elapsed()
}

fn opening(path: &Path, rows: u64) {
    let started = Instant::now();
    let mut file = File::open(path).unwrap();
    once("open", started);
    let started = Instant::now();
    let loaded = file.load().unwrap();
    once("load", started);
    memory("memory, what load returns", rows);
    let mut tables = Tables::default();
    tables.add::<Task>();
    let started = Instant::now();
    let image = tables.image(loaded.revision, loaded.rows).unwrap();
    once("image of what was loaded", started);
    memory("memory, loaded", rows);
    drop(image);
}

fn time(name: &str, count: u64, action: impl FnOnce()) {
    let started = Instant::now();
    action();
    per_operation(name, started.elapsed(), count);
}

fn per_operation(name: &str, elapsed: Duration, count: u64) {
    println!("{name:<46} {:>9} ns", elapsed.as_nanos() as u64 / count.max(1));
}

fn once(name: &str, started: Instant) {
    println!("{name:<46} {:>9.3?}", started.elapsed());
}

fn memory(name: &str, rows: u64) {
    let (now, most) = (status("VmRSS:"), status("VmHWM:"));
    println!("{name:<46} {:>9} bytes a row, {} MB, at most {} MB", now / rows, now >> 20, most >> 20);
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
