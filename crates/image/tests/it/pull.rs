//! Pulls from a registry that does as it is told.

use crate::support::archive::{Built, Packing, built, packed};
use crate::support::registry::{Access, Registry, USER};
use crate::support::{config, files, need_root, tree};
use expect_test::expect;
use image::{Config, Digest, Error, Event, Progress, Store};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::{Notify, Semaphore};
use workload::RegistryAuth;

const HELLO: &str = "f 755 0:0 hello hi";

fn home() -> (TempDir, Store) {
    home_with(config())
}

fn home_with(config: Config) -> (TempDir, Store) {
    need_root();
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path().join("images"), config).unwrap();
    (home, store)
}

fn user() -> Option<RegistryAuth> {
    Some(RegistryAuth { username: USER.0.to_owned(), password: USER.1.to_owned() })
}

async fn pull(store: &Store, name: &str) -> Result<workload::Image, Error> {
    store.ensure(name, None, Progress::none()).await
}

fn content(image: &workload::Image) -> String {
    image.layers.iter().map(|layer| tree::list(layer)).collect::<Vec<_>>().join("\n--\n")
}

fn large() -> Built {
    // Not compressible, so that there are enough bytes to break in.
    let mut state = 7_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 16) as u8 % 26)
    };
    let text: String = (0..2_000_000).map(|_| noise()).collect();
    built(&[HELLO, &format!("f 644 0:0 large {text}"), "f 644 0:0 last x"])
}

fn blob_of(image: &Built, layer: usize, packing: Packing) -> String {
    Digest::of(&packed(&image.layers[layer], packing)).to_string()
}

fn nothing_unfinished(home: &TempDir) {
    assert_eq!(files(&home.path().join("images/partial")), [""; 0]);
    let sessions = home.path().join("images/tmp");
    let left: usize = files(&sessions).iter().map(|session| files(&sessions.join(session)).len()).sum();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn every_packing_and_access_is_pulled() {
    for access in [Access::Open, Access::Basic, Access::Bearer] {
        let registry = Registry::start(access).await;
        for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
            let digest = registry.push("team/app", "v1", &built(&[HELLO, "f 644 0:0 other x"]), packing);
            let (home, store) = home();
            let image = store.ensure(&registry.name("team/app:v1"), user(), Progress::none()).await.unwrap();
            assert_eq!((content(&image).as_str(), &image.digest), ("f 755 0:0 hello hi\n--\nf 644 0:0 other x", &digest));
            assert_eq!(image.command, ["/hello"]);
            nothing_unfinished(&home);
        }
    }
}

#[tokio::test]
async fn of_a_manifest_list_this_machines_entry_is_pulled() {
    let registry = Registry::start(Access::Open).await;
    let theirs = Built { architecture: "arm64", ..built(&["f 755 0:0 hello their"]) };
    let list = registry.push_list("app", "v1", &[theirs.clone(), built(&[HELLO])]);
    let (_home, store) = home();
    let image = pull(&store, &registry.name("app:v1")).await.unwrap();
    assert_eq!((content(&image).as_str(), &image.digest), (HELLO, &list));
    registry.push_list("app", "v2", &[theirs]);
    let error = pull(&store, &registry.name("app:v2")).await.unwrap_err();
    assert!(error.to_string().starts_with("no matching manifest for linux/amd64 in the manifest list entries"), "{error}");
}

#[tokio::test]
async fn a_digest_is_pulled_once_and_never_again() {
    let registry = Registry::start(Access::Open).await;
    let digest = registry.push("app", "v1", &built(&[HELLO]), Packing::Gzip);
    let (_home, store) = home();
    let name = registry.name(&format!("app@{digest}"));
    let image = pull(&store, &name).await.unwrap();
    let asked = registry.requests("").len();
    assert_eq!(pull(&store, &name).await.unwrap(), image);
    assert_eq!(registry.requests("").len(), asked);
    // A tag that leads to it is still asked for, but nothing more than what it leads to.
    assert_eq!(pull(&store, &registry.name("app:v1")).await.unwrap(), image);
    assert_eq!(registry.requests("/blobs/").len(), 3, "the configuration again, the layer not");
}

#[tokio::test]
async fn a_tag_is_asked_for_each_time_and_used_as_it_is_when_that_fails() {
    let registry = Registry::start(Access::Open).await;
    registry.push("app", "v1", &built(&[HELLO]), Packing::Gzip);
    let (_home, store) = home();
    let name = registry.name("app:v1");
    let old = pull(&store, &name).await.unwrap();
    let blobs = registry.requests("/blobs/").len();
    assert_eq!(pull(&store, &name).await.unwrap(), old);
    assert_eq!((registry.requests("/manifests/").len(), registry.requests("/blobs/").len()), (2, blobs));
    registry.push("app", "v1", &built(&[HELLO, "f 644 0:0 new x"]), Packing::Gzip);
    let new = pull(&store, &name).await.unwrap();
    assert_eq!((new.layers.len(), &new.layers[0]), (2, &old.layers[0]));
    registry.fail_with("/manifests/", 500);
    assert_eq!(pull(&store, &name).await.unwrap(), new);
    assert_eq!(registry.requests("/manifests/").len(), 4, "with an image to fall back to there is one attempt");
}

#[tokio::test]
async fn an_image_of_a_registry_that_is_gone_is_still_used() {
    let (_home, store) = home();
    let name = {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let registry = runtime.spawn(Registry::start(Access::Open)).await.unwrap();
        registry.push("app", "v1", &built(&[HELLO]), Packing::Gzip);
        let name = registry.name("app:v1");
        pull(&store, &name).await.unwrap();
        runtime.shutdown_background();
        name
    };
    assert_eq!(content(&pull(&store, &name).await.unwrap()), HELLO);
    let other = name.replace("app", "other");
    let error = pull(&store, &other).await.unwrap_err().to_string();
    let host = name.split('/').next().unwrap();
    assert!(error.ends_with(&format!("dial tcp {host}: connect: connection refused")), "{error}");
}

#[tokio::test]
async fn many_who_want_one_image_share_one_pull() {
    let registry = Registry::start(Access::Bearer).await;
    let image = large();
    registry.push("app", "v1", &image, Packing::Gzip);
    registry.close_gate();
    let (home, store) = home();
    let waiting = Arc::new(Semaphore::new(0));
    let pulls: Vec<_> = (0..10)
        .map(|_| {
            let (store, name, waiting) = (store.clone(), registry.name("app:v1"), waiting.clone());
            tokio::spawn(async move {
                waiting.add_permits(1);
                store.ensure(&name, user(), Progress::none()).await
            })
        })
        .collect();
    let _all = waiting.acquire_many(10).await.unwrap();
    registry.open_gate();
    for pull in pulls {
        assert_eq!(pull.await.unwrap().unwrap().layers.len(), 3);
    }
    assert_eq!(registry.requests("/manifests/v1").len(), 1);
    for layer in 0..3 {
        assert_eq!(registry.requests(&blob_of(&image, layer, Packing::Gzip)).len(), 1);
    }
    nothing_unfinished(&home);
}

#[tokio::test]
async fn images_that_share_layers_fetch_them_once() {
    let registry = Registry::start(Access::Open).await;
    let (one, two) = (built(&[HELLO, "f 644 0:0 b x", "f 644 0:0 one x"]), built(&[HELLO, "f 644 0:0 b x", "f 644 0:0 two x"]));
    registry.push("one", "v1", &one, Packing::Gzip);
    registry.push("two", "v1", &two, Packing::Zstd);
    let (_home, store) = home();
    let (first, second) = (registry.name("one:v1"), registry.name("two:v1"));
    let (first, second) = tokio::join!(pull(&store, &first), pull(&store, &second));
    assert_eq!(first.unwrap().layers[..2], second.unwrap().layers[..2]);
    for layer in 0..2 {
        let fetched = |image, packing| registry.requests(&blob_of(image, layer, packing)).len();
        assert_eq!(fetched(&one, Packing::Gzip) + fetched(&two, Packing::Zstd), 1, "whatever it was packed in");
    }
}

#[tokio::test]
async fn one_blob_in_many_places_of_many_images_blocks_nobody() {
    let registry = Registry::start(Access::Open).await;
    let empty = "d 755 0:0 tmp";
    for (name, layers) in [("a", [empty, HELLO, empty, empty, empty]), ("b", [HELLO, empty, empty, empty, empty])] {
        registry.push(name, "v1", &built(&layers), Packing::Gzip);
    }
    let (home, store) = home();
    let (a, b) = (registry.name("a:v1"), registry.name("b:v1"));
    let (a, b) = tokio::join!(pull(&store, &a), pull(&store, &b));
    assert_eq!((a.unwrap().layers.len(), b.unwrap().layers.len()), (5, 5));
    nothing_unfinished(&home);
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let registry = Registry::start(Access::Bearer).await;
    let image = large();
    registry.push("app", "v1", &image, Packing::Gzip);
    let blob = blob_of(&image, 1, Packing::Gzip);
    for bytes in [400_000, 300_000, 0, 200_000] {
        registry.break_after(&blob, bytes);
    }
    registry.fail_with(&blob, 503);
    let (home, store) = home();
    let retries = Arc::new(Mutex::new(0));
    let counted = retries.clone();
    let count = Progress::to(move |event| *counted.lock().unwrap() += u32::from(matches!(event, Event::Retrying { .. })));
    store.ensure(&registry.name("app:v1"), user(), count).await.unwrap();
    let requests = registry.requests(&blob);
    let resumed: Vec<&str> = requests.iter().map(|request| request.split(' ').nth(1).unwrap_or("whole")).collect();
    assert_eq!(resumed, ["whole", "whole", "400000-", "700000-", "700000-", "900000-"]);
    assert_eq!(*retries.lock().unwrap(), 5);
    nothing_unfinished(&home);
}

#[tokio::test]
async fn a_registry_without_ranges_is_asked_for_the_whole_again() {
    let registry = Registry::start(Access::Open).await;
    registry.no_ranges();
    let image = large();
    registry.push("app", "v1", &image, Packing::Gzip);
    registry.break_after(&blob_of(&image, 1, Packing::Gzip), 400_000);
    let (home, store) = home();
    pull(&store, &registry.name("app:v1")).await.unwrap();
    nothing_unfinished(&home);
}

#[tokio::test]
async fn a_pull_given_up_is_resumed_by_the_next_even_after_a_restart() {
    let registry = Registry::start(Access::Open).await;
    let image = large();
    registry.push("app", "v1", &image, Packing::Gzip);
    let blob = blob_of(&image, 1, Packing::Gzip);
    registry.break_after(&blob, 600_000);
    // A pause nobody lives to see the end of: the pull is given up while it waits to try again.
    let (home, store) = home_with(Config { retry_pause_ms: 3_600_000, ..config() });
    let failed = Arc::new(Notify::new());
    let told = failed.clone();
    let listener = Progress::to(move |event| {
        if matches!(event, Event::Retrying { .. }) {
            told.notify_one();
        }
    });
    let name = registry.name("app:v1");
    tokio::select! {
        ended = store.ensure(&name, None, listener) => panic!("{ended:?}"),
        () = failed.notified() => {}
    }
    drop(store);
    let store = Store::open(home.path().join("images"), config()).unwrap();
    pull(&store, &name).await.unwrap();
    assert_eq!(registry.requests(&blob)[1], format!("/v2/app/blobs/{blob} 600000-"));
    nothing_unfinished(&home);
}

#[tokio::test]
async fn a_damaged_partial_file_is_thrown_away() {
    let registry = Registry::start(Access::Open).await;
    let image = large();
    registry.push("app", "v1", &image, Packing::Gzip);
    let blob = blob_of(&image, 1, Packing::Gzip);
    let (home, store) = home();
    std::fs::write(home.path().join("images/partial").join(&blob[7..]), vec![0; 1000]).unwrap();
    pull(&store, &registry.name("app:v1")).await.unwrap();
    assert_eq!(registry.requests(&blob).len(), 2);
    nothing_unfinished(&home);
}

#[tokio::test]
async fn what_is_not_what_it_says_is_refused() {
    let registry = Registry::start(Access::Open).await;
    let image = built(&[HELLO]);
    registry.push("app", "v1", &image, Packing::Gzip);
    let blob = blob_of(&image, 0, Packing::Gzip);
    let evil = packed(&tree::pack("f 755 0:0 hello no"), Packing::Gzip);
    registry.put(&format!("/v2/app/blobs/{blob}"), "x", &evil);
    let (home, store) = home();
    let error = pull(&store, &registry.name("app:v1")).await.unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. } | Error::Unreachable { .. }), "{error}");
    assert_eq!(registry.requests(&blob).len(), 5);
    assert!(store.list().await.unwrap().is_empty());
    assert_eq!(files(&home.path().join("images/layers")), [""; 0]);
}

#[tokio::test]
async fn each_refusal_is_said_as_ecs_says_it() {
    let check = async |access: Access, name: &str, auth: Option<RegistryAuth>, expected: expect_test::Expect| {
        let registry = Registry::start(access).await;
        registry.put(
            "/v2/app/manifests/old",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            br#"{"schemaVersion":1}"#,
        );
        registry.put("/v2/app/manifests/page", "text/html", b"<html>");
        let (_home, store) = home();
        let error = store.ensure(&registry.name(name), auth, Progress::none()).await.unwrap_err().to_string();
        expected.assert_eq(&error.replace(&registry.host, "HOST"));
    };
    let wrong = || Some(RegistryAuth { username: "someone".into(), password: "else".into() });
    check(Access::Open, "app:v1", None, expect!["The task can’t pull the image. Check whether the image exists. Error response from daemon: manifest for HOST/app:v1 not found: manifest unknown: manifest unknown"]).await;
    check(
        Access::Open,
        "app:old",
        None,
        expect!["HOST/app:old: unsupported manifest: schema version 1 is no longer supported; push the image again"],
    )
    .await;
    check(Access::Open, "app:page", None, expect!["HOST/app:page: unsupported manifest: expected value at line 1 column 1"])
        .await;
    check(Access::Basic, "app:v1", None, expect!["The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for HOST/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"]).await;
    check(Access::Basic, "app:v1", wrong(), expect!["The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for HOST/app, repository does not exist or may require 'docker login': unauthorized: authentication required"]).await;
    check(Access::Bearer, "app:v1", wrong(), expect!["The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for HOST/app, repository does not exist or may require 'docker login': unauthorized: authentication required"]).await;
}

#[tokio::test]
async fn a_passing_fault_is_tried_again_and_a_lasting_one_is_not() {
    let registry = Registry::start(Access::Open).await;
    registry.push("app", "v1", &built(&[HELLO]), Packing::Gzip);
    let (_home, store) = home();
    for status in [429, 503, 500, 502] {
        registry.fail_with("/manifests/", status);
    }
    pull(&store, &registry.name("app:v1")).await.unwrap();
    assert_eq!(registry.requests("/manifests/").len(), 5);
    pull(&store, &registry.name("app:absent")).await.unwrap_err();
    assert_eq!(registry.requests("/manifests/absent").len(), 1);
    for _ in 0..5 {
        registry.fail_with("/manifests/v2", 429);
    }
    let error = pull(&store, &registry.name("app:v2")).await.unwrap_err();
    assert_eq!(error.to_string(), "ERROR: toomanyrequests: Too Many Requests.");
}

#[tokio::test]
async fn names_without_a_registry_come_from_the_default_one_and_its_mirrors() {
    let (mirror, registry) = (Registry::start(Access::Open).await, Registry::start(Access::Open).await);
    registry.push("library/app", "latest", &built(&[HELLO]), Packing::Gzip);
    registry.push("library/only", "latest", &built(&[HELLO]), Packing::Gzip);
    mirror.push("library/app", "latest", &built(&[HELLO]), Packing::Gzip);
    let mirrors = [(registry.host.clone(), vec![mirror.host.clone()])].into();
    let (_home, store) = home_with(Config { default_registry: Some(registry.host.clone()), mirrors, ..config() });
    let image = pull(&store, "app").await.unwrap();
    assert!(registry.requests("").is_empty());
    assert_eq!(pull(&store, &registry.name("library/app")).await.unwrap(), image, "the same by its full name");
    pull(&store, "only").await.unwrap();
    assert_eq!(store.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_grant_is_kept_between_pulls_and_renewed_when_it_is_good_no_more() {
    let registry = Registry::start(Access::Bearer).await;
    let (_home, store) = home();
    for (number, refused) in [(1, 1), (2, 1), (3, 2)] {
        if number == 3 {
            registry.revoke();
        }
        let tag = format!("v{number}");
        registry.push("app", &tag, &built(&[HELLO, &format!("f 644 0:0 {number} x")]), Packing::Gzip);
        store.ensure(&registry.name(&format!("app:{tag}")), user(), Progress::none()).await.unwrap();
        assert_eq!(registry.refused(), refused);
    }
}

#[tokio::test]
async fn what_was_given_for_a_registry_is_not_shown_to_its_mirrors() {
    let (mirror, registry) = (Registry::start(Access::Basic).await, Registry::start(Access::Basic).await);
    for host in [&mirror, &registry] {
        host.push("app", "v1", &built(&[HELLO]), Packing::Gzip);
    }
    let mirrors = [(registry.host.clone(), vec![mirror.host.clone()])].into();
    let (_home, store) = home_with(Config { mirrors, ..config() });
    store.ensure(&registry.name("app:v1"), user(), Progress::none()).await.unwrap();
    assert_eq!((mirror.requests("").len(), mirror.refused()), (0, 1));
}

#[tokio::test]
async fn credentials_are_not_shared_between_identities() {
    let registry = Registry::start(Access::Basic).await;
    registry.push("app", "v1", &built(&[HELLO]), Packing::Gzip);
    let (_home, store) = home();
    let name = registry.name("app:v1");
    assert!(pull(&store, &name).await.is_err());
    store.ensure(&name, user(), Progress::none()).await.unwrap();
    let (_home, other) = home();
    assert!(pull(&other, &name).await.is_err());
}

#[tokio::test]
async fn progress_tells_every_layer_to_its_end() {
    let registry = Registry::start(Access::Open).await;
    let image = large();
    registry.push("app", "v1", &image, Packing::Gzip);
    let (_home, store) = home();
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = events.clone();
    let progress = Progress::to(move |event| kept.lock().unwrap().push(event.clone()));
    store.ensure(&registry.name("app:v1"), None, progress).await.unwrap();
    let events = events.lock().unwrap();
    assert_eq!(events[0], Event::Resolving);
    for layer in 0..3 {
        let total = packed(&image.layers[layer], Packing::Gzip).len() as u64;
        for event in [
            Event::Downloading { layer, layers: 3, done: 0, total },
            Event::Downloading { layer, layers: 3, done: total, total },
            Event::Unpacking { layer, layers: 3 },
            Event::Present { layer, layers: 3 },
        ] {
            assert!(events.contains(&event), "{event:?}");
        }
    }
}
