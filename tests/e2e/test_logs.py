"""CloudWatch Logs through boto3 and the unmodified AWS CLI."""

import time

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def logs(server):
    return server.client("logs")


def now():
    return int(time.time() * 1000)


def events(*messages, at=None):
    return [{"timestamp": at or now(), "message": message} for message in messages]


def messages(answer):
    return [event["message"] for event in answer["events"]]


def make(logs, group, *streams):
    logs.create_log_group(logGroupName=group)
    for stream in streams:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)


def test_groups_and_streams_are_made_listed_tagged_and_deleted(logs):
    make(logs, "/e2e/made", "a", "b")
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName="/e2e/made")
    logs.put_retention_policy(logGroupName="/e2e/made", retentionInDays=7)
    group = logs.describe_log_groups(logGroupNamePrefix="/e2e/made")["logGroups"][0]
    assert group["retentionInDays"] == 7 and group["arn"] == "arn:aws:logs:us-east-1:123456789012:log-group:/e2e/made:*"
    logs.tag_resource(resourceArn=group["logGroupArn"], tags={"team": "web"})
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"team": "web"}
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName="/e2e/made", PaginationConfig={"PageSize": 1})
    assert [stream["logStreamName"] for page in pages for stream in page["logStreams"]] == ["a", "b"]
    logs.delete_log_group(logGroupName="/e2e/made")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.describe_log_streams(logGroupName="/e2e/made")


def test_events_are_read_both_ways_and_filtered_over_streams(logs):
    make(logs, "/e2e/read", "a", "b")
    start = now()
    for n in range(5):
        logs.put_log_events(logGroupName="/e2e/read", logStreamName="a", logEvents=events(f"a{n}", at=start + n))
    logs.put_log_events(logGroupName="/e2e/read", logStreamName="b", logEvents=events('{"status": 500}', at=start + 2))
    of_a = {"logGroupName": "/e2e/read", "logStreamName": "a", "limit": 2}
    newest = logs.get_log_events(**of_a)
    older = logs.get_log_events(**of_a, nextToken=newest["nextBackwardToken"])
    assert (messages(newest), messages(older)) == (["a3", "a4"], ["a1", "a2"])
    assert messages(logs.get_log_events(**of_a, nextToken=older["nextForwardToken"])) == ["a3", "a4"]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/e2e/read", PaginationConfig={"PageSize": 2})
    found = [message for page in pages for message in messages(page)]
    assert sorted(found) == ["a0", "a1", "a2", "a3", "a4", '{"status": 500}']
    assert messages(logs.filter_log_events(logGroupName="/e2e/read", filterPattern="{ $.status >= 500 }")) == ['{"status": 500}']
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        logs.filter_log_events(logGroupName="/e2e/read", filterPattern="{ status }")


def test_the_cli_puts_and_filters(server):
    server.aws("logs", "create-log-group", "--log-group-name", "/e2e/cli")
    named = ["--log-group-name", "/e2e/cli", "--log-stream-name", "s"]
    server.aws("logs", "create-log-stream", *named)
    event = f"timestamp={now()},message=hello"
    server.aws("logs", "put-log-events", *named, "--log-events", event)
    assert messages(server.aws("logs", "get-log-events", *named)) == ["hello"]
    found = server.aws("logs", "filter-log-events", "--log-group-name", "/e2e/cli", "--filter-pattern", "?hello ?bye")
    assert messages(found) == ["hello"]


def test_what_was_acknowledged_is_there_after_a_kill(own):
    logs = own.client("logs")
    make(logs, "g", "s")
    for n in range(20):
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events(str(n)))
    own.kill()
    own.start()
    logs = own.client("logs")
    assert messages(logs.get_log_events(logGroupName="g", logStreamName="s")) == [str(n) for n in range(20)]
    logs.delete_log_stream(logGroupName="g", logStreamName="s")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="g", logStreamName="s")
