//! The tags that a service's tasks begin with. A service's own tags, or its definition's, reach tasks only if asked for; what
//! is changed later reaches the tasks that start later.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html

use super::Service;
use crate::task_definition::TaskDefinition;
use api_ecs as api;

pub fn tags_of_tasks(service: &Service, definition: &TaskDefinition) -> Vec<api::Tag> {
    let mut tags = match service.spec.propagate_tags {
        Some(api::PropagateTags::Service) => service.tags.clone(),
        Some(api::PropagateTags::TaskDefinition) => definition.tags.clone(),
        _ => Vec::new(),
    };
    if service.spec.enable_ecs_managed_tags == Some(true) {
        tags.push(tag("aws:ecs:clusterName", &service.cluster));
        tags.push(tag("aws:ecs:serviceName", &service.name));
    }
    tags
}

fn tag(key: &str, value: &str) -> api::Tag {
    api::Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }
}
