//! Rules on the task's volumes and on what containers do with them.

use super::{Definition, Verdict, is_name, items, refuse, refuse_if, text};
use api_ecs::{DockerVolumeConfiguration, EFSAuthorizationConfigIAM, EFSTransitEncryption, EFSVolumeConfiguration, Volume};
use std::collections::BTreeSet;

pub fn check(definition: &Definition) -> Verdict {
    let volumes = items(&definition.request.volumes);
    names(volumes)?;
    volumes.iter().try_for_each(volume)?;
    mount_points(definition, volumes)?;
    volumes_from(definition)?;
    configured_at_launch(definition, volumes)
}

fn names(volumes: &[Volume]) -> Verdict {
    let mut taken = BTreeSet::new();
    for name in volumes.iter().map(|volume| text(&volume.name)) {
        refuse_if(!is_name(name), || "Volume name contains invalid characters.".to_owned())?;
        refuse_if(!taken.insert(name), || "Volume names must be unique within a task definition.".to_owned())?;
    }
    Ok(())
}

fn volume(volume: &Volume) -> Verdict {
    let host_path = volume.host.as_ref().and_then(|host| host.source_path.as_deref());
    refuse_if(host_path.is_some_and(|path| path.trim().is_empty()), || "host.sourcePath should not be blank.".to_owned())?;
    let kinds = [
        host_path.is_some(),
        volume.docker_volume_configuration.is_some(),
        volume.efs_volume_configuration.is_some(),
        volume.s3files_volume_configuration.is_some(),
        volume.fsx_windows_file_server_volume_configuration.is_some(),
        volume.configured_at_launch == Some(true),
    ];
    let several = kinds.into_iter().filter(|kind| *kind).count() > 1;
    refuse_if(several, || format!("Volume '{}' can have only one volume configuration.", text(&volume.name)))?;
    volume.docker_volume_configuration.as_ref().map_or(Ok(()), docker)?;
    volume.efs_volume_configuration.as_ref().map_or(Ok(()), efs)
}

fn docker(docker: &DockerVolumeConfiguration) -> Verdict {
    let shared = docker.scope == Some(api_ecs::Scope::Shared);
    let broken = docker.autoprovision == Some(true) && !shared;
    refuse_if(broken, || "Volumes with autoprovision enabled must have scope 'shared'.".to_owned())
}

fn efs(efs: &EFSVolumeConfiguration) -> Verdict {
    let encrypted = efs.transit_encryption == Some(EFSTransitEncryption::Enabled);
    let authorization = efs.authorization_config.as_ref();
    let iam = authorization.is_some_and(|config| config.iam == Some(EFSAuthorizationConfigIAM::Enabled));
    refuse_if(iam && !encrypted, || "EFS IAM authorization requires TransitEncryption to be enabled.".to_owned())?;
    let access_point = authorization.is_some_and(|config| config.access_point_id.is_some());
    refuse_if(access_point && !encrypted, || "EFS access points require TransitEncryption to be enabled.".to_owned())?;
    let port = efs.transit_encryption_port.is_some() && !encrypted;
    refuse_if(port, || "TransitEncryptionPort requires that TransitEncryption is enabled.".to_owned())?;
    let elsewhere = efs.root_directory.as_deref().is_some_and(|root| !["", "/"].contains(&root));
    refuse_if(access_point && elsewhere, || {
        "When using an EFS access point, the root directory must either be set to \"/\" or be omitted.".to_owned()
    })
}

fn mount_points(definition: &Definition, volumes: &[Volume]) -> Verdict {
    let points = definition.containers.iter().flat_map(|container| items(&container.mount_points));
    for point in points {
        let source = text(&point.source_volume);
        let unknown = point.source_volume.is_none() || !volumes.iter().any(|volume| text(&volume.name) == source);
        refuse_if(unknown, || format!("Unknown volume '{source}'."))?;
        let nowhere = point.container_path.as_deref().is_none_or(|path| path.trim().is_empty());
        refuse_if(nowhere, || "Mount point container path should not be null or empty.".to_owned())?;
    }
    Ok(())
}

fn volumes_from(definition: &Definition) -> Verdict {
    for container in definition.containers {
        let sources = items(&container.volumes_from).iter().map(|from| text(&from.source_container));
        let unknown =
            sources.into_iter().find(|source| *source == super::name_of(container) || definition.container(source).is_none());
        if let Some(source) = unknown {
            return refuse(format!("Invalid 'volumesFrom' setting. Unknown container: '{source}'."));
        }
    }
    Ok(())
}

fn configured_at_launch(definition: &Definition, volumes: &[Volume]) -> Verdict {
    let launched: Vec<&str> =
        volumes.iter().filter(|volume| volume.configured_at_launch == Some(true)).map(|volume| text(&volume.name)).collect();
    refuse_if(launched.len() > 1, || "A task definition can have at most one volume that is configured at launch.".to_owned())?;
    let mounted: BTreeSet<&str> = definition
        .containers
        .iter()
        .flat_map(|container| items(&container.mount_points))
        .map(|point| text(&point.source_volume))
        .collect();
    let unused = launched.iter().any(|name| !mounted.contains(name));
    refuse_if(unused, || format!("Volumes [{}] are not referenced by any of the containers", launched.join(", ")))
}
