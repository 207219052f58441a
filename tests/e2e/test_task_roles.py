"""Tasks have the temporary credentials of their role from 169.254.170.2, as the stock ECS agent hands them out, and what signs with
them is the task, in its account."""

import datetime
import json
import os
import subprocess
import urllib.error
import urllib.request

import boto3
import images
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from conftest import REGION, ROOT, needs_root
from tasks import container, register, run, stop
from test_metadata import Asker

pytestmark = needs_root

ROLE = "arn:aws:iam::123456789012:role/team/web"
ENDPOINT = "${AWS_CONTAINER_CREDENTIALS_FULL_URI:-http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI}"
FARGATE = {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
AWSVPC = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}


@pytest.fixture(scope="module")
def asks(server):
    server.load("asks:latest", images.busybox("curl"))


@pytest.fixture
def asker(asks, tmp_path):
    return Asker(tmp_path / "meet")


def credentials(asker):
    status, given = asker.ask(ENDPOINT)
    assert status == 200, given
    return given


def client(server, given, service="ecs"):
    keys = {"aws_access_key_id": "AccessKeyId", "aws_secret_access_key": "SecretAccessKey", "aws_session_token": "Token"}
    keys = {name: given[member] for name, member in keys.items()}
    return boto3.client(service, endpoint_url=server.endpoint, region_name=REGION, **keys)


def refusal(client):
    with pytest.raises(ClientError) as refused:
        client.list_tasks()
    return refused.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("mode", "task", "run_with"),
    [
        ("bridge", {}, {"launchType": "EC2"}),
        ("host", {}, {"launchType": "EC2"}),
        ("awsvpc", {}, {"launchType": "EC2", **AWSVPC}),
        ("awsvpc", FARGATE, {"launchType": "FARGATE", **AWSVPC}),
    ],
    ids=["bridge", "host", "awsvpc", "fargate"],
)
def test_a_container_has_credentials_that_any_client_can_use(server, ecs, asker, mode, task, run_with):
    asker.start(ecs, f"role-{mode}", networkMode=mode, taskRoleArn=ROLE, run_with=run_with, **task)
    given = credentials(asker)
    assert list(given) == ["RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"] and given["RoleArn"] == ROLE
    left = datetime.datetime.fromisoformat(given["Expiration"]) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=5) <= left <= datetime.timedelta(hours=6)
    assert credentials(asker) == given, "the same until they are renewed"
    assert client(server, given).list_tasks(family=f"role-{mode}")["taskArns"] == [asker.task]
    stop(ecs, asker.task)


def test_who_signs_with_them_is_the_role_in_the_tasks_account(server, ecs, asker):
    asker.start(ecs, "role-who", taskRoleArn="arn:aws:iam::000000000009:role/elsewhere")
    definition = register(client(server, credentials(asker)), "role-who-made", container())
    assert definition.split(":")[4] == "123456789012", "no role leads to the resources of another account"
    made = ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert made["registeredBy"] == f"arn:aws:sts::123456789012:assumed-role/elsewhere/{asker.task.rsplit('/')[-1]}"
    stop(ecs, asker.task)


def test_an_override_says_the_role(ecs, asker):
    asker.start(ecs, "role-over", taskRoleArn=ROLE, run_with={"overrides": {"taskRoleArn": "other"}})
    assert credentials(asker)["RoleArn"] == "arn:aws:iam::123456789012:role/other"
    stop(ecs, asker.task)


def test_the_unmodified_command_line_finds_them_where_containers_do(server, ecs, asker):
    """In the host's network this process can ask what the container can."""
    asker.start(ecs, "role-cli", networkMode="host", taskRoleArn=ROLE)
    found = {name: value for name, value in asker.environment.items() if name.startswith(("AWS_", "ECS_"))}
    environment = {"PATH": os.environ["PATH"], "HOME": str(asker.directory), "AWS_ENDPOINT_URL": server.endpoint, **found}
    command = [ROOT / "target/venv/bin/aws", "ecs", "list-tasks", "--family", "role-cli"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and json.loads(done.stdout)["taskArns"] == [asker.task], done.stderr
    stop(ecs, asker.task)


def test_what_was_not_handed_out_is_refused(server, ecs, asker):
    asker.start(ecs, "role-tampered", taskRoleArn=ROLE)
    given = credentials(asker)
    other = given["Token"][:-8] + given["Token"][-8:].swapcase()
    assert refusal(client(server, {**given, "Token": other})) == "UnrecognizedClientException"
    assert refusal(client(server, {**given, "Token": None})) == "UnrecognizedClientException"
    assert refusal(client(server, {**given, "SecretAccessKey": "0" * 40})) == "InvalidSignatureException"
    stop(ecs, asker.task)


def test_a_task_has_no_say_over_its_server(server, ecs, asker):
    asker.start(ecs, "role-own", taskRoleArn=ROLE)
    given = credentials(asker)
    keys = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["Token"])
    request = AWSRequest("GET", f"{server.endpoint}/_slipway/nodes")
    SigV4Auth(keys, "slipway", REGION).add_auth(request)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers)), timeout=60)
    assert (refused.value.code, refused.value.read()) == (403, b"tasks have no say over their server")
    stop(ecs, asker.task)


def test_without_a_role_there_is_nothing_to_ask_and_nobody_elses_is_found(ecs, asker):
    asker.start(ecs, "role-none")
    assert not [name for name in asker.environment if "CREDENTIALS" in name]
    at = "http://169.254.170.2/v2/credentials"
    refused = {"code": "InvalidIdInRequest", "message": "CredentialsV2Request: Credentials not found", "HTTPErrorCode": 400}
    own = asker.environment["ECS_CONTAINER_METADATA_URI_V4"].rsplit("/", 1)[-1]
    assert [asker.ask(f"{at}/{id}") for id in ("bad", own)] == [(400, refused)] * 2
    missing = {"code": "NoIdInRequest", "message": "CredentialsV2Request: No Credential ID in the request", "HTTPErrorCode": 400}
    assert asker.ask(f"{at}/") == (400, missing)
    stop(ecs, asker.task)


def test_they_are_good_after_the_server_was_killed(own, tmp_path):
    own.load("asks:latest", images.busybox("curl"))
    asker = Asker(tmp_path / "meet").start(own.client(), "role-again", taskRoleArn=ROLE)
    given = credentials(asker)
    own.kill()
    own.start()
    assert client(own, given).list_tasks()["taskArns"] == [asker.task]
    assert credentials(asker)["RoleArn"] == ROLE
    assert (own.data_dir / "sessions.key").stat().st_mode & 0o777 == 0o600
    secrets = [given["SecretAccessKey"].encode(), given["Token"].encode()]
    elsewhere = {"meet", "netns"}
    files = [path for path in own.data_dir.parent.rglob("*") if path.is_file() and not elsewhere & set(path.parts)]
    assert not [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
    stop(own.client(), asker.task)
