"""The main job, through the unmodified AWS CLI and boto3: definitions become containers whose life is told truthfully."""

import concurrent.futures
import json

import pytest
from botocore.exceptions import ClientError
from conftest import needs_root
from tasks import by_name, container, ended, fetch, register, run, stop, wait

pytestmark = needs_root


def test_the_cli_from_register_to_stopped(server, tmp_path):
    definition = tmp_path / "definition.json"
    definition.write_text(json.dumps({"family": "cli", "containerDefinitions": [container()]}))
    registered = server.aws("ecs", "register-task-definition", "--cli-input-json", f"file://{definition}")
    assert registered["taskDefinition"]["status"] == "ACTIVE"
    cluster = server.aws("ecs", "create-cluster")["cluster"]
    assert (cluster["clusterName"], cluster["status"]) == ("default", "ACTIVE")

    task = server.aws("ecs", "run-task", "--task-definition", "cli")["tasks"][0]["taskArn"]
    server.aws("ecs", "wait", "tasks-running", "--tasks", task)
    assert task in server.aws("ecs", "list-tasks", "--family", "cli")["taskArns"]
    described = server.aws("ecs", "describe-tasks", "--tasks", task)["tasks"][0]
    assert described["lastStatus"] == "RUNNING" and described["containers"][0]["lastStatus"] == "RUNNING"

    server.aws("ecs", "stop-task", "--task", task, "--reason", "seen enough")
    server.aws("ecs", "wait", "tasks-stopped", "--tasks", task)
    stopped = server.aws("ecs", "describe-tasks", "--tasks", task)["tasks"][0]
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "seen enough")
    assert stopped["desiredStatus"] == "STOPPED"

    latest = server.aws("ecs", "describe-task-definition", "--task-definition", "cli")["taskDefinition"]
    assert latest["taskDefinitionArn"] in server.aws("ecs", "list-task-definitions", "--family-prefix", "cli")["taskDefinitionArns"]
    gone = server.aws("ecs", "deregister-task-definition", "--task-definition", latest["taskDefinitionArn"])
    assert gone["taskDefinition"]["status"] == "INACTIVE"


def test_clusters_and_instances_show_what_is_there(server, ecs):
    cluster = ecs.describe_clusters(clusters=["default"], include=["STATISTICS", "TAGS", "SETTINGS"])["clusters"][0]
    assert cluster["registeredContainerInstancesCount"] == 1
    instance = ecs.describe_container_instances(
        containerInstances=ecs.list_container_instances()["containerInstanceArns"], include=["TAGS"]
    )["containerInstances"][0]
    assert instance["agentConnected"] and instance["status"] == "ACTIVE"
    resources = {r["name"]: r for r in instance["registeredResources"]}
    assert resources["CPU"]["integerValue"] >= 1024 and "PORTS" in resources


def test_exit_codes_and_the_reason_are_reported(ecs):
    task = ended(ecs, "exit-seven", container(script="exit 7"))
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 7
    assert task["stoppedAt"] >= task["startedAt"] >= task["createdAt"]


def test_memory_is_limited_and_the_kill_is_named(ecs):
    eat = container(script="exec tail /dev/zero", memory=16)
    task = ended(ecs, "oom", eat)
    assert task["containers"][0]["exitCode"] == 137
    assert task["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_a_dynamic_host_port_answers(ecs):
    serve = container(script="mkdir /www; echo hello > /www/index.html; exec httpd -f -p 80 -h /www", portMappings=[{"containerPort": 80}])
    arn = run(ecs, register(ecs, "web", serve))
    task = wait(ecs, "running", arn)
    binding = task["containers"][0]["networkBindings"][0]
    assert binding["containerPort"] == 80 and binding["hostPort"] >= 32768
    assert fetch(f"http://127.0.0.1:{binding['hostPort']}/") == "hello\n"
    stop(ecs, arn)


def test_dependencies_order_the_start(ecs):
    shared = {"mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared"}]}
    first = container("first", "echo ready > /shared/flag", essential=False, **shared)
    second = container("second", "cat /shared/flag && exit 42", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}], **shared)
    task = ended(ecs, "ordered", second, first, volumes=[{"name": "shared"}])
    assert {name: c["exitCode"] for name, c in by_name(task).items()} == {"first": 0, "second": 42}


@pytest.mark.parametrize("mode", ["host", "none", "awsvpc"])
def test_network_modes(ecs, mode):
    extra = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}} if mode == "awsvpc" else {}
    definition = register(ecs, f"net-{mode}", container(script="ip addr; exit 0"), networkMode=mode)
    task = wait(ecs, "stopped", run(ecs, definition, **extra))
    assert task["containers"][0]["exitCode"] == 0
    if mode == "awsvpc":
        details = {d["name"]: d["value"] for d in task["attachments"][0]["details"]}
        assert details["privateIPv4Address"] == task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]


def test_fargate_tasks_share_the_host(ecs):
    definition = register(
        ecs, "fargate", container(script="exit 3"), networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512"
    )
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    task = wait(ecs, "stopped", run(ecs, definition, launchType="FARGATE", networkConfiguration=network))
    assert (task["launchType"], task["cpu"], task["memory"]) == ("FARGATE", "256", "512")
    assert task["containers"][0]["exitCode"] == 3


def test_overrides_reach_the_container(ecs):
    definition = register(ecs, "overridden", container(script="exit $CODE", environment=[{"name": "CODE", "value": "1"}]))
    override = {"containerOverrides": [{"name": "app", "environment": [{"name": "CODE", "value": "5"}]}]}
    task = wait(ecs, "stopped", run(ecs, definition, overrides=override))
    assert task["containers"][0]["exitCode"] == 5


def test_a_token_makes_one_task(ecs):
    definition = register(ecs, "once", container())
    first = run(ecs, definition, clientToken="the-same")
    assert run(ecs, definition, clientToken="the-same") == first
    with pytest.raises(ClientError, match="ConflictException"):
        run(ecs, definition, clientToken="the-same", count=2)
    ecs.stop_task(task=first)


def test_a_token_makes_one_task_for_many_callers(server, ecs):
    definition = register(ecs, "once-for-all", container(script="exit 0"))
    clients = [server.client() for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as callers:
        tasks = set(callers.map(lambda n: run(clients[n % 8], definition, clientToken="everybody's"), range(40)))
    assert len(tasks) == 1
    wait(ecs, "stopped", tasks.pop())


def test_a_taken_port_is_no_placement(ecs):
    definition = register(ecs, "fixed-port", container(portMappings=[{"containerPort": 80, "hostPort": 8099}]))
    first = run(ecs, definition)
    answer = ecs.run_task(taskDefinition=definition)
    assert [f["reason"] for f in answer["failures"]] == ["RESOURCE:PORTS"] and answer["tasks"] == []
    stop(ecs, first)
    second = run(ecs, definition)
    ecs.stop_task(task=second)


def test_logs_are_kept_and_shown(server, ecs):
    arn = run(ecs, register(ecs, "talks", container(script="echo one; echo two >&2; exit 0")))
    wait(ecs, "stopped", arn)
    lines = server.slipway("logs", arn).stdout.splitlines()
    assert sorted(lines) == ["app | one", "app | two"]


def test_tags_settings_and_attributes(ecs):
    arn = ecs.create_cluster(clusterName="tagged", tags=[{"key": "team", "value": "a"}])["cluster"]["clusterArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "env", "value": "test"}])
    assert {t["key"]: t["value"] for t in ecs.list_tags_for_resource(resourceArn=arn)["tags"]} == {"team": "a", "env": "test"}
    ecs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert [t["key"] for t in ecs.list_tags_for_resource(resourceArn=arn)["tags"]] == ["env"]
    setting = ecs.put_account_setting(name="containerInsights", value="enabled")["setting"]
    assert setting["value"] == "enabled"
    instance = ecs.list_container_instances()["containerInstanceArns"][0]
    ecs.put_attributes(attributes=[{"name": "rack", "value": "r1", "targetId": instance}])
    found = ecs.list_attributes(targetType="container-instance", attributeName="rack")["attributes"]
    assert [(a["name"], a["value"]) for a in found] == [("rack", "r1")]
    definition = register(ecs, "on-rack", container(script="exit 0"))
    here = {"type": "memberOf", "expression": "attribute:rack == r1"}
    wait(ecs, "stopped", run(ecs, definition, placementConstraints=[here]))
    nowhere = {"type": "memberOf", "expression": "attribute:rack == r2"}
    refused = ecs.run_task(taskDefinition=definition, placementConstraints=[nowhere])
    assert refused["tasks"] == [] and refused["failures"]
