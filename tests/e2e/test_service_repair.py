"""What services do about tasks that turn unhealthy and nodes that go away and come back, under the eyes of a watcher."""

import re

import pytest
from conftest import needs_root, serving
from events import Watch
from services import PACE, STILL, bounds, create, delete, describe, says, update
from tasks import container, register

pytestmark = needs_root


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("repair") / "data", *PACE) as server:
        yield server


# Where an unhealthy one may be replaced before it is stopped, three go on running; where not, two do, and one waits its turn.
@pytest.mark.parametrize(("name", "percent", "least", "most"), [("first-starts", (100, 200), 3, 6), ("first-stops", (50, 100), 2, 3)])
def test_unhealthy_tasks_are_replaced(server, ecs, tmp_path, name, percent, least, most):
    is_well = {"command": ["CMD-SHELL", "! test -e /sick/$(hostname)"], "interval": 5, "retries": 1}
    checked = container(healthCheck=is_well, mountPoints=[{"sourceVolume": "sick", "containerPath": "/sick"}])
    definition = register(ecs, name, checked, volumes=[{"name": "sick", "host": {"sourcePath": str(tmp_path)}}])
    with Watch(server, name, least=least, most=most, healthy_after=0) as watch:
        service = ecs.create_service(serviceName=name, taskDefinition=definition, desiredCount=3, deploymentConfiguration=bounds(*percent), **STILL)
        [well, *sick] = [task["taskArn"] for task in watch.completes(service["service"]).running()]
        for task in sick:
            (tmp_path / watch.tasks[task]["containers"][0]["runtimeId"][:12]).touch()
        watch.sees(lambda _: all(watch.tasks[task]["lastStatus"] == "STOPPED" for task in sick) and len(watch.running()) == 3)
        assert well in {task["taskArn"] for task in watch.running()}
        ends = {(task["stopCode"], task["stoppedReason"]) for task in watch.tasks.values() if task["lastStatus"] == "STOPPED"}
        assert ends == {("ServiceSchedulerInitiated", "Task failed container health checks")}
    messages = [event["message"] for event in describe(ecs, name)["events"]]
    assert all(f"(service {name}) (task {task.rsplit('/')[-1]}) failed container health checks." in messages for task in sick)
    replaced = [re.search(r"Amazon ECS replaced (\d+) tasks due to an unhealthy status\.$", message) for message in messages]
    assert sum(int(found[1]) for found in replaced if found) == len(sick)
    delete(ecs, name)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("rollouts-nodes") / "data", "--nodes", "3,cpu=1024,memory=512", *PACE) as server:
        yield server


def letters(watch):
    """The zones of the running tasks: a is the one of node-1."""
    return "".join(sorted(task["availabilityZone"][-1] for task in watch.running()))


def test_a_spread_service_is_whole_again_when_a_node_dies_and_even_again_when_it_comes_back(three):
    ecs = three.client()
    with Watch(three, "spread") as watch:
        service = watch.completes(create(ecs, "spread", count=6, availabilityZoneRebalancing="ENABLED"))
        assert letters(service) == "aabbcc"
        lost = [task["taskArn"] for task in watch.running() if task["availabilityZone"] == "us-east-1b"]
        three.slipway("node", "stop", "node-2")
        watch.sees(lambda _: letters(watch) == "aaaccc")
        assert {watch.tasks[task]["stopCode"] for task in lost} == {"TerminationNotice"} and len(watch.tasks) == 8
        three.slipway("node", "start", "node-2")
        # One at a time: the new one is healthy before an old one goes.
        watch.least, watch.most = 6, 7
        watch.sees(lambda _: letters(watch) == "aabbcc" and len(watch.present()) == 6)
        assert len(watch.tasks) == 10
    says(ecs, "spread", "is not AZ balanced with 3 tasks in us-east-1a, 0 tasks in us-east-1b, 3 tasks in us-east-1c. AZ Rebalancing in progress.")
    says(ecs, "spread", "is AZ balanced with 2 tasks in us-east-1a, 2 tasks in us-east-1b, 2 tasks in us-east-1c.")
    delete(ecs, "spread")


def test_a_daemon_is_once_on_every_node_that_is_there_for_it(three):
    ecs = three.client()
    with Watch(three, "daemon", most=3) as watch:
        watch.completes(create(ecs, "daemon", schedulingStrategy="DAEMON"))
        for verb, node, where in [("drain", 3, "ab"), ("stop", 1, "b"), ("activate", 3, "bc"), ("start", 1, "abc")]:
            three.slipway("node", verb, f"node-{node}")
            watch.sees(lambda _: letters(watch) == where and len(watch.present()) == len(where))
        watch.completes(update(ecs, "daemon"))
        assert letters(watch) == "abc" and len(watch.tasks) == 3 + 2 + 3
    delete(ecs, "daemon")


@pytest.mark.parametrize(("name", "percent"), [("makes-way", (50, 100)), ("starts-elsewhere", (100, 200))])
def test_a_drained_node_is_left_between_the_bounds(three, name, percent):
    ecs = three.client()
    with Watch(three, name, least=3 * percent[0] // 100, most=3 * percent[1] // 100, asks=False) as watch:
        watch.completes(create(ecs, name, count=3, deploymentConfiguration=bounds(*percent), **STILL))
        assert letters(watch) == "abc"
        three.slipway("node", "drain", "node-3")
        watch.sees(lambda _: len(watch.running()) == 3 and "c" not in letters(watch) and len(watch.present()) == 3)
        [left] = [task for task in watch.tasks.values() if task["lastStatus"] == "STOPPED"]
        assert left["stoppedReason"] == "Task stopped because its container instance is in DRAINING state"
    three.slipway("node", "activate", "node-3")
    delete(ecs, name)


def test_a_node_that_dies_in_the_middle_of_a_deployment_does_not_hold_it_up(three):
    ecs = three.client()
    with Watch(three, "dying", most=12) as watch:
        watch.completes(create(ecs, "dying", count=6))
        service = update(ecs, "dying")
        watch.sees(lambda _: watch.running(service["taskDefinition"]))
        three.slipway("node", "stop", "node-1")
        watch.completes(service)
        watch.sees(lambda _: letters(watch) == "bbbccc")
        three.slipway("node", "start", "node-1")
        watch.sees(lambda _: letters(watch) == "aabbcc" and len(watch.present()) == 6)
    delete(ecs, "dying")
