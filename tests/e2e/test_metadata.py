"""Containers ask about themselves at 169.254.170.2, as the stock ECS agent lets them: what is checked is what they get there."""

import datetime
import json
import os
import re

import images
import pytest
from conftest import needs_root, serving
from tasks import by_name, container, register, run, stop, wait

pytestmark = needs_root

# Says what it finds at once and what when it is to end, and between asks whatever it is given.
ASKER = """
env >/meet/env
curl -s --max-time 10 $ECS_CONTAINER_METADATA_URI_V4 >/meet/first
trap 'curl -s --max-time 5 $ECS_CONTAINER_METADATA_URI_V4 >/meet/last; exit 0' TERM
while read -r question </meet/question; do eval "curl -s --max-time 10 -w '\\n%{http_code}' $question" >/meet/answer; done & wait
"""
SHAPE = {
    "DockerId", "Name", "DockerName", "Image", "ImageID", "Labels", "DesiredStatus", "KnownStatus", "Limits", "CreatedAt",
    "StartedAt", "Type", "LogDriver", "ContainerARN", "Networks",
}  # fmt: skip


class Asker:
    """A container that asks what the test wants to know, from where it is."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        for name in ("question", "answer"):
            os.mkfifo(directory / name)

    def container(self, name="app", **members):
        mount = {"sourceVolume": "meet", "containerPath": "/meet"}
        return container(name, ASKER, image="asks", mountPoints=[mount], **members)

    def start(self, ecs, family, *others, run_with=None, members=None, **task):
        volumes = [{"name": "meet", "host": {"sourcePath": str(self.directory)}}]
        containers = (self.container(**(members or {})), *others)
        self.task = run(ecs, register(ecs, family, *containers, volumes=volumes, **task), **(run_with or {}))
        self.described = wait(ecs, "running", self.task)
        # RUNNING is said once its program runs: what it notes at its start is there when it answers.
        self.told()
        return self

    def ask(self, question):
        """The status and what was answered to the arguments of a curl."""
        (self.directory / "question").write_text(question + "\n")
        body, status = (self.directory / "answer").read_text().rsplit("\n", 1)
        try:
            return int(status), json.loads(body)
        except ValueError:
            return int(status), body

    def told(self, path="", version="V4"):
        name = {"V4": "ECS_CONTAINER_METADATA_URI_V4", "V3": "ECS_CONTAINER_METADATA_URI"}[version]
        status, document = self.ask(f"${name}{path}")
        assert status == 200, document
        return document

    @property
    def environment(self):
        return dict(line.split("=", 1) for line in (self.directory / "env").read_text().splitlines())


@pytest.fixture(scope="module")
def asks(server):
    server.load("asks:latest", images.busybox("curl"))


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("three") / "data", "--nodes", "3") as server:
        server.load("asks:latest", images.busybox("curl"))
        yield server


@pytest.fixture
def asker(asks, tmp_path):
    return Asker(tmp_path / "meet")


@pytest.mark.parametrize("mode", ["bridge", "awsvpc", "host"])
def test_a_container_reads_of_itself_and_of_its_task_in_every_network_mode(server, ecs, asker, mode):
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}} if mode == "awsvpc" else None
    run_with = {"networkConfiguration": network} if network else {}
    asker.start(ecs, f"asks-{mode}", container("other"), networkMode=mode, run_with=run_with)
    seen = by_name(asker.described)["app"]
    own, task, other = asker.told(), asker.told("/task"), None
    assert SHAPE <= set(own)
    assert (own["Name"], own["DockerId"], own["ContainerARN"]) == ("app", seen["runtimeId"], seen["containerArn"])
    assert (own["DesiredStatus"], own["KnownStatus"], own["Type"]) == ("RUNNING", "RUNNING", "NORMAL")
    assert own["Limits"] == {"CPU": 2, "Memory": 32} and own["Image"] == "asks"
    assert own["Labels"]["com.amazonaws.ecs.task-arn"] == asker.task
    assert re.fullmatch(rf"ecs-asks-{mode}-\d+-app-[0-9a-f]{{20}}", own["DockerName"])
    assert (task["TaskARN"], task["Cluster"], task["Family"]) == (asker.task, "default", f"asks-{mode}")
    assert task["KnownStatus"] == "RUNNING" and task["FaultInjectionEnabled"] is False
    assert {one["Name"]: one["DockerId"] for one in task["Containers"]} == {
        name: one["runtimeId"] for name, one in by_name(asker.described).items()
    }
    assert own in task["Containers"]
    (network,) = own["Networks"]
    assert network["NetworkMode"] == mode
    if mode == "awsvpc":
        assert network["IPv4Addresses"] == [seen["networkInterfaces"][0]["privateIpv4Address"]]
        assert {"MACAddress", "IPv4SubnetCIDRBlock", "PrivateDNSName", "SubnetGatewayIpv4Address", "AttachmentIndex"} <= set(network)
    # What it asked before its start had been told.
    first = json.loads((asker.directory / "first").read_text())
    assert (first["DockerId"], first["Networks"]) == (own["DockerId"], own["Networks"])


def test_a_container_that_is_to_end_learns_it_and_is_answered_until_then(ecs, asker):
    asker.start(ecs, "asks-last", members={"stopTimeout": 20})
    assert by_name(stop(ecs, asker.task))["app"]["exitCode"] == 0
    last = json.loads((asker.directory / "last").read_text())
    assert (last["DesiredStatus"], last["KnownStatus"]) == ("STOPPED", "RUNNING")


def test_version_3_is_there_with_fewer_members(ecs, asker):
    asker.start(ecs, "asks-v3")
    own, old = asker.told(), asker.told(version="V3")
    assert set(own) - set(old) == {"ContainerARN", "LogDriver"} and old["DockerId"] == own["DockerId"]
    assert set(asker.told("/task")) - set(asker.told("/task", "V3")) == {"LaunchType", "FaultInjectionEnabled"}
    assert asker.told("/stats", "V3")["id"] == own["DockerId"]


def test_statistics_are_those_of_docker(ecs, asker):
    asker.start(ecs, "asks-stats", container("other"))
    first, second = asker.told("/stats"), asker.told("/stats")
    assert first["id"] == by_name(asker.described)["app"]["runtimeId"]
    assert second["preread"] == first["read"] and second["precpu_stats"] == first["cpu_stats"]
    assert second["cpu_stats"]["cpu_usage"]["total_usage"] > first["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert second["cpu_stats"]["system_cpu_usage"] >= first["cpu_stats"]["system_cpu_usage"] > 0
    assert 0 < second["memory_stats"]["usage"] <= second["memory_stats"]["limit"] == 32 * 1024 * 1024
    sent = [one["networks"]["eth0"]["tx_bytes"] for one in (first, second)]
    assert sent[1] > sent[0] > 0 and second["network_rate_stats"]["tx_bytes_per_sec"] > 0
    assert second["pids_stats"]["current"] > 0
    everybody = asker.told("/task/stats")
    assert {one["runtimeId"] for one in asker.described["containers"]} == set(everybody)


def test_tags_are_those_of_now(ecs, asker):
    asker.start(ecs, "asks-tags", run_with={"tags": [{"key": "team", "value": "web"}]})
    assert "TaskTags" not in asker.told("/task")
    assert asker.told("/taskWithTags")["TaskTags"] == {"team": "web"}
    ecs.tag_resource(resourceArn=asker.task, tags=[{"key": "stage", "value": "test"}])
    assert asker.told("/taskWithTags")["TaskTags"] == {"team": "web", "stage": "test"}
    instance = asker.described.get("containerInstanceArn")
    ecs.tag_resource(resourceArn=instance, tags=[{"key": "rack", "value": "7"}])
    assert asker.told("/taskWithTags")["ContainerInstanceTags"] == {"rack": "7"}
    ecs.untag_resource(resourceArn=instance, tagKeys=["rack"])
    assert "Errors" not in asker.told("/taskWithTags")


def test_a_published_port_and_an_ended_container_are_shown(ecs, asker):
    sidecar = container("sidecar", "exit 3", essential=False)
    needs = [{"containerName": "sidecar", "condition": "COMPLETE"}]
    asker.start(ecs, "asks-shows", sidecar, members={"portMappings": [{"containerPort": 80}], "dependsOn": needs})
    task = asker.told("/task")
    containers = {one["Name"]: one for one in task["Containers"]}
    (binding,) = by_name(asker.described)["app"]["networkBindings"]
    (port,) = containers["app"]["Ports"]
    assert (port["ContainerPort"], port["HostPort"], port["Protocol"]) == (80, binding["hostPort"], "tcp")
    assert (containers["sidecar"]["KnownStatus"], containers["sidecar"]["ExitCode"]) == ("STOPPED", 3)


def test_the_environment_is_the_stock_agents(ecs, asker):
    chosen = [{"name": "AWS_REGION", "value": "eu-central-1"}, {"name": "ECS_AGENT_URI", "value": "mine"}]
    asker.start(ecs, "asks-env", members={"environment": chosen})
    environment = asker.environment
    assert (environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]) == ("eu-central-1", "us-east-1")
    _, id = environment["ECS_CONTAINER_METADATA_URI_V4"].rsplit("/", 1)
    assert environment["ECS_CONTAINER_METADATA_URI_V4"] == f"http://169.254.170.2/v4/{id}"
    assert environment["ECS_CONTAINER_METADATA_URI"] == f"http://169.254.170.2/v3/{id}"
    assert environment["ECS_AGENT_URI"] == f"http://169.254.170.2/api/{id}"


def test_what_is_nobodys_is_said_in_the_stock_agents_words(ecs, asker):
    asker.start(ecs, "asks-wrong")
    at = "http://169.254.170.2"
    unknown = "unable to get docker ID from v3 endpoint ID: bad"
    assert asker.ask(f"{at}/v4/bad") == (404, f"V4 container metadata handler: unable to get container ID from request: {unknown}")
    # No other container's, also not that beside it.
    other = re.sub(r"-\d+-", "-1-", asker.environment["ECS_CONTAINER_METADATA_URI_V4"])
    assert asker.ask(other)[0] == 404
    assert asker.ask(f"{at}/anything")[0] == 404


def test_scale_in_protection_is_asked_for_from_inside(ecs, asker):
    asker.start(ecs, "asks-protection")
    state = "$ECS_AGENT_URI/task-protection/v1/state"
    failure = {"failure": {"Arn": asker.task, "Detail": None, "Reason": "TASK_NOT_VALID"}}
    put = f"-X PUT -H 'Content-Type: application/json' {state} -d"
    assert asker.ask(f"""{put} '{{"ProtectionEnabled":true,"ExpiresInMinutes":60}}'""") == (200, failure)
    assert asker.ask(state) == (200, failure)
    status, refused = asker.ask(f"""{put} '{{"Protected":true}}'""")
    assert (status, refused["error"]["Code"]) == (400, "InvalidParameterException")
    status, refused = asker.ask(f"""{put} '{{"ProtectionEnabled":true,"ExpiresInMinutes":0}}'""")
    assert (status, refused["error"]["Code"], refused["error"]["Arn"]) == (400, "InvalidParameterException", asker.task)
    assert refused["requestID"]


def test_a_task_of_a_service_protects_itself(ecs, asker):
    volumes = [{"name": "meet", "host": {"sourcePath": str(asker.directory)}}]
    definition = register(ecs, "asks-service", asker.container(), volumes=volumes)
    ecs.create_service(serviceName="asks", taskDefinition=definition, desiredCount=1)
    assert asker.told("/task")["ServiceName"] == "asks"
    [task] = ecs.list_tasks(serviceName="asks")["taskArns"]
    state = "$ECS_AGENT_URI/task-protection/v1/state"
    status, answer = asker.ask(f"""-X PUT {state} -d '{{"ProtectionEnabled":true,"ExpiresInMinutes":60}}'""")
    assert status == 200 and answer["protection"]["ProtectionEnabled"] is True and answer["protection"]["TaskArn"] == task
    assert asker.ask(state) == (status, answer)
    [protected] = ecs.get_task_protection(cluster="default", tasks=[task])["protectedTasks"]
    assert f"{protected['expirationDate'].astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%S}" == answer["protection"]["ExpirationDate"][:19]
    status, answer = asker.ask(f"""-X PUT {state} -d '{{"ProtectionEnabled":false}}'""")
    assert (status, answer["protection"]) == (200, {"ExpirationDate": None, "ProtectionEnabled": False, "TaskArn": task})
    ecs.delete_service(service="asks", force=True)
    wait(ecs, "stopped", task)


def test_who_asks_too_often_is_told_so(ecs, asker):
    asker.start(ecs, "asks-often")
    last, others = asker.ask("-Z --parallel-max 20 -o /dev/null $ECS_CONTAINER_METADATA_URI_V4/task?[1-300]")
    statuses = [*others.split(), str(last)]
    assert len(statuses) == 300 and set(statuses) == {"200", "429"} and statuses.count("200") >= 60
    assert asker.ask("$ECS_CONTAINER_METADATA_URI_V4")[0] == 200, "each path has its own"
    status, sentence = asker.ask("-Z -s $ECS_CONTAINER_METADATA_URI_V4/task?[1-100]")
    assert "You have reached maximum request limit." in sentence
    last, others = asker.ask("-Z --parallel-max 20 -o /dev/null http://169.254.170.2/v4/made-up-[1-300]")
    statuses = [*others.split(), str(last)]
    assert set(statuses) == {"404", "429"}, "those that nobody has share one"


def test_it_is_answered_again_after_a_restart(own, tmp_path):
    own.load("asks:latest", images.busybox("curl"))
    asker = Asker(tmp_path / "meet").start(own.client(), "asks-again")
    before = asker.told()
    own.kill()
    own.start()
    assert asker.told() == before
    stop(own.client(), asker.task)


@pytest.mark.parametrize("mode", ["bridge", "host"])
def test_nodes_beside_each_other_answer_for_their_own(three, tmp_path, mode):
    ecs = three.client()
    askers = [Asker(tmp_path / f"meet-{i}") for i in range(3)]
    spread = {"placementStrategy": [{"type": "spread", "field": "instanceId"}], "group": f"askers-{mode}"}
    for i, asker in enumerate(askers):
        asker.start(ecs, f"asks-{mode}-{i}", networkMode=mode, run_with=spread)
    assert len({asker.described["containerInstanceArn"] for asker in askers}) == 3
    assert [asker.told("/task")["TaskARN"] for asker in askers] == [asker.task for asker in askers]
    for asker in askers:
        stop(ecs, asker.task)
