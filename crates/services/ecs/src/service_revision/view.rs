//! What callers see of a service revision: what was kept of it, with the platform that `LATEST` stood for.

use super::ServiceRevision;
use crate::service::{Service, defaults};
use crate::task_definition;
use api_ecs as api;
use base::Scope;
use store::Image;

/// What `LATEST` means on Fargate.
const PLATFORM_VERSION: &str = "1.4.0";

pub fn view(row: &ServiceRevision, image: &Image) -> api::ServiceRevision {
    let revision = row.revision.clone();
    let is_latest = |version: &String| version.eq_ignore_ascii_case("LATEST");
    let resolved = |version: String| if is_latest(&version) { PLATFORM_VERSION.to_owned() } else { version };
    let has_platform = revision.platform_version.is_some();
    let definition = revision.task_definition.as_deref().unwrap_or_default();
    api::ServiceRevision {
        platform_family: has_platform.then(|| family(image, &row.scope, definition)),
        platform_version: revision.platform_version.map(resolved),
        ..revision
    }
}

/// Of a service on Fargate.
pub fn platform_family(image: &Image, service: &Service, spec: &api::CreateServiceRequest) -> Option<String> {
    let definition = spec.task_definition.as_deref().unwrap_or_default();
    defaults::is_fargate(spec).then(|| family(image, &service.scope, definition))
}

/// `Linux`, or the Windows that the definition names.
fn family(image: &Image, scope: &Scope, definition: &str) -> String {
    let definition = task_definition::resolve(image, scope, definition).ok();
    let platform = definition.and_then(|definition| definition.definition.runtime_platform.as_ref());
    match platform.and_then(|platform| platform.operating_system_family.as_ref()).map(api::OSFamily::as_str) {
        None | Some("LINUX") => "Linux".to_owned(),
        Some(other) => other.to_owned(),
    }
}
