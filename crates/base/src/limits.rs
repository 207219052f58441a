//! Every limit of the system, in one place, with its source. AWS's documented quotas unless said otherwise.

/// Largest request body that is read (our own bound: a task definition may be 64 KiB, a log batch 1 MiB).
pub const REQUEST_BODY_BYTES: usize = 8 * 1024 * 1024;
/// SigV4 signatures older or newer than this are refused (AWS: 15 minutes).
pub const SIGNATURE_SKEW_SECONDS: u64 = 15 * 60;
/// ECS service quotas, "general reference: Amazon ECS endpoints and quotas".
pub const TASK_DEFINITION_BYTES: usize = 64 * 1024;
pub const CONTAINERS_PER_TASK_DEFINITION: usize = 10;
pub const TASKS_PER_RUN_TASK: i64 = 10;
pub const INSTANCES_PER_START_TASK: usize = 10;
/// Of one service, newest first.
pub const SERVICE_EVENTS: usize = 100;
pub const SERVICES_PER_DESCRIBE: usize = 10;
pub const TASKS_PER_SERVICE: i32 = 5000;
/// Of one with service discovery.
pub const TASKS_PER_DISCOVERED_SERVICE: i32 = 1000;
pub const SERVICES_PER_CLUSTER: usize = 5000;
pub const CLUSTERS_PER_ACCOUNT: usize = 10_000;
pub const TASKS_PER_DESCRIBE: usize = 100;
pub const TAGS_PER_RESOURCE: usize = 50;
pub const CUSTOM_ATTRIBUTES_PER_RESOURCE: usize = 10;
pub const OVERRIDES_BYTES: usize = 8192;
/// Stopped tasks stay visible at least this long (DescribeTasks).
pub const STOPPED_TASK_RETENTION_SECONDS: u64 = 3600;
/// How long a task's own history stays after its end, and how many changes it has at most (our own bounds).
pub const TASK_HISTORY_RETENTION_SECONDS: u64 = 7 * 24 * 3600;
pub const TASK_HISTORY_ENTRIES: usize = 200;
/// How many state-change events are kept for those who follow them, and how long (our own bounds; EventBridge tries a day long).
pub const STATE_EVENTS: usize = 10_000;
pub const STATE_EVENT_RETENTION_SECONDS: u64 = 24 * 3600;
/// The task metadata endpoint, for each asker and path: a steady rate and a burst (the stock agent's ECS_TASK_METADATA_RPS_LIMIT).
pub const METADATA_REQUESTS_PER_SECOND: u32 = 40;
pub const METADATA_REQUESTS_BURST: u32 = 60;
/// Largest manifest, manifest list or configuration of an image that is read (our own bound; registries refuse manifests over 4 MiB).
pub const IMAGE_DOCUMENT_BYTES: u64 = 8 * 1024 * 1024;
