"""Every field of a task definition, through boto3 and the embedded runtime: the container itself reports what it sees, or the
field is refused, or the task finds no place. docs/fields.md is what this run has shown, and nothing else."""

import concurrent.futures
import io
import json
import os
import tarfile
import urllib.request

import boto3
import fields
import fields_container
import fields_task
import images
import pytest
import registry
import wire
from botocore.exceptions import ClientError, ParamValidationError
from conftest import REGION, ROOT, needs_root, serving
from tasks import container, register, run, stop, wait

pytestmark = needs_root

PAGE = ROOT / "docs/fields.md"
# Title of the page's table: where its fields are in the model, and its rows.
TABLES = {
    "Containers": ("RegisterTaskDefinitionRequest", "containerDefinitions", fields_container.ROWS),
    "Tasks": ("RegisterTaskDefinitionRequest", "", fields_task.TASK),
    "Overrides of RunTask and StartTask": ("TaskOverride", "", fields_task.OVERRIDES),
}
ROWS = {fields.key(title, row): row for title, (_, _, rows) in TABLES.items() for row in rows}
SHOWN = {}


@pytest.fixture(scope="session")
def started(tmp_path_factory):
    """All rows at once, on a server of their own; a row that is refused does not keep others from being tried."""
    directory, small = tmp_path_factory.mktemp("fields"), images.busybox()
    private = registry.serving(fields_container.PRIVATE_PORT, {"private:latest": (small, {})}, login="me:hunter2")
    with private, serving(directory / "data", "--s3", kept(directory / "s3")) as server:
        keep_secrets(server)
        server.load("fields:latest", seeded(small), StopSignal="SIGUSR1", Volumes={"/data": {}})
        server.load("fields-entry:latest", small, Entrypoint=["echo", "entry"], Cmd=["image"])
        server.load("fields-perl:latest", images.busybox("perl"))
        ecs = server.client(max_pool_connections=16)
        with concurrent.futures.ThreadPoolExecutor(16) as callers:
            tried = callers.map(lambda numbered: start(server, ecs, *numbered), enumerate(ROWS.values()))
            yield dict(zip(ROWS, tried))


def kept(directory):
    """What stands for S3."""
    (directory / "bucket").mkdir(parents=True)
    (directory / "bucket/one.env").write_text("ONE=file\nTWO=file\n")
    return directory


def keep_secrets(server):
    server.client("ssm").put_parameter(Name="parameter", Value="stored", Type="SecureString")
    login = json.dumps({"username": "me", "password": "hunter2"})
    server.client("secretsmanager").create_secret(Name="login", SecretString=login)


def seeded(layer):
    buffer = io.BytesIO(layer)
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        images.add(tar, "data", type=tarfile.DIRTYPE, mode=0o755)
        images.add(tar, "data/seed", b"seed\n")
    return buffer.getvalue()


def start(server, ecs, number, row):
    app = {**container(script=row.script), **row.app}
    app = {name: value for name, value in app.items() if value is not None}
    try:
        definition = register(ecs, f"field-{number}", app, *(container(**other) for other in row.others), **row.task)
        answer = ecs.run_task(taskDefinition=definition, **row.run)
    except ClientError as error:
        return fields.Ran(server, ecs, refusal=f"{error.response['Error']['Code']}: {error.response['Error']['Message']}")
    except ParamValidationError as error:
        return fields.Ran(server, ecs, refusal=str(error))
    if answer["failures"]:
        return fields.Ran(server, ecs, failure=answer["failures"][0]["reason"])
    return fields.Ran(server, ecs, answer["tasks"][0]["taskArn"])


class Lives:
    """How rows wait for their tasks."""

    @staticmethod
    def stopped(ran):
        assert ran.task, ran
        return wait(ran.ecs, "stopped", ran.task, timeout=80)

    @staticmethod
    def running(ran):
        assert ran.task, ran
        return wait(ran.ecs, "running", ran.task)

    @staticmethod
    def stop(ran):
        return stop(ran.ecs, ran.task)

    @staticmethod
    def said(ran, name):
        path = f"/_slipway/logs/{ran.task.rsplit('/')[-1]}?containers={name}"
        request = wire.signed(ran.server.endpoint, "GET", path, service="slipway")
        with urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers)), timeout=30) as lines:
            return "".join(json.loads(line)["log"] for line in lines).replace("\r\n", "\n").strip()


@pytest.mark.parametrize("key", ROWS, ids=" - ".join)
def test_a_field_does_what_it_says(started, key):
    ROWS[key].expected.check(started[key], Lives)
    SHOWN[key] = ROWS[key].expected.state


def test_rows_differ():
    assert len(ROWS) == sum(len(rows) for _, _, rows in TABLES.values())


def test_no_field_of_the_model_is_left_out():
    model = boto3.client("ecs", region_name=REGION).meta.service_model
    missing = []
    for shape, prefix, rows in TABLES.values():
        covered = {f"{prefix}.{field}".strip(".") for row in rows for field in row.fields.split()}
        inside = (path for path in fields.leaves(model.shape_for(shape)) if path.startswith(prefix))
        missing += [path for path in inside if not any(f"{path}.".startswith(f"{field}.") for field in covered)]
    assert missing == []


def test_the_page_says_what_was_shown():
    if SHOWN.keys() != ROWS.keys():
        pytest.skip("the page needs all rows")
    text = fields.page({title: rows for title, (_, _, rows) in TABLES.items()}, SHOWN)
    if os.environ.get("UPDATE_FIELDS"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "UPDATE_FIELDS=1 writes docs/fields.md anew"
