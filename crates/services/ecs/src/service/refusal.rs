//! Why tasks of a service have no place, in ECS's sentences: there is no instance, no capacity, or of all the instances the one
//! that came closest. Pure.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html

use crate::placement::Reason;
use crate::task::capacity::Share;
use crate::task::placing;

const UNPLACEABLE: &str = "was unable to place a task because no container instance met all of its requirements.";
const HELP: &str = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

/// Why there are not as many as there should be.
pub struct Refusal {
    pub sentence: String,
    /// Of the service action: `RESOURCE:CPU`, …
    pub reason: String,
    pub capacity_provider: Option<String>,
}

impl Refusal {
    pub fn other(reason: &str) -> Refusal {
        let sentence = format!("was unable to place a task. Reason: {reason}");
        Refusal { sentence, reason: reason.to_owned(), capacity_provider: None }
    }
}

pub fn no_instances(share: &Share) -> Refusal {
    let sentence = format!("{UNPLACEABLE} Reason: {} {HELP}", placing::nowhere(share));
    Refusal { sentence, reason: "NO ACTIVE INSTANCES".to_owned(), capacity_provider: None }
}

pub fn short(share: &Share, rejected: &[(Option<String>, Reason)]) -> Refusal {
    if share.is_fargate() {
        let why = "Capacity is unavailable at this time. Please try again later or in a different availability zone.";
        return Refusal { reason: "RESOURCE:FARGATE".to_owned(), ..Refusal::other(why) };
    }
    came_closest(rejected).unwrap_or_else(|| Refusal::other("Internal error."))
}

/// Who was refused by the last of the checks.
pub fn came_closest(rejected: &[(Option<String>, Reason)]) -> Option<Refusal> {
    rejected.iter().max_by_key(|(_, reason)| *reason).map(|(id, reason)| closest(id.as_deref(), *reason))
}

fn closest(instance: Option<&str>, reason: Reason) -> Refusal {
    let what = match reason {
        Reason::Cpu => "has insufficient CPU units available".to_owned(),
        Reason::Memory => "has insufficient memory available".to_owned(),
        Reason::Ports => "is already using a port required by your task".to_owned(),
        Reason::Attribute => "is missing an attribute required by your task".to_owned(),
        other => format!("encountered error \"{}\"", other.as_str().trim_end_matches('.')),
    };
    let instance = instance.unwrap_or_default();
    let sentence = format!("{UNPLACEABLE} The closest matching (container-instance {instance}) {what}. {HELP}");
    Refusal { sentence, reason: reason.as_str().to_owned(), capacity_provider: None }
}
