//! Amazon CloudWatch Logs: the index of everything this service does. One row an operation; follow the row to its function.

pub mod group;
mod paging;
pub mod stream;
mod tags;
#[cfg(test)]
mod testing;

use api_logs as api;
use kernel::Service;

pub fn service() -> Service {
    Service::new(&api::MODEL)
        .on::<api::CreateLogGroup, _>(group::create_log_group)
        .on::<api::CreateLogStream, _>(stream::create_log_stream)
        .on::<api::DeleteLogGroup, _>(group::delete_log_group)
        .on::<api::DeleteLogStream, _>(stream::delete_log_stream)
        .on::<api::DeleteRetentionPolicy, _>(group::delete_retention_policy)
        .on::<api::PutRetentionPolicy, _>(group::put_retention_policy)
        .on::<api::TagLogGroup, _>(tags::tag_log_group)
        .on::<api::TagResource, _>(tags::tag_resource)
        .on::<api::UntagLogGroup, _>(tags::untag_log_group)
        .on::<api::UntagResource, _>(tags::untag_resource)
        .read::<api::DescribeLogGroups, _>(group::describe_log_groups)
        .read::<api::DescribeLogStreams, _>(stream::describe_log_streams)
        .read::<api::ListTagsForResource, _>(tags::list_tags_for_resource)
        .read::<api::ListTagsLogGroup, _>(tags::list_tags_log_group)
        .table::<group::LogGroup>()
        .table::<stream::LogStream>()
}
