//! The whole agent over a host of values, as the plane sees it: what it reports, and what is left on the host.

mod host;

use super::*;
use host::Host;
use link::ToNode;
use std::time::Duration;
use workload::*;

/// Longer than any of these takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A plane, its node, and the directory that outlives agents.
struct Fixture {
    host: Arc<Host>,
    data: tempfile::TempDir,
    plane: link::PlaneEnd,
    agent: Option<Agent>,
    generation: u64,
}

impl Fixture {
    async fn new() -> Fixture {
        let (plane, _) = link::local();
        let data = tempfile::tempdir().unwrap();
        let mut fixture = Fixture { host: Arc::default(), data, plane, agent: None, generation: 0 };
        fixture.start().await;
        fixture
    }

    async fn start(&mut self) {
        let (plane, node) = link::local();
        self.plane = plane;
        let mut config = Config::new(self.data.path(), "123456789012", "eu-west-1");
        config.metadata_host_port = Some(80);
        let (runtime, network, images) = (self.host.clone(), self.host.clone(), self.host.clone());
        self.agent = Some(Agent::start(config, runtime, network, images, node).await.unwrap());
        let hello = self.plane.recv().await;
        assert!(matches!(hello, Some(ToPlane::Hello(_))), "{hello:?}");
    }

    /// As if the process were killed: everything is dropped where it stands.
    async fn kill(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.work.abort();
        assert!((&mut agent.work).await.is_err());
        // A write that was under way ends by itself, as the kernel would end it.
        while Arc::strong_count(&agent.memory) > 1 {
            tokio::task::yield_now().await;
        }
    }

    fn assign(&mut self, tasks: &[&TaskSpec]) {
        self.generation += 1;
        let tasks = tasks.iter().map(|spec| Arc::new((*spec).clone())).collect();
        self.plane.send(ToNode::Assign(Assign { generation: self.generation, tasks }));
    }

    /// The first report of which this holds.
    async fn until(&self, what: &str, holds: impl Fn(&Report) -> bool) -> Report {
        let mut last = None;
        let wait = async {
            loop {
                match self.plane.recv().await {
                    Some(ToPlane::Report(report)) if holds(&report) => return report,
                    Some(message) => last = Some(message),
                    None => panic!("the node is gone before {what}: {last:?}"),
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(report) => report,
            Err(_) => panic!("never {what}: {last:?}"),
        }
    }

    async fn phase(&self, phase: TaskPhase) -> TaskStatus {
        let is = |task: &TaskStatus| task.phase == phase;
        let report = self.until(&format!("{phase:?}"), |report| report.tasks.iter().any(is)).await;
        report.tasks.into_iter().find(is).unwrap()
    }
}

fn container(name: &str) -> ContainerSpec {
    let environment = [("NAME".to_owned(), name.to_owned())].into();
    ContainerSpec { name: name.into(), image: name.into(), essential: true, environment, ..ContainerSpec::default() }
}

fn task(containers: Vec<ContainerSpec>) -> TaskSpec {
    TaskSpec { id: "0f3a".into(), containers, ..TaskSpec::default() }
}

fn stopped(spec: &TaskSpec) -> TaskSpec {
    TaskSpec { desired: Desired::Stopped, ..spec.clone() }
}

#[tokio::test]
async fn a_task_runs_and_stops_and_leaves_nothing() {
    let mut node = Fixture::new().await;
    let mut spec = task(vec![container("app"), container("db")]);
    spec.containers[0].links = vec!["db".into()];
    spec.containers[0].mounts = vec![MountSpec { volume: "v".into(), container_path: "/v".into(), read_only: false }];
    spec.volumes = vec![VolumeSpec { name: "v".into(), source: VolumeSource::Task }];
    node.assign(&[&spec]);
    let running = node.phase(TaskPhase::Running).await;
    assert_eq!(running.containers[0].image_digest.as_deref(), Some("sha256:app"));
    assert_eq!(node.host.holds(), (1, 2, 2));
    let app = node.host.starts().into_iter().find(|run| run.id.container == "app").unwrap();
    assert_eq!(app.netns, Some("/netns/0f3a.app".into()));
    assert_eq!(app.hostname, app.runtime_id[..12]);
    assert!(app.runtime_id.len() == 64 && app.hosts.unwrap().contains("\tdb\n"));
    let variable = |name: &str| app.environment.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert_eq!((variable("NAME"), variable("DB_NAME"), variable("DB_ENV_NAME")), (Some("app"), Some("/app/db"), Some("db")));
    assert!(app.binds[0].source.is_dir());
    node.assign(&[&stopped(&spec)]);
    let status = node.phase(TaskPhase::Stopped).await;
    assert_eq!(status.cause, Some(StopCause::Asked));
    assert_eq!(node.host.holds(), (0, 0, 0));
    assert!(!app.binds[0].source.exists());
    node.assign(&[]);
    node.until("forgotten", |report| report.tasks.is_empty()).await;
}

#[tokio::test]
async fn failures_carry_the_class_and_the_words_of_docker() {
    let cases = [
        ("image", "CannotPullContainerError: image is broken"),
        ("app", "CannotStartContainerError: Error response from daemon: app is broken"),
        (
            "0f3a.app",
            "CannotStartContainerError: Error response from daemon: driver failed programming external connectivity on \
             endpoint app: Bind for 0.0.0.0:80 failed: port is already allocated",
        ),
    ];
    for (broken, reason) in cases {
        let mut node = Fixture::new().await;
        node.host.broken(broken);
        node.assign(&[&task(vec![ContainerSpec { image: "image".into(), ..container("app") }])]);
        let status = node.phase(TaskPhase::Stopped).await;
        assert_eq!(status.cause, Some(StopCause::FailedToStart(reason.into())));
        assert_eq!(status.containers[0].reason.as_deref(), Some(reason));
        assert_eq!(node.host.holds(), (0, 0, 0));
    }
}

#[tokio::test]
async fn a_killed_agent_is_followed_by_one_that_knows() {
    let mut node = Fixture::new().await;
    let spec = task(vec![container("app"), ContainerSpec { essential: false, ..container("job") }]);
    node.assign(&[&spec]);
    let before = node.phase(TaskPhase::Running).await;
    node.kill().await;
    node.host.exit("0f3a", "job", 3);
    node.start().await;
    let after = node.phase(TaskPhase::Running).await;
    assert_eq!(node.host.starts().len(), 2, "nothing is started twice");
    assert_eq!(after.containers[1].exit_code, Some(3), "what happened meanwhile is noticed");
    assert_eq!((after.started_at, &after.containers[0]), (before.started_at, &before.containers[0]));
    node.host.exit("0f3a", "app", 1);
    let end = node.phase(TaskPhase::Stopped).await;
    assert_eq!(end.cause, Some(StopCause::EssentialContainerExited));
    node.kill().await;
    node.start().await;
    assert_eq!(node.phase(TaskPhase::Stopped).await, end, "an end is remembered");
}

#[tokio::test]
async fn what_was_cut_off_is_done_again() {
    let mut node = Fixture::new().await;
    node.host.registry_hangs.send_replace(true);
    node.assign(&[&task(vec![container("app")])]);
    node.phase(TaskPhase::Activating).await;
    node.kill().await;
    node.host.registry_hangs.send_replace(false);
    node.start().await;
    node.phase(TaskPhase::Running).await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_pull() {
    let mut node = Fixture::new().await;
    node.host.registry_hangs.send_replace(true);
    let spec = task(vec![container("app")]);
    node.assign(&[&spec]);
    node.phase(TaskPhase::Activating).await;
    node.assign(&[&stopped(&spec)]);
    node.phase(TaskPhase::Stopped).await;
    assert_eq!((node.host.holds(), node.host.starts().len()), ((0, 0, 0), 0));
}

#[tokio::test]
async fn an_older_set_than_the_remembered_one_is_refused() {
    let mut node = Fixture::new().await;
    let spec = task(vec![container("app")]);
    node.assign(&[&spec]);
    node.phase(TaskPhase::Running).await;
    node.assign(&[]);
    node.until("forgotten", |report| report.tasks.is_empty() && report.seen == 2).await;
    node.kill().await;
    node.start().await;
    node.generation = 0;
    node.assign(&[&spec]);
    node.generation = 2;
    node.assign(&[]);
    node.until("the newer set", |report| report.seen == 3).await;
    assert_eq!(node.host.starts().len(), 1);
}

#[tokio::test]
async fn what_nobody_remembers_is_given_back() {
    let mut node = Fixture::new().await;
    node.assign(&[&task(vec![container("app")])]);
    node.phase(TaskPhase::Running).await;
    node.kill().await;
    std::fs::remove_dir_all(node.data.path().join("agent")).unwrap();
    node.start().await;
    node.until("an empty node", |report| report.tasks.is_empty()).await;
    let other = TaskSpec { id: "17bb".into(), ..task(vec![container("other")]) };
    node.assign(&[&other]);
    node.phase(TaskPhase::Running).await;
    assert_eq!(node.host.holds(), (1, 1, 1));
}

#[tokio::test]
async fn a_lost_shim_is_noticed() {
    let mut node = Fixture::new().await;
    node.assign(&[&task(vec![container("app")])]);
    node.phase(TaskPhase::Running).await;
    node.host.lose("0f3a");
    let status = node.phase(TaskPhase::Stopped).await;
    let reason = "ContainerVanishedError: No container matching saved ID found";
    assert_eq!(status.containers[0].reason.as_deref(), Some(reason));
}

#[tokio::test]
async fn a_plane_that_goes_leaves_the_containers() {
    let mut node = Fixture::new().await;
    node.assign(&[&task(vec![container("app")])]);
    node.phase(TaskPhase::Running).await;
    node.agent.take().unwrap().stop().await;
    assert_eq!(node.host.holds(), (1, 1, 1));
    assert!(node.host.signals().is_empty());
}

/// The id by which the container that was started last can ask about itself.
fn endpoint_id(host: &Host) -> String {
    let run = host.starts().pop().unwrap();
    let (_, address) = run.environment.iter().find(|(name, _)| name == "ECS_CONTAINER_METADATA_URI_V4").unwrap();
    address.rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_container_that_asks_before_its_start_is_told_hears_what_it_is_called() {
    let mut node = Fixture::new().await;
    node.host.starts_hang.send_replace(true);
    node.assign(&[&task(vec![container("app")])]);
    node.host.runs.subscribe().wait_for(|runs| *runs == 1).await.unwrap();
    let metadata = node.agent.as_ref().unwrap().metadata().clone();
    let tell = async {
        // Enough for an answer that did not wait.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        node.host.starts_hang.send_replace(false);
    };
    let id = endpoint_id(&node.host);
    let (known, ()) = tokio::join!(metadata.about(&id), tell);
    let known = known.unwrap();
    let own = &known.status.containers[known.container];
    assert_eq!((own.name.as_str(), own.phase), ("app", ContainerPhase::Running));
    assert_eq!(own.runtime_id, node.host.starts().pop().map(|run| run.runtime_id));
}

#[tokio::test]
async fn who_may_ask_may_ask_the_next_agent_and_only_while_the_task_is_there() {
    let mut node = Fixture::new().await;
    let spec = task(vec![container("app")]);
    node.assign(&[&spec]);
    node.phase(TaskPhase::Running).await;
    let id = endpoint_id(&node.host);
    node.kill().await;
    node.start().await;
    let about = |node: &Fixture| {
        let metadata = node.agent.as_ref().unwrap().metadata().clone();
        let id = id.clone();
        async move { metadata.about(&id).await }
    };
    assert_eq!(about(&node).await.unwrap().spec.id, spec.id);
    node.assign(&[]);
    node.until("forgotten", |report| report.tasks.is_empty() && report.seen == 2).await;
    assert!(about(&node).await.is_none());
}
