//! How a container asks about itself: the id in the address it is told, and the way from that id to what the engine knows.
//! An id is drawn from a secret of the node, so nobody guesses another container's, and it needs no table: it is the same
//! after a restart of the container and of the agent. Says nothing over HTTP and knows no document.

use crate::engine::Facts;
use crate::engine::network::plug_id;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use workload::{ContainerSpec, NetworkMode, TaskId, TaskSpec, TaskStatus};

const ADDRESS: &str = "http://169.254.170.2";
/// Hexadecimal: 128 bits.
const PROOF_DIGITS: usize = 32;
/// Stands in an id where others have the index of a container: neither kind is ever taken for the other.
const CREDENTIALS: &str = "credentials";
/// Askers beyond these wait for their turn.
const WAITING: usize = 64;

/// What a task's containers may be told.
#[derive(Clone, Debug)]
pub struct Known {
    pub spec: Arc<TaskSpec>,
    pub status: TaskStatus,
    /// The one that asks, in the order of `spec.containers`.
    pub container: usize,
}

pub struct Inquiry {
    pub task: TaskId,
    /// `None`: about the task only, whichever container asks.
    pub container: Option<usize>,
    pub answer: oneshot::Sender<Option<Known>>,
}

/// A node's door to its engine, for whoever listens at the address. Cheap to clone.
#[derive(Clone)]
pub struct Metadata {
    ids: EndpointIds,
    inquiries: mpsc::Sender<Inquiry>,
}

impl Metadata {
    pub fn new(ids: EndpointIds) -> (Metadata, mpsc::Receiver<Inquiry>) {
        let (inquiries, inbox) = mpsc::channel(WAITING);
        (Metadata { ids, inquiries }, inbox)
    }

    /// Whether the id is of this node, of a container or a task that is or was.
    pub fn drew(&self, endpoint_id: &str) -> bool {
        self.ids.read(endpoint_id).is_some() || self.ids.read_credentials(endpoint_id).is_some()
    }

    /// `None` for an id that is no container's of this node. An id of another node is told apart without asking anybody.
    pub async fn about(&self, endpoint_id: &str) -> Option<Known> {
        let (task, container) = self.ids.read(endpoint_id)?;
        self.inquire(task, Some(container)).await
    }

    /// The task whose containers are told this id to ask for the credentials of its role.
    pub async fn holder(&self, credentials_id: &str) -> Option<Arc<TaskSpec>> {
        let task = self.ids.read_credentials(credentials_id)?;
        self.inquire(task, None).await.map(|known| known.spec)
    }

    async fn inquire(&self, task: TaskId, container: Option<usize>) -> Option<Known> {
        let (answer, answered) = oneshot::channel();
        self.inquiries.send(Inquiry { task, container, answer }).await.ok()?;
        answered.await.ok().flatten()
    }
}

#[derive(Clone)]
pub struct EndpointIds(Hmac<Sha256>);

impl EndpointIds {
    pub fn new(secret: &str) -> EndpointIds {
        EndpointIds(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of every length"))
    }

    /// `TASK-INDEX-PROOF`: as on Fargate, where it begins with the task's id too.
    pub fn id(&self, task: &str, container: usize) -> String {
        self.proven(format!("{task}-{container}"))
    }

    /// All containers of a task ask under the same one, as with the stock agent.
    pub fn credentials_id(&self, task: &str) -> String {
        self.proven(format!("{task}-{CREDENTIALS}"))
    }

    fn proven(&self, subject: String) -> String {
        let digest = self.digest(&subject).finalize().into_bytes();
        let proof = digest.iter().take(PROOF_DIGITS / 2).fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes all");
            text
        });
        format!("{subject}-{proof}")
    }

    fn read(&self, endpoint_id: &str) -> Option<(TaskId, usize)> {
        let (task, container) = self.subject(endpoint_id)?.rsplit_once('-')?;
        Some((task.to_owned(), container.parse().ok()?))
    }

    fn read_credentials(&self, credentials_id: &str) -> Option<TaskId> {
        let (task, kind) = self.subject(credentials_id)?.rsplit_once('-')?;
        (kind == CREDENTIALS).then(|| task.to_owned())
    }

    /// What an id of this node is about.
    fn subject<'a>(&self, endpoint_id: &'a str) -> Option<&'a str> {
        let (subject, proof) = endpoint_id.rsplit_once('-')?;
        let proof = bytes(proof).filter(|proof| proof.len() == PROOF_DIGITS / 2)?;
        // In constant time.
        self.digest(subject).verify_truncated_left(&proof).ok()?;
        Some(subject)
    }

    fn digest(&self, subject: &str) -> Hmac<Sha256> {
        self.0.clone().chain_update(subject)
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// What the agent adds to a container's environment. `host_port` is where containers in the host's own network ask.
#[derive(Clone)]
pub struct Environment {
    pub ids: EndpointIds,
    pub host_port: u16,
}

impl Environment {
    /// SDKs look for the region here, unless somebody says another; `AWS_EXECUTION_ENV` is what ECS itself says of where a
    /// container runs.
    pub fn defaults(&self, spec: &TaskSpec) -> Vec<(String, String)> {
        let regions = ["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| (name.to_owned(), spec.region.clone()));
        let place = match spec.launch_type.as_str() {
            "EC2" => Some("AWS_ECS_EC2"),
            "FARGATE" => Some("AWS_ECS_FARGATE"),
            _ => None,
        };
        regions.into_iter().chain(place.map(|place| ("AWS_EXECUTION_ENV".to_owned(), place.to_owned()))).collect()
    }

    /// ECS's to say, over whatever a definition says. Nothing where nobody could be asked: in network mode `none` and with
    /// networking disabled.
    pub fn addresses(&self, facts: &Facts, container: &ContainerSpec) -> Vec<(String, String)> {
        let spec = &*facts.spec;
        let attachment = plug_id(spec, &container.name).and_then(|id| facts.attachments.get(&id));
        let is_connected = attachment.is_some_and(|attachment| attachment.address.is_some());
        let base = match spec.network_mode {
            NetworkMode::Host if self.host_port == 80 => ADDRESS.to_owned(),
            NetworkMode::Host => format!("{ADDRESS}:{}", self.host_port),
            _ if is_connected => ADDRESS.to_owned(),
            _ => return vec![],
        };
        let Some(index) = spec.containers.iter().position(|c| c.name == container.name) else { return vec![] };
        let id = self.ids.id(&spec.id, index);
        let of = |(name, part): (&str, &str)| (name.to_owned(), format!("{base}/{part}/{id}"));
        let own =
            [("ECS_CONTAINER_METADATA_URI", "v3"), ("ECS_CONTAINER_METADATA_URI_V4", "v4"), ("ECS_AGENT_URI", "api")].map(of);
        let credentials = spec.task_role.is_some().then(|| self.credentials(&base, &spec.id));
        own.into_iter().chain(credentials).collect()
    }

    /// SDKs take a relative address to be one of port 80, and the relative one before a full one.
    fn credentials(&self, base: &str, task: &str) -> (String, String) {
        let path = format!("/v2/credentials/{}", self.ids.credentials_id(task));
        match base == ADDRESS {
            true => ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI".into(), path),
            false => ("AWS_CONTAINER_CREDENTIALS_FULL_URI".into(), format!("{base}{path}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Attachment;
    use expect_test::{Expect, expect};
    use workload::Address;

    const TASK: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn an_id_tells_its_container_to_the_node_that_drew_it_only() {
        let ids = EndpointIds::new("secret");
        let id = ids.id(TASK, 1);
        expect!["0123456789abcdef0123456789abcdef-1-a5de97c07e4f23566a0b4af74115126c"].assert_eq(&id);
        assert_eq!(ids.read(&id), Some((TASK.to_owned(), 1)));
        assert_eq!(EndpointIds::new("another").read(&id), None);
        let other = id.replace("-1-", "-0-");
        for forged in ["", "-", "bad", TASK, &id[1..], &id[..id.len() - 2], &format!("{id}00"), &other, &id.replace('-', "")] {
            assert_eq!(ids.read(forged), None, "{forged}");
        }
    }

    #[test]
    fn where_credentials_are_is_known_to_nobody_who_knows_another_address() {
        let ids = EndpointIds::new("secret");
        let (own, credentials) = (ids.id(TASK, 0), ids.credentials_id(TASK));
        assert_eq!(ids.read_credentials(&credentials).as_deref(), Some(TASK));
        assert_eq!((ids.read(&credentials), ids.read_credentials(&own)), (None, None));
        assert_eq!(ids.read_credentials(&own.replace("-0-", "-credentials-")), None);
        assert_eq!(EndpointIds::new("another").read_credentials(&credentials), None);
    }

    fn check(mode: NetworkMode, launch_type: &str, role: Option<&str>, expected: Expect) {
        let app = ContainerSpec { name: "app".into(), ..ContainerSpec::default() };
        let spec = TaskSpec {
            id: "t".into(),
            region: "eu-west-1".into(),
            launch_type: launch_type.into(),
            network_mode: mode,
            task_role: role.map(str::to_owned),
            containers: vec![app.clone()],
            ..TaskSpec::default()
        };
        let address = (mode != NetworkMode::None).then(Address::default);
        let attachment = Attachment { address, ..Attachment::default() };
        let attachments = plug_id(&spec, "app").map(|id| (id, attachment)).into_iter().collect();
        let facts = Facts { spec: Arc::new(spec), images: Default::default(), attachments };
        let environment = Environment { ids: EndpointIds::new("secret"), host_port: 8000 };
        let id = environment.ids.id("t", 0);
        let all = environment.defaults(&facts.spec).into_iter().chain(environment.addresses(&facts, &app));
        let text: String = all.map(|(name, value)| format!("{name}={value}\n")).collect();
        expected.assert_eq(&text.replace(&id, "ID").replace(&environment.ids.credentials_id("t"), "CREDENTIALS"));
    }

    #[test]
    fn a_container_is_told_where_it_can_ask() {
        check(
            NetworkMode::Bridge,
            "EC2",
            Some("arn:aws:iam::123456789012:role/web"),
            expect![[r#"
                AWS_REGION=eu-west-1
                AWS_DEFAULT_REGION=eu-west-1
                AWS_EXECUTION_ENV=AWS_ECS_EC2
                ECS_CONTAINER_METADATA_URI=http://169.254.170.2/v3/ID
                ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/ID
                ECS_AGENT_URI=http://169.254.170.2/api/ID
                AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/CREDENTIALS
            "#]],
        );
        check(
            NetworkMode::Host,
            "EXTERNAL",
            Some("arn:aws:iam::123456789012:role/web"),
            expect![[r#"
            AWS_REGION=eu-west-1
            AWS_DEFAULT_REGION=eu-west-1
            ECS_CONTAINER_METADATA_URI=http://169.254.170.2:8000/v3/ID
            ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2:8000/v4/ID
            ECS_AGENT_URI=http://169.254.170.2:8000/api/ID
            AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.2:8000/v2/credentials/CREDENTIALS
        "#]],
        );
        check(
            NetworkMode::Awsvpc,
            "",
            None,
            expect![[r#"
                AWS_REGION=eu-west-1
                AWS_DEFAULT_REGION=eu-west-1
                ECS_CONTAINER_METADATA_URI=http://169.254.170.2/v3/ID
                ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/ID
                ECS_AGENT_URI=http://169.254.170.2/api/ID
            "#]],
        );
        check(
            NetworkMode::None,
            "FARGATE",
            Some("arn:aws:iam::123456789012:role/web"),
            expect![[r#"
            AWS_REGION=eu-west-1
            AWS_DEFAULT_REGION=eu-west-1
            AWS_EXECUTION_ENV=AWS_ECS_FARGATE
        "#]],
        );
    }
}
