"""Parameter Store through boto3 and the unmodified AWS CLI."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def ssm(server):
    return server.client("ssm")


def value(ssm, name):
    return ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]


def test_a_parameter_is_put_read_overwritten_and_deleted(ssm):
    assert ssm.put_parameter(Name="/e2e/one", Value="1", Type="String")["Version"] == 1
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name="/e2e/one", Value="2", Type="String")
    assert ssm.put_parameter(Name="/e2e/one", Value="2", Type="String", Overwrite=True)["Version"] == 2
    assert (value(ssm, "/e2e/one"), value(ssm, "/e2e/one:1")) == ("2", "1")
    found = ssm.get_parameter(Name="/e2e/one:1")["Parameter"]
    assert (found["Selector"], found["ARN"]) == (":1", "arn:aws:ssm:us-east-1:123456789012:parameter/e2e/one")
    assert value(ssm, found["ARN"]) == "2"
    ssm.delete_parameter(Name="/e2e/one")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        value(ssm, "/e2e/one")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.delete_parameter(Name="/e2e/one")


def test_secure_strings_are_shown_to_who_asks_for_it(ssm):
    ssm.put_parameter(Name="/e2e/secure", Value="hunter2", Type="SecureString")
    assert "hunter2" not in ssm.get_parameter(Name="/e2e/secure")["Parameter"]["Value"]
    assert value(ssm, "/e2e/secure") == "hunter2"
    with pytest.raises(ClientError, match="ValidationException") as error:
        ssm.put_parameter(Name="/e2e/secure", Value="x" * 5000, Type="SecureString", Overwrite=True)
    assert "xxx" not in str(error.value)


def test_paths_labels_history_and_tags(ssm):
    for name in ("/e2e/tree/a", "/e2e/tree/b", "/e2e/tree/c/d"):
        ssm.put_parameter(Name=name, Value=name, Type="String", Tags=[{"Key": "tree", "Value": "yes"}])
    pages = ssm.get_paginator("get_parameters_by_path").paginate(
        Path="/e2e/tree", Recursive=True, PaginationConfig={"PageSize": 2}
    )
    assert [one["Name"] for page in pages for one in page["Parameters"]] == ["/e2e/tree/a", "/e2e/tree/b", "/e2e/tree/c/d"]
    assert [one["Name"] for one in ssm.get_parameters_by_path(Path="/e2e/tree")["Parameters"]] == ["/e2e/tree/a", "/e2e/tree/b"]
    tagged = [{"Key": "tag:tree", "Values": ["yes"]}, {"Key": "Name", "Option": "Contains", "Values": ["c"]}]
    assert [one["Name"] for one in ssm.describe_parameters(ParameterFilters=tagged)["Parameters"]] == ["/e2e/tree/c/d"]
    ssm.put_parameter(Name="/e2e/tree/a", Value="newer", Type="String", Overwrite=True)
    ssm.label_parameter_version(Name="/e2e/tree/a", ParameterVersion=1, Labels=["prod"])
    assert value(ssm, "/e2e/tree/a:prod") == "/e2e/tree/a"
    history = ssm.get_parameter_history(Name="/e2e/tree/a")["Parameters"]
    assert [(one["Version"], one["Labels"]) for one in history] == [(1, ["prod"]), (2, [])]
    of_a = {"ResourceType": "Parameter", "ResourceId": "/e2e/tree/a"}
    ssm.add_tags_to_resource(**of_a, Tags=[{"Key": "more", "Value": "1"}])
    ssm.remove_tags_from_resource(**of_a, TagKeys=["tree"])
    assert ssm.list_tags_for_resource(**of_a)["TagList"] == [{"Key": "more", "Value": "1"}]
    got = ssm.get_parameters(Names=["/e2e/tree/b", "/e2e/none"])
    assert ([one["Value"] for one in got["Parameters"]], got["InvalidParameters"]) == (["/e2e/tree/b"], ["/e2e/none"])


def test_the_cli_puts_and_gets(server):
    server.aws("ssm", "put-parameter", "--name", "/e2e/cli", "--value", "hello", "--type", "SecureString")
    got = server.aws("ssm", "get-parameter", "--name", "/e2e/cli", "--with-decryption")
    assert (got["Parameter"]["Value"], got["Parameter"]["Type"]) == ("hello", "SecureString")


def test_what_was_acknowledged_is_there_after_a_kill(own):
    ssm = own.client("ssm")
    ssm.put_parameter(Name="kept", Value="hunter2", Type="SecureString")
    own.kill()
    assert (own.data_dir / "secrets.key").stat().st_mode & 0o777 == 0o600
    assert b"hunter2" not in (own.data_dir / "state.redb").read_bytes()
    own.start()
    assert value(own.client("ssm"), "kept") == "hunter2"
