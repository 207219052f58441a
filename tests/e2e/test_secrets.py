"""Secrets Manager through boto3 and the unmodified AWS CLI, and what containers get of it and of Parameter Store. A container
proves that it has a value by a digest of it: whoever finds the value itself found a leak."""

import hashlib
import json
import pathlib
import subprocess

import host
import images
import pytest
import registry
from botocore.exceptions import ClientError
from conftest import needs_root, quiet_port, serving
from tasks import STAY, by_name, container, ended, register, run, stop, wait

ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/execution"}
UNABLE = "ResourceInitializationError: unable to pull secrets or registry auth: "


@pytest.fixture
def asm(server):
    return server.client("secretsmanager")


def digest(value):
    return hashlib.sha256(value.encode()).hexdigest()


def tell(*names):
    """Prints a digest of each variable, a line each."""
    return "; ".join(f'printf %s "${name}" | sha256sum | cut -d" " -f1' for name in names)


def said(server, task):
    return [line.split(" | ", 1)[1] for line in server.slipway("logs", task.rsplit("/")[-1]).stdout.splitlines()]


def secret(name, value_from):
    return {"name": name, "valueFrom": value_from}


def make(asm, name, value):
    return asm.create_secret(Name=name, SecretString=value)["ARN"]


def test_a_secret_is_made_read_changed_and_deleted(asm):
    arn = make(asm, "e2e/one", "first")
    assert arn.startswith("arn:aws:secretsmanager:us-east-1:123456789012:secret:e2e/one-") and len(arn.rsplit("-")[-1]) == 6
    with pytest.raises(asm.exceptions.ResourceExistsException):
        make(asm, "e2e/one", "other")
    asm.put_secret_value(SecretId="e2e/one", SecretString="second")
    value = lambda **which: asm.get_secret_value(SecretId=arn, **which)["SecretString"]
    assert (value(), value(VersionStage="AWSPREVIOUS")) == ("second", "first")
    asm.update_secret(SecretId="e2e/one", SecretBinary=b"\0\1\xff", Description="bytes")
    assert asm.get_secret_value(SecretId="e2e/one")["SecretBinary"] == b"\0\1\xff"
    assert asm.describe_secret(SecretId="e2e/one")["Description"] == "bytes"
    asm.delete_secret(SecretId="e2e/one", RecoveryWindowInDays=7)
    with pytest.raises(asm.exceptions.InvalidRequestException, match="marked for deletion"):
        value()
    asm.restore_secret(SecretId="e2e/one")
    asm.delete_secret(SecretId="e2e/one", ForceDeleteWithoutRecovery=True)
    with pytest.raises(asm.exceptions.ResourceNotFoundException):
        value()


def test_secrets_are_listed_tagged_and_read_in_batches(asm):
    for name in ("e2e/list/a", "e2e/list/b"):
        asm.create_secret(Name=name, SecretString=name, Tags=[{"Key": "team", "Value": "web"}])
    pages = asm.get_paginator("list_secrets").paginate(
        Filters=[{"Key": "name", "Values": ["e2e/list"]}], PaginationConfig={"PageSize": 1}
    )
    assert [one["Name"] for page in pages for one in page["SecretList"]] == ["e2e/list/a", "e2e/list/b"]
    batch = asm.batch_get_secret_value(SecretIdList=["e2e/list/a", "e2e/none"])
    assert [one["SecretString"] for one in batch["SecretValues"]] == ["e2e/list/a"]
    assert [one["ErrorCode"] for one in batch["Errors"]] == ["ResourceNotFoundException"]
    assert len(asm.get_random_password(PasswordLength=20)["RandomPassword"]) == 20


def test_the_cli_makes_and_reads(server):
    server.aws("secretsmanager", "create-secret", "--name", "e2e/cli", "--secret-string", '{"user":"u"}')
    assert server.aws("secretsmanager", "get-secret-value", "--secret-id", "e2e/cli")["SecretString"] == '{"user":"u"}'


@needs_root
def test_a_container_gets_values_by_every_kind_of_reference(server, ecs, asm):
    text = make(asm, "e2e/text", "whole")
    keys = make(asm, "e2e/json", json.dumps({"user": "me", "port": 5432}))
    asm.put_secret_value(SecretId=keys, SecretString=json.dumps({"user": "you", "port": 1}))
    ssm = server.client("ssm")
    ssm.put_parameter(Name="/e2e/parameter", Value="stored", Type="SecureString")
    ssm.put_parameter(Name="/e2e/parameter", Value="newer", Type="SecureString", Overwrite=True)
    parameter = "arn:aws:ssm:us-east-1:123456789012:parameter/e2e/parameter"
    wanted = {
        "A": (text, "whole"),
        "B": (text.rsplit("-", 1)[0], "whole"),
        "C": (f"{keys}:user::", "you"),
        "D": (f"{keys}:port:AWSPREVIOUS:", "5432"),
        "E": ("/e2e/parameter", "newer"),
        "F": (parameter, "newer"),
        "G": ("/e2e/parameter:1", "stored"),
    }
    secrets = [secret(name, source) for name, (source, _) in wanted.items()]
    task = run(ecs, register(ecs, "secrets", container(script=tell(*wanted), secrets=secrets), **ROLE))
    assert wait(ecs, "stopped", task)["containers"][0]["exitCode"] == 0
    assert said(server, task) == [digest(value) for _, value in wanted.values()]


FAILURES = {
    "no such secret": (
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:e2e/none-AbCdEf",
        "unable to retrieve secret from asm: The task can't retrieve the secret with ARN "
        "'arn:aws:secretsmanager:us-east-1:123456789012:secret:e2e/none-AbCdEf' from AWS Secrets Manager. Check whether the secret "
        "exists in the specified Region. ResourceNotFoundException: ",
    ),
    "no such key": (
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:e2e/failing:none::",
        "unable to retrieve secret from asm: retrieved secret from Secrets Manager did not contain json key none",
    ),
    "no such parameter": (
        "/e2e/none",
        "unable to retrieve secrets from ssm: Fetching secret data from SSM Parameter Store in us-east-1: invalid parameters: /e2e/none",
    ),
}


@needs_root
@pytest.mark.parametrize("case", FAILURES)
def test_a_task_without_its_secret_stops_and_says_which(server, ecs, asm, case):
    source, reason = FAILURES[case]
    try:
        make(asm, "e2e/failing", "{}")
    except asm.exceptions.ResourceExistsException:
        pass
    before = host.census(server)
    task = ended(ecs, "secret-fails", container(secrets=[secret("A", source)]), container("b"), **ROLE)
    assert task["stopCode"] == "TaskFailedToStart" and task["stoppedReason"].startswith(UNABLE + reason), task["stoppedReason"]
    assert all("exitCode" not in one for one in task["containers"]), task
    host.settles(server, before)


@needs_root
def test_a_secret_is_nowhere_but_in_its_container(tmp_path, monkeypatch):
    value = "correct-horse-battery-staple"
    monkeypatch.setenv("SLIPWAY_LOG", "trace")
    with serving(tmp_path / "data") as server:
        ecs, ssm = server.client(), server.client("ssm")
        ssm.put_parameter(Name="pw", Value=value, Type="SecureString")
        labels = {"slipway.secret-file./run/secrets/pw": "pw"}
        app = container(script=f"cat /proc/mounts >&2; {STAY}", secrets=[secret("PW", "pw")], dockerLabels=labels)
        check = {"command": ["CMD-SHELL", "test -n \"$PW\""], "interval": 5}
        task = run(ecs, register(ecs, "nowhere", {**app, "healthCheck": check}, **ROLE))
        described = wait(ecs, "running", task)
        holders = [pid for pid in pathlib.Path("/proc").glob("[0-9]*") if has(pid / "environ", value)]
        assert holders and all(b"sh" in (pid / "cmdline").read_bytes() or b"sleep" in (pid / "cmdline").read_bytes() for pid in holders)
        assert not [pid for pid in pathlib.Path("/proc").glob("[0-9]*") if has(pid / "cmdline", value)]
        assert value not in json.dumps(described, default=str) and value not in server.slipway("describe", task).stdout
        found = subprocess.run(["grep", "-rlF", value, tmp_path], capture_output=True, text=True).stdout
        assert found == "", found
        stop(ecs, task)
        found = subprocess.run(["grep", "-rlF", value, tmp_path], capture_output=True, text=True).stdout
        assert found == "", found


def has(file, value):
    try:
        return value.encode() in file.read_bytes()
    except OSError:
        return False


@needs_root
def test_a_restart_needs_its_secrets_and_a_running_container_does_not(own):
    ecs, ssm = own.client(), own.client("ssm")
    ssm.put_parameter(Name="pw", Value="one", Type="SecureString")
    policy = {"enabled": True, "restartAttemptPeriod": 60}
    app = container(script=f"{tell('PW')}; sleep 61; exit 1", secrets=[secret("PW", "pw")], restartPolicy=policy)
    kept = container("kept", script=STAY, secrets=[secret("PW", "pw")])
    task = run(ecs, register(ecs, "again", app, kept, **ROLE))
    wait(ecs, "running", task)
    own.kill()
    own.start()
    ecs, ssm = own.client(), own.client("ssm")
    ssm.put_parameter(Name="pw", Value="two", Type="SecureString", Overwrite=True)
    assert wait(ecs, "running", task)["lastStatus"] == "RUNNING"
    with own_logs(own, task) as lines:
        told = [next(lines).split()[-1] for _ in range(2)]
    assert told == [digest("one"), digest("two")]
    stop(ecs, task)


class own_logs:
    """Lines of `slipway logs --follow`, as they come."""

    def __init__(self, server, task):
        command = ["logs", "--follow", task.rsplit("/")[-1], "--container", "app"]
        from conftest import SLIPWAY

        arguments = [SLIPWAY, *command, "--listen", server.listen]
        self.process = subprocess.Popen(arguments, env=server.environment(), stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return iter(self.process.stdout)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@needs_root
def test_an_image_of_a_private_registry_is_pulled_with_the_password_of_a_secret(server, ecs, asm):
    port = quiet_port()
    name = f"127.0.0.1:{port}/private:latest"
    with registry.serving(port, {"private:latest": (images.busybox(), {})}, login="me:hunter2"):
        app = container(script="exit 5", image=name)
        refused = ended(ecs, "private", app)
        assert refused["stoppedReason"].startswith("CannotPullContainerError: "), refused["stoppedReason"]
        wrong = make(asm, "e2e/registry/wrong", json.dumps({"username": "me", "password": "guess"}))
        refused = ended(ecs, "private", {**app, "repositoryCredentials": {"credentialsParameter": wrong}}, **ROLE)
        assert refused["stoppedReason"].startswith("CannotPullContainerError: "), refused["stoppedReason"]
        nothing = make(asm, "e2e/registry/nothing", "{}")
        refused = ended(ecs, "private", {**app, "repositoryCredentials": {"credentialsParameter": nothing}}, **ROLE)
        assert refused["stoppedReason"].startswith(UNABLE + "unable to retrieve secret from asm: "), refused["stoppedReason"]
        right = make(asm, "e2e/registry/right", json.dumps({"username": "me", "password": "hunter2"}))
        task = ended(ecs, "private", {**app, "repositoryCredentials": {"credentialsParameter": right}}, **ROLE)
    assert by_name(task)["app"]["exitCode"] == 5, task


@needs_root
def test_files_of_labels_are_in_memory_and_their_users_alone(server, ecs, asm):
    make(asm, "e2e/file", "in a file")
    arn = asm.describe_secret(SecretId="e2e/file")["ARN"]
    script = """
        printf %s "$(cat /run/secrets/pw)" | sha256sum | cut -d' ' -f1
        cat /etc/app/app.conf
        stat -c '%a %u %g' /run/secrets/pw /etc/app/app.conf
        awk '$2 == "/run/secrets/pw" { print $3, substr($4, 1, 2) }' /proc/mounts
    """
    labels = {"slipway.secret-file./run/secrets/pw": arn, "slipway.file./etc/app/app.conf": "one = 1\n", "other": "x"}
    app = container(script=script, user="65534:65534", dockerLabels=labels, readonlyRootFilesystem=True)
    task = run(ecs, register(ecs, "files", app, **ROLE))
    wait(ecs, "stopped", task)
    assert said(server, task) == [
        digest("in a file"),
        "one = 1",
        "400 65534 65534",
        "400 65534 65534",
        "tmpfs ro",
    ]
