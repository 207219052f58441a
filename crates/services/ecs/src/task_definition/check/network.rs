//! Rules of the network modes: what a container cannot have where it does not have a network of its own, and the proxy.

use super::{Definition, Verdict, items, name_of, refuse, refuse_if, text};
use api_ecs::{ContainerDefinition, NetworkMode, ProxyConfiguration};

pub fn check(definition: &Definition) -> Verdict {
    for container in definition.containers {
        links(container, definition)?;
        if definition.mode == NetworkMode::Awsvpc {
            shared_by_the_task(container)?;
        }
    }
    match &definition.request.proxy_configuration {
        Some(proxy) => proxy_configuration(proxy, definition),
        None => Ok(()),
    }
}

fn links(container: &ContainerDefinition, definition: &Definition) -> Verdict {
    let links = items(&container.links);
    let outside = !links.is_empty() && definition.mode != NetworkMode::Bridge;
    refuse_if(outside, || format!("Links are not supported when networkMode={}.", definition.mode))?;
    let targets = links.iter().map(|link| link.split_once(':').map_or(link.as_str(), |(target, _)| target));
    let unknown = targets.into_iter().find(|target| *target == name_of(container) || definition.container(target).is_none());
    unknown.map_or(Ok(()), |target| refuse(format!("Invalid 'links' setting. Unknown container: '{target}'.")))
}

fn shared_by_the_task(container: &ContainerDefinition) -> Verdict {
    let given = [
        ("hostname is", container.hostname.as_ref().is_some_and(|name| !name.is_empty())),
        ("Extra hosts are", !items(&container.extra_hosts).is_empty()),
        ("DNS servers are", !items(&container.dns_servers).is_empty()),
        ("DNS search domains are", !items(&container.dns_search_domains).is_empty()),
        ("Disable Networking is", container.disable_networking == Some(true)),
    ];
    let first = given.into_iter().find(|(_, given)| *given);
    first.map_or(Ok(()), |(what, _)| refuse(format!("{what} not supported on container when networkMode=awsvpc.")))
}

fn proxy_configuration(proxy: &ProxyConfiguration, definition: &Definition) -> Verdict {
    let awsvpc = definition.mode == NetworkMode::Awsvpc;
    refuse_if(!awsvpc, || "APPMESH proxy configuration is only supported in networkMode=awsvpc".to_owned())?;
    let unknown = definition.container(text(&proxy.container_name)).is_none();
    refuse_if(unknown, || format!("Proxy container [{}] does not exist.", text(&proxy.container_name)))?;
    let has = |name: &str| {
        items(&proxy.properties).iter().any(|property| {
            property.name.as_deref() == Some(name) && property.value.as_deref().is_some_and(|value| !value.is_empty())
        })
    };
    refuse_if(!has("ProxyIngressPort"), || "Ingress port not found".to_owned())?;
    refuse_if(!has("ProxyEgressPort"), || "Egress port not found".to_owned())?;
    refuse_if(!has("AppPorts"), || "App ports not found".to_owned())?;
    refuse_if(!has("IgnoredUID") && !has("IgnoredGID"), || "Either IgnoredUID or IgnoredGID must be specified".to_owned())
}
