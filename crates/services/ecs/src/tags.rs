//! Tags: the rules on them, and TagResource, UntagResource and ListTagsForResource over everything of ECS that has some.

use crate::capacity_provider::CapacityProvider;
use crate::cluster::Cluster;
use crate::container_instance::ContainerInstance;
use crate::service::Service;
use crate::task::Task;
use crate::task_definition::TaskDefinition;
use crate::{arn, capacity_provider, cluster, container_instance, service, task, task_definition};
use api_ecs as api;
use api_ecs::{Error, Tag};
use base::{Arn, Scope, limits};
use kernel::Call;
use std::collections::BTreeSet;
use store::{Image, Key, Tx};

pub fn list_tags_for_resource(
    call: &mut Call,
    image: &Image,
    input: api::ListTagsForResourceRequest,
) -> Result<api::ListTagsForResourceResponse, Error> {
    let resource = Resource::find(image, &call.scope, input.resource_arn.as_deref().unwrap_or_default())?;
    Ok(api::ListTagsForResourceResponse { tags: Some(resource.tags(image)) })
}

pub fn tag_resource(call: &mut Call, tx: &mut Tx, input: api::TagResourceRequest) -> Result<api::TagResourceResponse, Error> {
    let resource = Resource::find(tx, &call.scope, input.resource_arn.as_deref().unwrap_or_default())?;
    let given = input.tags.unwrap_or_default();
    check(&given)?;
    let all = merged(resource.tags(tx), given);
    check(&all)?;
    resource.put_tags(tx, all);
    Ok(api::TagResourceResponse {})
}

pub fn untag_resource(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UntagResourceRequest,
) -> Result<api::UntagResourceResponse, Error> {
    let resource = Resource::find(tx, &call.scope, input.resource_arn.as_deref().unwrap_or_default())?;
    let keys = input.tag_keys.unwrap_or_default();
    let mut tags = resource.tags(tx);
    tags.retain(|tag| !tag.key.as_ref().is_some_and(|key| keys.contains(key)));
    resource.put_tags(tx, tags);
    Ok(api::UntagResourceResponse {})
}

/// Lengths and characters are the model's, refused on the wire.
pub fn check(tags: &[Tag]) -> Result<(), Error> {
    let too_many = tags.len() > limits::TAGS_PER_RESOURCE;
    refuse_if(too_many, || format!("Too many tags. Maximum allowed is {}.", limits::TAGS_PER_RESOURCE))?;
    let mut keys = BTreeSet::new();
    for tag in tags {
        let (key, value) = (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default());
        refuse_if(key.is_empty(), || "Tag key should not be null or empty.".to_owned())?;
        refuse_if(is_reserved(key) || is_reserved(value), || {
            "The prefix aws: is reserved for AWS use. Tag keys and values cannot start with it.".to_owned()
        })?;
        refuse_if(!keys.insert(key), || format!("Duplicate tag keys found: {key}. Each tag key must be unique."))?;
    }
    Ok(())
}

/// In any upper or lower case.
fn is_reserved(text: &str) -> bool {
    text.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

fn refuse_if(broken: bool, sentence: impl FnOnce() -> String) -> Result<(), Error> {
    if broken { Err(Error::invalid_parameter(sentence())) } else { Ok(()) }
}

/// What is given stands last, also where its key was there before.
fn merged(mut tags: Vec<Tag>, given: Vec<Tag>) -> Vec<Tag> {
    tags.retain(|tag| !given.iter().any(|other| other.key == tag.key));
    tags.extend(given);
    tags
}

/// A row that has tags.
enum Resource {
    CapacityProvider(Key),
    Cluster(Key),
    ContainerInstance(Key),
    Service(Key),
    Task(Key),
    TaskDefinition(Key),
}

impl Resource {
    fn find(image: &Image, scope: &Scope, given: &str) -> Result<Resource, Error> {
        let invalid = || Error::invalid_parameter("The ARN provided is invalid.");
        let arn: Arn = given.parse().map_err(|_| invalid())?;
        arn::belongs(scope, &arn)?;
        let resource = match (arn.kind(), &arn.path()[..]) {
            ("capacity-provider", [name]) => Resource::CapacityProvider(capacity_provider::key(scope, name)),
            ("cluster", [name]) => Resource::Cluster(cluster::key(scope, name)),
            ("container-instance", [cluster, id]) => Resource::ContainerInstance(container_instance::key(scope, cluster, id)),
            ("service", [cluster, name]) => Resource::Service(service::key(scope, cluster, name)),
            ("task", [cluster, id]) => Resource::Task(task::key(scope, cluster, id)),
            ("task-definition", [_]) => {
                let definition = task_definition::resolve(image, scope, given)?;
                Resource::TaskDefinition(task_definition::key(scope, &definition.family, definition.revision))
            }
            ("task" | "container-instance" | "service", [_]) => {
                return Err(Error::invalid_parameter("Long arn format must be used for tagging operations"));
            }
            _ => return Err(invalid()),
        };
        if let Some(kind) = resource.inactive(image) {
            let message = format!("The specified {kind} is inactive. Specify an active {kind} and try again.");
            return Err(Error::invalid_parameter(message));
        }
        if resource.row_tags(image).is_some() { Ok(resource) } else { Err(resource.missing()) }
    }

    /// What it is, of one that was deleted and is still told of.
    fn inactive(&self, image: &Image) -> Option<&'static str> {
        let (kind, is_inactive) = match self {
            Resource::Cluster(key) => ("cluster", image.get::<Cluster>(key.as_str()).is_some_and(|row| !row.active)),
            Resource::Service(key) => {
                let row = image.get::<Service>(key.as_str());
                ("service", row.is_some_and(|row| row.status == service::Status::Inactive))
            }
            _ => return None,
        };
        is_inactive.then_some(kind)
    }

    fn tags(&self, image: &Image) -> Vec<Tag> {
        self.row_tags(image).map(<[Tag]>::to_vec).unwrap_or_default()
    }

    fn row_tags<'a>(&self, image: &'a Image) -> Option<&'a [Tag]> {
        match self {
            Resource::CapacityProvider(key) => image.get::<CapacityProvider>(key.as_str()).map(|row| &row.tags[..]),
            Resource::Cluster(key) => image.get::<Cluster>(key.as_str()).map(|row| &row.tags[..]),
            Resource::ContainerInstance(key) => image.get::<ContainerInstance>(key.as_str()).map(|row| &row.tags[..]),
            Resource::Service(key) => image.get::<Service>(key.as_str()).map(|row| &row.tags[..]),
            Resource::Task(key) => image.get::<Task>(key.as_str()).map(|row| &row.tags[..]),
            Resource::TaskDefinition(key) => image.get::<TaskDefinition>(key.as_str()).map(|row| &row.tags[..]),
        }
    }

    fn put_tags(&self, tx: &mut Tx, tags: Vec<Tag>) {
        let found = match self {
            Resource::CapacityProvider(key) => tx.update::<CapacityProvider>(key.as_str(), |row| row.tags = tags),
            Resource::Cluster(key) => tx.update::<Cluster>(key.as_str(), |row| row.tags = tags),
            Resource::ContainerInstance(key) => tx.update::<ContainerInstance>(key.as_str(), |row| row.tags = tags),
            Resource::Service(key) => tx.update::<Service>(key.as_str(), |row| row.tags = tags),
            Resource::Task(key) => tx.update::<Task>(key.as_str(), |row| row.tags = tags),
            Resource::TaskDefinition(key) => tx.update::<TaskDefinition>(key.as_str(), |row| row.tags = tags),
        };
        assert!(found, "only a row that was found is tagged");
    }

    fn missing(&self) -> Error {
        match self {
            Resource::Cluster(_) => Error::cluster_not_found("Cluster not found."),
            _ => Error::resource_not_found("The specified resource could not be found."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Plane;
    use serde_json::json;

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }
    }

    #[test]
    fn tags_have_rules() {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[("team", "web")], ""),
            (&[("team", ""), ("Team", "")], ""),
            (&[("a", ""), ("a", "b")], "Duplicate tag keys found: a. Each tag key must be unique."),
            (&[("aws:x", "")], "The prefix aws: is reserved for AWS use. Tag keys and values cannot start with it."),
            (&[("x", "AwS:y")], "The prefix aws: is reserved for AWS use. Tag keys and values cannot start with it."),
            (&[("", "y")], "Tag key should not be null or empty."),
        ];
        for (pairs, expected) in cases {
            let tags: Vec<Tag> = pairs.iter().map(|(key, value)| tag(key, value)).collect();
            assert_eq!(check(&tags).map_or_else(|error| error.message().to_owned(), |()| String::new()), expected);
        }
        let many: Vec<Tag> = (0..51).map(|number| tag(&number.to_string(), "")).collect();
        assert!(check(&many).is_err() && check(&many[..50]).is_ok());
    }

    #[test]
    fn an_existing_key_takes_the_new_value() {
        assert_eq!(
            merged(vec![tag("a", "1"), tag("b", "2")], vec![tag("c", "3"), tag("a", "4")]),
            [tag("b", "2"), tag("c", "3"), tag("a", "4")]
        );
    }

    #[test]
    fn everything_that_has_tags_is_tagged_by_its_arn() {
        let mut plane = Plane::with_node();
        plane.ok("CreateCapacityProvider", json!({"name": "mine", "autoScalingGroupProvider": {"autoScalingGroupArn": "a"}}));
        let containers = json!([{"name": "app", "image": "i", "memory": 8}]);
        plane.ok("RegisterTaskDefinition", json!({"family": "web", "containerDefinitions": containers}));
        let task = plane.ok("RunTask", json!({"taskDefinition": "web"}))["tasks"][0]["taskArn"].clone();
        let instance = plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"][0].clone();
        let arn = |resource: &str| json!(format!("arn:aws:ecs:us-east-1:123456789012:{resource}"));
        for arn in [task, instance, arn("cluster/default"), arn("task-definition/web:1"), arn("capacity-provider/mine")] {
            plane
                .ok("TagResource", json!({"resourceArn": arn, "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]}));
            plane.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a", "c"]}));
            let answer = plane.ok("ListTagsForResource", json!({"resourceArn": arn}));
            assert_eq!(answer["tags"], json!([{"key": "b", "value": "2"}]), "{arn}");
        }
        plane.ok("CreateCluster", json!({"clusterName": "gone"}));
        plane.ok("DeleteCluster", json!({"cluster": "gone"}));
        plane.ok("CreateService", json!({"serviceName": "gone", "taskDefinition": "web", "desiredCount": 0}));
        plane.ok("DeleteService", json!({"service": "gone"}));
        plane.pass(std::time::Duration::from_secs(1));
        let mut listed = |arn: &str| plane.refused("ListTagsForResource", json!({"resourceArn": arn}));
        let cases = [
            ("web", "InvalidParameterException: The ARN provided is invalid."),
            ("arn:aws:ecs:us-east-1:123456789012:cluster/none", "ClusterNotFoundException: Cluster not found."),
            (
                "arn:aws:ecs:us-east-1:123456789012:cluster/gone",
                "InvalidParameterException: The specified cluster is inactive. Specify an active cluster and try again.",
            ),
            (
                "arn:aws:ecs:us-east-1:123456789012:service/default/gone",
                "InvalidParameterException: The specified service is inactive. Specify an active service and try again.",
            ),
            (
                "arn:aws:ecs:us-east-1:123456789012:task/default/0f3a",
                "ResourceNotFoundException: The specified resource could not be found.",
            ),
            (
                "arn:aws:ecs:us-east-1:123456789012:task/0f3a",
                "InvalidParameterException: Long arn format must be used for tagging operations",
            ),
        ];
        for (arn, expected) in cases {
            assert_eq!(listed(arn), expected);
        }
    }
}
