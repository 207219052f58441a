//! AWS Secrets Manager: the index of everything this service does. One row an operation; follow the row to its function.

mod password;
mod policy;
mod secret;
mod tags;
#[cfg(test)]
mod testing;

pub use secret::resolve::{Reference, Unresolved, resolve};

use api_secretsmanager as api;
use kernel::{Call, Service};
use seal::Key;
use store::Tx;

/// Values are sealed with `key` before they are rows.
pub fn service(key: &Key) -> Service {
    let batch = key.clone();
    Service::new(&api::MODEL)
        .on::<api::CreateSecret, _>(with(key, secret::create_secret))
        .on::<api::DeleteResourcePolicy, _>(policy::delete_resource_policy)
        .on::<api::DeleteSecret, _>(secret::delete_secret)
        .on::<api::GetSecretValue, _>(with(key, secret::get_secret_value))
        .on::<api::PutResourcePolicy, _>(policy::put_resource_policy)
        .on::<api::PutSecretValue, _>(with(key, secret::put_secret_value))
        .on::<api::RestoreSecret, _>(secret::restore_secret)
        .on::<api::TagResource, _>(tags::tag_resource)
        .on::<api::UntagResource, _>(tags::untag_resource)
        .on::<api::UpdateSecret, _>(with(key, secret::update_secret))
        .on::<api::UpdateSecretVersionStage, _>(secret::update_secret_version_stage)
        .read::<api::BatchGetSecretValue, _>(move |call, image, input| secret::batch_get_secret_value(&batch, call, image, input))
        .read::<api::DescribeSecret, _>(secret::describe_secret)
        .read::<api::GetRandomPassword, _>(password::get_random_password)
        .read::<api::GetResourcePolicy, _>(policy::get_resource_policy)
        .read::<api::ListSecretVersionIds, _>(secret::list_secret_version_ids)
        .read::<api::ListSecrets, _>(secret::list_secrets)
        .reconcile::<secret::Deletion>()
        .table::<secret::Secret>()
}

/// An operation that seals or opens values.
fn with<Input, Output>(
    key: &Key,
    operation: fn(&Key, &mut Call, &mut Tx, Input) -> Result<Output, api::Error>,
) -> impl Fn(&mut Call, &mut Tx, Input) -> Result<Output, api::Error> + Clone + Send + Sync + 'static
where
    Input: 'static,
    Output: 'static,
{
    let key = key.clone();
    move |call, tx, input| operation(&key, call, tx, input)
}
