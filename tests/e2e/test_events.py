"""State-change events: what `slipway events` shows is what happened, each thing once, in order, whoever goes away meanwhile."""

import json
import re

import pytest
from conftest import needs_root, serving
from events import Events, assert_each_once, of
from services import PACE
from tasks import STAY, container, register, run, stop, wait

pytestmark = needs_root


def is_stopped(arn):
    return lambda event: event["resources"] == [arn] and event["detail"]["lastStatus"] == "STOPPED"


def statuses(details):
    seen = [detail["lastStatus"] for detail in details]
    return [status for at, status in enumerate(seen) if at == 0 or seen[at - 1] != status]


def test_the_life_of_a_task_is_told_in_order(server, ecs):
    with Events(server, "--type", "task") as events:
        arn = run(ecs, register(ecs, "told", container(script="exit 3")))
        told = of(events.until(is_stopped(arn)), arn)
    assert_each_once(told)
    assert statuses(told)[0] in ("PROVISIONING", "PENDING") and "RUNNING" in statuses(told) and statuses(told)[-1] == "STOPPED"
    described = ecs.describe_tasks(tasks=[arn])["tasks"][0]
    last = told[-1]
    assert (last["version"], last["stopCode"], last["containers"][0]["exitCode"]) == (described["version"], "EssentialContainerExited", 3)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", last["stoppedAt"])


def test_nothing_is_told_twice_or_left_out_over_kills_of_the_server(own):
    definition = register(own.client(), "lives-on", container(script=STAY))
    with Events(own, "--type", "task") as events:
        first = run(own.client(), definition)
        wait(own.client(), "running", first)
        arns = [first]
        for _ in range(3):
            own.kill()
            own.start()
            arns.append(run(own.client(), definition))
            wait(own.client(), "running", arns[-1])
        own.kill()
        own.start()
        for arn in arns:
            stop(own.client(), arn)
        told = events.until(is_stopped(arns[-1]))
    for arn in arns:
        details = of(told, arn)
        assert_each_once(details)
        assert statuses(details)[-1] == "STOPPED"
    ids = [event["id"] for event in told]
    assert len(set(ids)) == len(ids)
    # Whoever comes later is told the same.
    again = [json.loads(line) for line in own.slipway("events", "--type", "task", "--output", "json").stdout.splitlines()]
    assert [event["id"] for event in again[: len(ids)]] == ids


def test_instances_tell_what_tasks_take(own):
    ecs = own.client()
    arn = run(ecs, register(ecs, "takes", container(cpu=64, script=STAY)))
    stop(ecs, arn)
    lines = own.slipway("events", "--type", "container-instance", "--output", "json").stdout.splitlines()
    details = [json.loads(line)["detail"] for line in lines]
    assert_each_once(details)
    left = [detail["remainingResources"][0]["integerValue"] for detail in details if detail["agentConnected"]]
    assert left[-2:] == [left[-1] - 64, left[-1]]


def test_people_read_what_has_changed(own):
    ecs = own.client()
    arn = run(ecs, register(ecs, "read", container(script="exit 0")))
    wait(ecs, "stopped", arn)
    lines = own.slipway("events", "--type", "task").stdout.splitlines()
    assert all("/".join(arn.split("/")[1:]) in line for line in lines)
    assert any("app STOPPED with exit code 0: Essential container in task exited" in line for line in lines)
    assert lines[-1].endswith("  STOPPED")
    assert own.slipway("events", "--since", "1h").stdout.splitlines()[-1] != ""
    assert own.slipway("events", "--type", "deployment").stdout == ""


@pytest.fixture
def quick(tmp_path):
    with serving(tmp_path / "data", *PACE) as server:
        yield server


def test_a_service_tells_how_its_deployment_goes(quick):
    ecs = quick.client()
    definition = register(ecs, "web", container(script=STAY))
    with Events(quick, "--type", "service,deployment") as events:
        service = ecs.create_service(serviceName="web", taskDefinition=definition, desiredCount=1)["service"]
        told = events.until(lambda event: event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED")
    ecs.delete_service(service="web", force=True)
    assert {resource for event in told for resource in event["resources"]} == {service["serviceArn"]}
    deployments = [event["detail"] for event in told if event["detail-type"] == "ECS Deployment State Change"]
    deployment = service["deployments"][0]["id"]
    assert [(detail["deploymentId"], detail["reason"]) for detail in deployments] == [
        (deployment, f"ECS deployment {deployment} in progress."),
        (deployment, f"ECS deployment {deployment} completed."),
    ]
    assert {event["detail-type"] for event in told} <= {"ECS Service Action", "ECS Deployment State Change"}


def test_a_daemon_that_its_instance_is_not_for_any_more_is_told_as_an_error(quick):
    ecs = quick.client()
    [instance] = ecs.list_container_instances()["containerInstanceArns"]
    attribute = {"name": "stack", "targetId": instance}
    ecs.put_attributes(attributes=[{**attribute, "value": "prod"}])
    definition = register(ecs, "each", container(script=STAY))
    constraint = {"type": "memberOf", "expression": "attribute:stack == prod"}
    with Events(quick, "--type", "service") as events:
        daemon = {"schedulingStrategy": "DAEMON", "placementConstraints": [constraint]}
        ecs.create_service(serviceName="each", taskDefinition=definition, **daemon)
        events.until(lambda event: event["detail"]["eventName"] == "SERVICE_STEADY_STATE")
        ecs.delete_attributes(attributes=[attribute])
        violated = events.until(lambda event: event["detail"]["eventType"] == "ERROR")[-1]["detail"]
    ecs.delete_service(service="each", force=True)
    assert violated["eventName"] == "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"
    assert violated["containerInstanceArns"] == [instance]
