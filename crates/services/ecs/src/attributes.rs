//! Custom attributes of container instances: PutAttributes, DeleteAttributes and ListAttributes. The node's own attributes are
//! listed too, and cannot be written.

use crate::cluster::{self, Cluster};
use crate::container_instance::{self, ContainerInstance};
use crate::node::Node;
use crate::paging::page;
use api_ecs as api;
use api_ecs::{Attribute, Error, TargetType};
use base::limits;
use kernel::Call;
use store::{Image, Tx};
use workload::NodeFacts;

pub fn put_attributes(
    call: &mut Call,
    tx: &mut Tx,
    input: api::PutAttributesRequest,
) -> Result<api::PutAttributesResponse, Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?.clone();
    let given = some_of(input.attributes)?;
    given.iter().try_for_each(check)?;
    let mut written = Vec::new();
    for attribute in given {
        for mut instance in targets(tx, &cluster, &attribute)? {
            let (name, value) = (attribute.name.clone().unwrap_or_default(), attribute.value.clone());
            instance.custom_attributes.insert(name.clone(), value.clone());
            if instance.custom_attributes.len() > limits::CUSTOM_ATTRIBUTES_PER_RESOURCE {
                let sentence =
                    format!("An instance can have at most {} custom attributes.", limits::CUSTOM_ATTRIBUTES_PER_RESOURCE);
                return Err(Error::attribute_limit_exceeded(sentence));
            }
            written.push(targeted(&instance, &name, value));
            container_instance::put(call, tx, instance);
        }
    }
    Ok(api::PutAttributesResponse { attributes: Some(written) })
}

pub fn delete_attributes(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeleteAttributesRequest,
) -> Result<api::DeleteAttributesResponse, Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?.clone();
    let mut deleted = Vec::new();
    for attribute in some_of(input.attributes)? {
        let name = attribute.name.clone().unwrap_or_default();
        for mut instance in targets(tx, &cluster, &attribute)? {
            let matches = |value: &Option<String>| attribute.value.is_none() || attribute.value == *value;
            if !instance.custom_attributes.get(&name).is_some_and(matches) {
                continue;
            }
            let value = instance.custom_attributes.remove(&name).flatten();
            deleted.push(targeted(&instance, &name, value));
            container_instance::put(call, tx, instance);
        }
    }
    Ok(api::DeleteAttributesResponse { attributes: Some(deleted) })
}

pub fn list_attributes(
    call: &mut Call,
    image: &Image,
    input: api::ListAttributesRequest,
) -> Result<api::ListAttributesResponse, Error> {
    let cluster = cluster::find(image, &call.scope, input.cluster.as_deref())?;
    if input.target_type != Some(TargetType::ContainerInstance) {
        return Err(Error::invalid_parameter("targetType must be container-instance"));
    }
    let named = |attribute: &Attribute| input.attribute_name.is_none() || input.attribute_name == attribute.name;
    let valued = |attribute: &Attribute| input.attribute_value.is_none() || input.attribute_value == attribute.value;
    let all = instances(image, cluster).flat_map(|instance| attributes(image, instance));
    let wanted = all.filter(|attribute| named(attribute) && valued(attribute));
    let name_of = |attribute: &Attribute| {
        format!("{} {}", attribute.target_id.as_deref().unwrap_or_default(), attribute.name.as_deref().unwrap_or_default())
    };
    let page = page(wanted, name_of, input.max_results, input.next_token.as_deref())?;
    Ok(api::ListAttributesResponse { attributes: Some(page.items), next_token: page.next_token })
}

fn some_of(attributes: Option<Vec<Attribute>>) -> Result<Vec<Attribute>, Error> {
    let given = attributes.filter(|attributes| !attributes.is_empty());
    let given = given.ok_or_else(|| Error::invalid_parameter("attributes can not be empty"))?;
    match given.len() {
        ..=10 => Ok(given),
        _ => Err(Error::invalid_parameter("attributes can not have more than 10 elements")),
    }
}

/// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attribute.html
fn check(attribute: &Attribute) -> Result<(), Error> {
    let name = attribute.name.as_deref().unwrap_or_default();
    let in_name = |c: char| c.is_ascii_alphanumeric() || "-_./\\".contains(c);
    if !(1..=128).contains(&name.len()) || !name.chars().all(in_name) {
        return Err(Error::invalid_parameter(format!("The attribute name {name} is invalid.")));
    }
    if name.starts_with("ecs.") || name.starts_with("com.amazonaws.ecs.") {
        return Err(Error::invalid_parameter(format!("The attribute name {name} is reserved.")));
    }
    let Some(value) = attribute.value.as_deref() else { return Ok(()) };
    let in_value = |c: char| c.is_ascii_alphanumeric() || "-_.@/\\: ".contains(c);
    let valid = (1..=128).contains(&value.len()) && value.trim() == value && value.chars().all(in_value);
    if valid { Ok(()) } else { Err(Error::invalid_parameter(format!("The value of the attribute {name} is invalid."))) }
}

/// One instance if the attribute names it, else all of the cluster.
fn targets(image: &Image, cluster: &Cluster, attribute: &Attribute) -> Result<Vec<ContainerInstance>, Error> {
    let Some(target) = attribute.target_id.as_deref().filter(|target| !target.is_empty()) else {
        return Ok(instances(image, cluster).cloned().collect());
    };
    let found = container_instance::find(image, cluster, target)?.cloned();
    found.map(|instance| vec![instance]).ok_or_else(|| Error::target_not_found(format!("Could not find {target}")))
}

fn instances<'a>(image: &'a Image, cluster: &Cluster) -> impl Iterator<Item = &'a ContainerInstance> + use<'a> {
    let instances = image.scan::<ContainerInstance>();
    let (scope, name) = (cluster.scope.clone(), cluster.name.clone());
    instances.filter(move |instance| instance.scope == scope && instance.cluster == name)
}

fn attributes(image: &Image, instance: &ContainerInstance) -> Vec<Attribute> {
    let nothing = NodeFacts::default();
    let facts = image.get::<Node>(&instance.node).map_or(&nothing, |node| &node.facts);
    let all = container_instance::attributes(instance, facts);
    all.into_iter().map(|(name, value)| targeted(instance, name, value.map(str::to_owned))).collect()
}

fn targeted(instance: &ContainerInstance, name: &str, value: Option<String>) -> Attribute {
    Attribute {
        name: Some(name.to_owned()),
        value,
        target_type: Some(TargetType::ContainerInstance),
        target_id: Some(instance.arn()),
    }
}
