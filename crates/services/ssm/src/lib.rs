//! The Parameter Store of AWS Systems Manager: the index of everything this service does. One row an operation; follow the
//! row to its function.

mod parameter;
mod tags;
#[cfg(test)]
mod testing;

pub use parameter::resolve::{Unresolved, resolve};

use api_ssm as api;
use kernel::{Call, Service};
use seal::Key;
use store::Image;

/// Values are sealed with `key` before they are rows.
pub fn service(key: &Key) -> Service {
    let put = key.clone();
    Service::new(&api::MODEL)
        .on::<api::AddTagsToResource, _>(tags::add_tags_to_resource)
        .on::<api::DeleteParameter, _>(parameter::delete_parameter)
        .on::<api::DeleteParameters, _>(parameter::delete_parameters)
        .on::<api::LabelParameterVersion, _>(parameter::label_parameter_version)
        .on::<api::PutParameter, _>(move |call, tx, input| parameter::put_parameter(&put, call, tx, input))
        .on::<api::RemoveTagsFromResource, _>(tags::remove_tags_from_resource)
        .on::<api::UnlabelParameterVersion, _>(parameter::unlabel_parameter_version)
        .read::<api::DescribeParameters, _>(parameter::describe_parameters)
        .read::<api::GetParameter, _>(with(key, parameter::get_parameter))
        .read::<api::GetParameterHistory, _>(with(key, parameter::get_parameter_history))
        .read::<api::GetParameters, _>(with(key, parameter::get_parameters))
        .read::<api::GetParametersByPath, _>(with(key, parameter::get_parameters_by_path))
        .read::<api::ListTagsForResource, _>(tags::list_tags_for_resource)
        .table::<parameter::Parameter>()
}

/// An operation that shows values.
fn with<Input, Output>(
    key: &Key,
    operation: fn(&Key, &mut Call, &Image, Input) -> Result<Output, wire::Error>,
) -> impl Fn(&mut Call, &Image, Input) -> Result<Output, wire::Error> + Clone + Send + Sync + 'static
where
    Input: 'static,
    Output: 'static,
{
    let key = key.clone();
    move |call, image, input| operation(&key, call, image, input)
}
