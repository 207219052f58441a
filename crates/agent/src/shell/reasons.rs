//! Failures as users of ECS read them: the class of the error, then what Docker would say.

use super::{firelens, volumes};
use runtime::Error;

pub fn pull(error: String) -> String {
    format!("CannotPullContainerError: {error}")
}

pub fn open(error: Error) -> String {
    format!("ResourceInitializationError: failed to set up the task: {error}")
}

pub fn fetch(error: impl std::fmt::Display) -> String {
    format!("ResourceInitializationError: {error}")
}

pub fn start(error: Error) -> String {
    match error {
        Error::Create(text) => format!("CannotCreateContainerError: {}", daemon(&text)),
        Error::Start(text) => format!("CannotStartContainerError: {}", daemon(&text)),
        other => format!("CannotStartContainerError: {}", daemon(&other.to_string())),
    }
}

/// The namespace of one container.
pub fn connect(container: &str, error: net::Error) -> String {
    let text = format!("driver failed programming external connectivity on endpoint {container}: {error}");
    format!("CannotStartContainerError: {}", daemon(&text))
}

/// The namespace of a whole task.
pub fn connect_task(error: net::Error) -> String {
    format!("ResourceInitializationError: failed to configure the task's network: {error}")
}

pub fn volume(error: volumes::Error) -> String {
    match error {
        volumes::Error::Efs(error) => format!("ResourceInitializationError: {error}"),
        other => format!("CannotCreateVolumeError: {}", daemon(&other.to_string())),
    }
}

/// What a log router is to find.
pub fn router(error: firelens::Error) -> String {
    format!("ResourceInitializationError: {error}")
}

/// What a container needs on this host and does not get.
pub fn create(error: impl std::fmt::Display) -> String {
    format!("CannotCreateContainerError: {}", daemon(&error.to_string()))
}

fn daemon(text: &str) -> String {
    format!("Error response from daemon: {text}")
}
