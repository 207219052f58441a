//! Amazon CloudWatch Logs: the index of everything this service does. One row an operation; follow the row to its function.

mod events;
mod filter;
pub mod group;
mod paging;
pub mod stream;
mod tags;
#[cfg(test)]
mod testing;

use api_logs as api;
use kernel::{Call, Service};
use logstore::Events;
use std::future::Future;
use std::sync::Arc;
use store::Image;

/// `events` is where what is no row is kept.
pub fn service(events: &Events) -> Service {
    let tailed = events.clone();
    let start_live_tail = move |call, newest, input| events::start_live_tail(&tailed, call, newest, input);
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
        .read::<api::ListTagsForResource, _>(tags::list_tags_for_resource)
        .read::<api::ListTagsLogGroup, _>(tags::list_tags_log_group)
        .data::<api::DescribeLogGroups, _, _, _>(over(events, group::describe_log_groups))
        .data::<api::DescribeLogStreams, _, _, _>(over(events, stream::describe_log_streams))
        .data::<api::FilterLogEvents, _, _, _>(over(events, events::filter_log_events))
        .data::<api::GetLogEvents, _, _, _>(over(events, events::get_log_events))
        .data::<api::PutLogEvents, _, _, _>(over(events, events::put_log_events))
        .stream::<api::StartLiveTail, _, _, _>(start_live_tail)
        .table::<group::LogGroup>()
        .table::<stream::LogStream>()
}

/// The operation, knowing where events are.
fn over<Input, Answer, Operation>(
    events: &Events,
    operation: Operation,
) -> impl Fn(Call, Arc<Image>, Input) -> Answer + Clone + Send + Sync + 'static
where
    Operation: Fn(Events, Call, Arc<Image>, Input) -> Answer + Clone + Send + Sync + 'static,
    Answer: Future,
{
    let events = events.clone();
    move |call, image, input| operation(events.clone(), call, image, input)
}
