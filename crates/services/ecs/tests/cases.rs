//! Real task definitions by other people, through the wire and RegisterTaskDefinition as a client's would go. The folder's
//! index says what independent oracles make of each; what they leave open is decided in docs/decisions/task-definitions.md.

use base::{Rng, Scope, Time};
use kernel::service::Prepared;
use kernel::{Call, Caller};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use store::{Image, Tx};

#[derive(Deserialize)]
struct Case {
    file: String,
    verdict: String,
    #[serde(default)]
    rules: Vec<String>,
}

/// Part of the sentence that fits an oracle's finding.
const REASONS: [(&str, &str); 6] = [
    ("hostPort != containerPort in awsvpc", "host ports and container ports in port mappings must match"),
    ("no memory at task or container level", "At least one of 'memory' or 'memoryReservation' must be specified"),
    ("family has characters outside [A-Za-z0-9_-]", "Family contains invalid characters"),
    ("container name has bad characters", "Container.name contains invalid characters"),
    ("links outside bridge mode", "Links are not supported"),
    ("duplicate container names", "Container names must be unique"),
];

#[test]
fn real_definitions_get_the_verdict_that_fits() {
    let Some(folder) = folder() else { return };
    let index = std::fs::read_to_string(folder.join("index.json")).expect("a folder of cases has an index");
    let cases: Vec<Case> = serde_json::from_str(&index).expect("the index is a list of cases");
    let decisions = decisions();
    let wrong: Vec<String> = cases.iter().filter_map(|case| wrong(&folder, case, &decisions)).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Below the folder of cases that `SLIPWAY_CASES` names, or the one beside the repository.
fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/cases");
    let folder = std::env::var_os("SLIPWAY_CASES").map_or(beside, PathBuf::from).join("task-definitions");
    if folder.join("index.json").exists() {
        return Some(folder);
    }
    println!("{} has no index.json: nothing was tested", folder.display());
    None
}

fn wrong(folder: &Path, case: &Case, decisions: &BTreeMap<String, bool>) -> Option<String> {
    let body = std::fs::read(folder.join(&case.file)).expect("the index names files that are there");
    let outcome = register(&body);
    let fits = match (decisions.get(&case.file), case.verdict.as_str()) {
        (Some(registers), _) => *registers == outcome.is_ok(),
        (None, "accept") => outcome.is_ok(),
        (None, "reject") => {
            outcome.as_ref().is_err_and(|error| case.rules.is_empty() || case.rules.iter().any(|rule| reason_fits(rule, error)))
        }
        (None, "client-invalid") => outcome.as_ref().is_err_and(|error| error.starts_with("SerializationException")),
        (None, _) => true,
    };
    let said = outcome.map_or_else(|error| error, |()| "registered".to_owned());
    if case.verdict == "unsure" {
        println!("{}: {said}", case.file);
    }
    (!fits).then(|| format!("{} {} {:?}: {said}", case.file, case.verdict, case.rules))
}

fn reason_fits(rule: &str, error: &str) -> bool {
    REASONS.iter().find(|(known, _)| *known == rule).is_none_or(|(_, sentence)| error.contains(sentence))
}

fn register(body: &[u8]) -> Result<(), String> {
    let prepared = ecs::service().prepare("RegisterTaskDefinition", body).map_err(|error| error.to_string())?;
    let Prepared::Write(run) = prepared else { panic!("registering writes") };
    let mut call = Call {
        scope: Scope::new("123456789012", "us-east-1"),
        caller: Caller::default(),
        now: Time(1_700_000_000_000),
        rng: Rng::from_seed(0),
        request_id: String::new(),
    };
    let encode = run(&mut call, &mut Tx::new(Image::default())).map_err(|error| error.to_string())?;
    encode().map(|_| ()).map_err(|error| error.to_string())
}

/// `file -> registers` of the table in the decisions.
fn decisions() -> BTreeMap<String, bool> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/decisions/task-definitions.md");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        let (files, verdict) = (cells.next()?, cells.next()?);
        let registers = match verdict.as_str() {
            "registers" => true,
            "refused" => false,
            _ => return None,
        };
        Some(files.split_whitespace().map(move |file| (format!("{file}.json"), registers)).collect::<Vec<_>>())
    };
    page.lines().filter_map(row).flatten().collect()
}
