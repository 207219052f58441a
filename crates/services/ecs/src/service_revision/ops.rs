//! DescribeServiceRevisions.

use super::{ServiceRevision, key, view};
use crate::arn;
use api_ecs as api;
use api_ecs::Error;
use kernel::Call;
use store::Image;

const PER_DESCRIBE: usize = 20;

pub fn describe_service_revisions(
    call: &mut Call,
    image: &Image,
    input: api::DescribeServiceRevisionsRequest,
) -> Result<api::DescribeServiceRevisionsResponse, Error> {
    let given = input.service_revision_arns.unwrap_or_default();
    if given.len() > PER_DESCRIBE {
        return Err(Error::invalid_parameter(format!("Service revisions cannot have more than {PER_DESCRIBE} elements.")));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for one in given {
        let [cluster, service, id] = arn::of_service(&call.scope, "service-revision", &one)?;
        match image.get(key(&call.scope, &cluster, &service, &id).as_str()) {
            Some(row) => found.push(described(row, image)),
            None => failures.push(api::Failure { arn: Some(one), reason: Some("MISSING".into()), detail: None }),
        }
    }
    Ok(api::DescribeServiceRevisionsResponse { service_revisions: Some(found), failures: Some(failures) })
}

/// A revision without Service Connect says that it has none; a deployment without it says nothing.
fn described(row: &ServiceRevision, image: &Image) -> api::ServiceRevision {
    let mut revision = view::view(row, image);
    let none = api::ServiceConnectConfiguration { enabled: Some(false), ..Default::default() };
    revision.service_connect_configuration.get_or_insert(none);
    revision
}
