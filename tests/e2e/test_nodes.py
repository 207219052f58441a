"""Several nodes on one host: placed, reached, stopped and adopted as machines beside each other."""

import json
import os
import pathlib
import subprocess
import time

import pytest
from conftest import SLIPWAY, needs_root, serving
from tasks import by_name, container, fetch, insist, register, run, wait

pytestmark = needs_root
ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
EACH = "3,cpu=1024,memory=512"
WEB = "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("three") / "data", "--nodes", EACH) as server:
        yield server


@pytest.fixture
def own_three(tmp_path):
    """Three that the test may stop and kill."""
    with serving(tmp_path / "data", "--nodes", EACH) as server:
        yield server


def nodes(server):
    return {node["name"]: node for node in json.loads(server.slipway("node", "ls", "--output", "json").stdout)}


def instance(node):
    return node["containerInstances"][0]["containerInstanceArn"]


def on_each(server, definition):
    """A running task on every node, by the node's name."""
    ecs = server.client()
    arns = {name: start(ecs, definition, node) for name, node in nodes(server).items()}
    return {name: wait(ecs, "running", arn) for name, arn in arns.items()}


def start(ecs, definition, node):
    answer = ecs.start_task(taskDefinition=definition, containerInstances=[instance(node)])
    assert answer["failures"] == [], answer["failures"]
    return answer["tasks"][0]["taskArn"]


def stop(ecs, *tasks):
    for task in tasks:
        ecs.stop_task(task=task["taskArn"])
    for task in tasks:
        wait(ecs, "stopped", task["taskArn"])


def describe(ecs, task):
    return ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"][0]


def described(ecs, node):
    return ecs.describe_container_instances(containerInstances=[instance(node)])["containerInstances"][0]


def spread(ecs, definition, count):
    answer = ecs.run_task(taskDefinition=definition, count=count, placementStrategy=[{"type": "spread", "field": "attribute:ecs.availability-zone"}])
    assert answer["failures"] == [], answer["failures"]
    return [wait(ecs, "running", task["taskArn"]) for task in answer["tasks"]]


def zones_of(ecs, service, count):
    listed = ecs.list_tasks(serviceName=service)["taskArns"]
    tasks = ecs.describe_tasks(tasks=listed)["tasks"] if listed else []
    running = sorted(task["availabilityZone"] for task in tasks if task["lastStatus"] == "RUNNING")
    assert len(running) == count, running
    return running


def runs(ecs, task, name):
    assert by_name(describe(ecs, {"taskArn": task}))[name]["lastStatus"] == "RUNNING"


def left(ecs, zone):
    listed = ecs.list_tasks()["taskArns"]
    tasks = ecs.describe_tasks(tasks=listed)["tasks"] if listed else []
    assert not [task for task in tasks if task["availabilityZone"] == zone]


def processes_in(directory):
    """Of containers and shims, by the directory they are given and the root they have."""
    def belongs(path):
        try:
            return os.fsencode(directory) in (path / "cmdline").read_bytes() + (path / "mountinfo").read_bytes().split(b"\n")[0]
        except OSError:
            return False

    return [path.name for path in pathlib.Path("/proc").glob("[0-9]*") if belongs(path)]


def test_three_nodes_are_three_instances_in_three_zones(three):
    ecs, all_nodes = three.client(), nodes(three)
    assert [node["availabilityZone"] for node in all_nodes.values()] == ZONES
    assert len({node["address"] for node in all_nodes.values()}) == 3
    for node in all_nodes.values():
        seen = described(ecs, node)
        registered = {resource["name"]: resource["integerValue"] for resource in seen["registeredResources"]}
        assert (registered["CPU"], registered["MEMORY"]) == (1024, 512)
        assert (seen["ec2InstanceId"], seen["status"], seen["agentConnected"]) == (node["id"], "ACTIVE", True)


def test_tasks_spread_over_the_zones(three):
    ecs = three.client()
    tasks = spread(ecs, register(ecs, "spread", container()), 6)
    assert sorted(task["availabilityZone"] for task in tasks) == sorted(ZONES * 2)
    stop(ecs, *tasks)


def test_the_same_host_port_is_there_on_every_node_at_the_nodes_own_address(three):
    ecs, all_nodes = three.client(), nodes(three)
    port = {"containerPort": 80, "hostPort": 8080}
    definition = register(ecs, "web", container(script=WEB, portMappings=[port]))
    tasks = on_each(three, definition)
    answers = set()
    for name, task in tasks.items():
        (binding,) = task["containers"][0]["networkBindings"]
        assert (binding["bindIP"], binding["hostPort"]) == (all_nodes[name]["address"], 8080)
        answers.add(fetch(f"http://{binding['bindIP']}:8080/"))
    assert len(answers) == 3
    refused = ecs.start_task(taskDefinition=definition, containerInstances=[instance(all_nodes["node-1"])])
    assert [failure["reason"] for failure in refused["failures"]] == ["RESOURCE:PORTS"]
    # As between machines: from a container of one node to the port of another.
    ask = container(script=f"wget -q -O - http://{all_nodes['node-3']['address']}:8080/")
    asked = wait(ecs, "stopped", start(ecs, register(ecs, "ask", ask), all_nodes["node-1"]))
    assert asked["containers"][0]["exitCode"] == 0
    assert three.slipway("logs", asked["taskArn"]).stdout.removeprefix("app | ") == fetch(f"http://{all_nodes['node-3']['address']}:8080/")
    stop(ecs, *tasks.values())


def test_awsvpc_tasks_of_different_nodes_see_each_other_as_they_are(three):
    ecs, all_nodes = three.client(), nodes(three)
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    serve = register(ecs, "vpc-web", container(script=WEB), networkMode="awsvpc")
    serving_task = ecs.start_task(taskDefinition=serve, containerInstances=[instance(all_nodes["node-2"])], networkConfiguration=network)
    serving_task = wait(ecs, "running", serving_task["tasks"][0]["taskArn"])
    address = serving_task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert address.rsplit(".", 1)[0] == all_nodes["node-2"]["address"].rsplit(".", 1)[0]
    ask = register(ecs, "vpc-ask", container(script=f"until wget -q -O - http://{address}/; do sleep 0.1; done"), networkMode="awsvpc")
    asking = ecs.start_task(taskDefinition=ask, containerInstances=[instance(all_nodes["node-1"])], networkConfiguration=network)
    assert wait(ecs, "stopped", asking["tasks"][0]["taskArn"])["containers"][0]["exitCode"] == 0
    stop(ecs, serving_task)


def test_each_node_has_a_ledger_of_its_own(three):
    ecs = three.client()
    definition = register(ecs, "half", container(memory=300))
    placed = ecs.run_task(taskDefinition=definition, count=3)["tasks"]
    assert len({task["containerInstanceArn"] for task in placed}) == 3
    refused = ecs.run_task(taskDefinition=definition)
    assert [failure["reason"] for failure in refused["failures"]] == ["RESOURCE:MEMORY"] * 3
    stop(ecs, *(wait(ecs, "running", task["taskArn"]) for task in placed))


def test_a_drained_node_gets_no_new_tasks_until_it_is_activated(three):
    ecs = three.client()
    definition = register(ecs, "drained", container())
    before = start(ecs, definition, nodes(three)["node-2"])
    wait(ecs, "running", before)
    assert three.slipway("node", "drain", "node-2").stdout == "node-2 is UP, DRAINING\n"
    during = spread(ecs, definition, 4)
    assert {task["availabilityZone"] for task in during} == {"us-east-1a", "us-east-1c"}
    assert describe(ecs, {"taskArn": before})["lastStatus"] == "RUNNING"
    assert three.slipway("node", "activate", "node-2").stdout == "node-2 is UP, ACTIVE\n"
    after = spread(ecs, definition, 1)
    assert [task["availabilityZone"] for task in after] == ["us-east-1b"]
    stop(ecs, *during, *after, {"taskArn": before})


def test_a_node_that_is_stopped_takes_its_tasks_with_it_and_comes_back_empty(own_three):
    ecs, all_nodes = own_three.client(), nodes(own_three)
    definition = register(ecs, "mortal", container(portMappings=[{"containerPort": 80, "hostPort": 8080}]))
    tasks = on_each(own_three, definition)
    home = own_three.data_dir.resolve() / "nodes" / "node-2"
    assert processes_in(home)
    assert own_three.slipway("node", "stop", "node-2").stdout == "node-2 is STOPPED, ACTIVE\n"
    assert processes_in(home) == []
    dead = describe(ecs, tasks["node-2"])
    assert (dead["lastStatus"], dead["stopCode"]) == ("STOPPED", "TerminationNotice")
    assert dead["stoppedReason"] == f"Host EC2 (instance {all_nodes['node-2']['id']}) stopped."
    assert [describe(ecs, tasks[name])["lastStatus"] for name in ("node-1", "node-3")] == ["RUNNING", "RUNNING"]
    seen = described(ecs, all_nodes["node-2"])
    assert (seen["status"], seen["agentConnected"], seen["runningTasksCount"]) == ("ACTIVE", False, 0)
    refused = ecs.start_task(taskDefinition=definition, containerInstances=[instance(all_nodes["node-2"])])
    assert [failure["reason"] for failure in refused["failures"]] == ["AGENT"]
    # It stays stopped, whatever becomes of the server.
    own_three.kill()
    own_three.start()
    assert [node["state"] for node in nodes(own_three).values()] == ["UP", "STOPPED", "UP"]
    assert own_three.slipway("node", "start", "node-2").stdout == "node-2 is UP, ACTIVE\n"
    ecs, seen = own_three.client(), described(own_three.client(), all_nodes["node-2"])
    assert (seen["status"], seen["agentConnected"], seen["containerInstanceArn"]) == ("ACTIVE", True, instance(all_nodes["node-2"]))
    again = wait(ecs, "running", start(ecs, definition, all_nodes["node-2"]))
    assert again["containers"][0]["networkBindings"][0]["bindIP"] == all_nodes["node-2"]["address"]
    assert [describe(ecs, tasks[name])["lastStatus"] for name in ("node-1", "node-3")] == ["RUNNING", "RUNNING"]


def test_what_a_node_had_not_started_when_it_died_it_never_starts(own_three, tmp_path):
    ecs, node = own_three.client(), nodes(own_three)["node-1"]
    mount = [{"sourceVolume": "flag", "containerPath": "/flag"}]
    first = container("first", essential=False)
    second = container("second", "touch /flag/second", dependsOn=[{"containerName": "first", "condition": "COMPLETE"}], mountPoints=mount)
    flag = tmp_path / "flag"
    pending = start(ecs, register(ecs, "pending", first, second, volumes=[{"name": "flag", "host": {"sourcePath": str(flag)}}]), node)
    insist(lambda: runs(ecs, pending, "first"), AssertionError)
    own_three.slipway("node", "stop", "node-1")
    own_three.slipway("node", "start", "node-1")
    wait(ecs, "running", start(ecs, register(ecs, "next", container()), node))
    assert describe(ecs, {"taskArn": pending})["stopCode"] == "TerminationNotice"
    assert not (flag / "second").exists()


def test_every_node_adopts_its_own_containers_when_the_server_is_killed(own_three):
    definition = register(own_three.client(), "adopted", container(script=WEB, portMappings=[{"containerPort": 80, "hostPort": 8080}]))
    before = {**on_each(own_three, definition)}
    own_three.kill()
    own_three.start()
    ecs, all_nodes = own_three.client(), nodes(own_three)
    for name, task in before.items():
        after = describe(ecs, task)
        assert after["lastStatus"] == "RUNNING"
        assert by_name(after)["app"]["runtimeId"] == by_name(task)["app"]["runtimeId"]
        assert after["containerInstanceArn"] == instance(all_nodes[name]) and all_nodes[name]["runningTasks"] == 1
        fetch(f"http://{all_nodes[name]['address']}:8080/")
    stop(ecs, *before.values())
    assert [node["memoryMib"]["remaining"] for node in nodes(own_three).values()] == [512] * 3


def test_nodes_whose_containers_run_are_not_left_out(own_three):
    ecs = own_three.client()
    definition = register(ecs, "left", container())
    task = wait(ecs, "running", start(ecs, definition, nodes(own_three)["node-3"]))
    own_three.stop()
    for arguments in (["--nodes", "2"], []):
        command = [SLIPWAY, "up", "--listen", own_three.listen, "--data-dir", own_three.data_dir, *arguments]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert refused.returncode == 1 and "nodes/node-3" in refused.stderr, refused.stderr
    own_three.start()
    assert describe(own_three.client(), task)["lastStatus"] == "RUNNING"


def test_a_stopped_node_is_no_place_for_tasks_that_are_to_spread(own_three):
    ecs = own_three.client()
    own_three.slipway("node", "stop", "node-1")
    tasks = spread(ecs, register(ecs, "two-left", container()), 2)
    assert sorted(task["availabilityZone"] for task in tasks) == ZONES[1:]
    assert own_three.slipway("node", "stop", "node-9", check=False).stderr == "slipway: no node node-9\n"


def test_the_only_node_publishes_everywhere_and_can_be_stopped_too(own):
    ecs = own.client()
    (node,) = nodes(own).values()
    task = wait(ecs, "running", run(ecs, register(ecs, "sole", container(portMappings=[{"containerPort": 80}]))))
    assert task["containers"][0]["networkBindings"][0]["bindIP"] == "0.0.0.0"
    own.slipway("node", "stop", node["name"])
    assert describe(ecs, task)["stopCode"] == "TerminationNotice"
    own.slipway("node", "start", node["name"])
    wait(ecs, "running", run(ecs, "sole"))


@pytest.mark.parametrize("delay_ms", range(0, 60, 12))
def test_a_server_killed_while_a_node_stops_leaves_it_up_or_stopped_and_never_half(own_three, delay_ms):
    definition = register(own_three.client(), "half-dead", container())
    task = wait(own_three.client(), "running", start(own_three.client(), definition, nodes(own_three)["node-2"]))
    stopping = subprocess.Popen([SLIPWAY, "node", "stop", "node-2", "--listen", own_three.listen], stderr=subprocess.DEVNULL)
    # Not for anything to happen: the kill shall come at another moment of the stop each time.
    time.sleep(delay_ms / 1000)
    own_three.kill()
    stopping.wait()
    own_three.start()
    state, last = nodes(own_three)["node-2"]["state"], describe(own_three.client(), task)["lastStatus"]
    assert (state, last) in [("UP", "RUNNING"), ("STOPPED", "STOPPED")]
    home = own_three.data_dir.resolve() / "nodes" / "node-2"
    assert bool(processes_in(home)) == (state == "UP")


def test_a_spread_service_has_its_tasks_again_when_a_node_dies_and_leaves_one_that_is_drained(own_three):
    ecs = own_three.client()
    ecs.create_service(serviceName="web", taskDefinition=register(ecs, "of-service", container()), desiredCount=3)

    def settled():
        return zones_of(ecs, "web", 3)

    assert insist(settled, AssertionError, seconds=60) == ZONES
    own_three.slipway("node", "stop", "node-2")
    assert set(insist(settled, AssertionError, seconds=60)) == {"us-east-1a", "us-east-1c"}
    own_three.slipway("node", "start", "node-2")
    own_three.slipway("node", "drain", "node-3")
    insist(lambda: left(ecs, "us-east-1c"), AssertionError, seconds=90)
    assert "us-east-1c" not in insist(settled, AssertionError, seconds=60)
    ecs.update_service(service="web", desiredCount=0)
    ecs.delete_service(service="web", force=True)
