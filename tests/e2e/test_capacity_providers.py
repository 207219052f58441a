"""Capacity providers of Auto Scaling groups: on which nodes tasks land that are asked of them, as the stock clients see it."""

import collections
import json

import pytest
import services
from conftest import needs_root, serving
from tasks import container, insist, register, run, stop, wait

pytestmark = needs_root
GROUPS = ["--nodes", "2,group=web", "--nodes", "1,group=batch", "--nodes", "1,group=spare"]
ARN = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1c2d:autoScalingGroupName/"


@pytest.fixture
def grouped(tmp_path):
    with serving(tmp_path / "data", *GROUPS, *services.PACE) as server:
        # By ARN, and by the name alone.
        associate(server.client(), {"cp-web": f"{ARN}web", "cp-batch": "batch"})
        yield server


def associate(ecs, groups):
    for name, group in groups.items():
        ecs.create_capacity_provider(name=name, autoScalingGroupProvider={"autoScalingGroupArn": group, "managedDraining": "ENABLED"})
    ecs.put_cluster_capacity_providers(cluster="default", capacityProviders=list(groups), defaultCapacityProviderStrategy=[])


def strategy(*items):
    return [{"capacityProvider": name, "base": base, "weight": weight} for name, base, weight in items]


def names(server):
    """The names of nodes by the ARNs of their container instances, as `slipway node ls` has them."""
    listed = json.loads(server.slipway("node", "ls", "--output", "json").stdout)
    return {node["containerInstances"][0]["containerInstanceArn"]: node["name"] for node in listed}


def placed(server, tasks):
    """How many tasks of which provider are on which node."""
    of = names(server)
    return collections.Counter((task.get("capacityProviderName"), of[task["containerInstanceArn"]]) for task in tasks)


def by_provider(tasks):
    return collections.Counter(task["capacityProviderName"] for task in tasks if task["lastStatus"] == "RUNNING")


def becomes(ecs, name, count):
    services.becomes(ecs, name, lambda service: services.is_stable(service) and service["runningCount"] == count)


def test_a_strategy_puts_its_base_and_its_weights_on_the_instances_of_each_group(grouped):
    ecs = grouped.client()
    described = grouped.aws("ecs", "describe-container-instances", "--container-instances", *names(grouped))["containerInstances"]
    providers = {names(grouped)[one["containerInstanceArn"]]: one.get("capacityProviderName") for one in described}
    assert providers == {"node-1": "cp-web", "node-2": "cp-web", "node-3": "cp-batch", "node-4": None}

    services.create(ecs, "mixed", count=7, capacityProviderStrategy=strategy(("cp-web", 1, 1), ("cp-batch", 0, 2)))
    becomes(ecs, "mixed", 7)
    tasks = services.tasks(ecs, "mixed")
    assert by_provider(tasks) == {"cp-web": 3, "cp-batch": 4}
    assert set(placed(grouped, tasks)) == {("cp-web", "node-1"), ("cp-web", "node-2"), ("cp-batch", "node-3")}
    assert {task["launchType"] for task in tasks} == {"EC2"}
    # What is lost comes back where it was, and what is more keeps the ratio.
    lost = next(task for task in tasks if task["capacityProviderName"] == "cp-batch")
    ecs.stop_task(task=lost["taskArn"])
    ecs.update_service(service="mixed", desiredCount=10)
    insist(lambda: services.equal(by_provider(services.tasks(ecs, "mixed")), {"cp-web": 4, "cp-batch": 6}), AssertionError, seconds=60)


def test_a_node_that_is_back_serves_its_provider_again_and_no_other_stands_in(grouped):
    ecs = grouped.client()
    grouped.slipway("node", "stop", "node-3")
    services.create(ecs, "jobs", count=1, capacityProviderStrategy=strategy(("cp-batch", 0, 1)))
    services.says(ecs, "jobs", 'encountered error "AGENT"')
    grouped.slipway("node", "drain", "node-3")
    refused = grouped.aws("ecs", "run-task", "--task-definition", "jobs", "--capacity-provider-strategy", "capacityProvider=cp-batch,weight=1", check=False)
    assert "(InvalidParameterException)" in refused.stderr and "No Container Instances were found in your capacity provider." in refused.stderr
    # A launch type asks for no provider.
    anywhere = wait(ecs, "running", run(ecs, "jobs", launchType="EC2"))
    assert "capacityProviderName" not in anywhere and names(grouped)[anywhere["containerInstanceArn"]] != "node-3"
    stop(ecs, anywhere["taskArn"])
    grouped.slipway("node", "activate", "node-3")
    grouped.slipway("node", "start", "node-3")
    becomes(ecs, "jobs", 1)
    assert placed(grouped, services.tasks(ecs, "jobs")) == {("cp-batch", "node-3"): 1}


def test_groups_are_what_they_were_when_the_server_was_killed_and_may_be_others_then(grouped):
    ecs = grouped.client()
    services.create(ecs, "kept", count=2, capacityProviderStrategy=strategy(("cp-web", 0, 1), ("cp-batch", 0, 1)))
    becomes(ecs, "kept", 2)
    before = {task["taskArn"] for task in services.tasks(ecs, "kept")}
    grouped.kill()
    grouped.arguments = ["--nodes", "2,group=web", "--nodes", "2,group=batch", *services.PACE]
    grouped.start()
    ecs = grouped.client()
    assert {task["taskArn"] for task in services.tasks(ecs, "kept")} == before
    definition = register(ecs, "spread", container())
    answer = ecs.run_task(
        taskDefinition=definition,
        count=2,
        capacityProviderStrategy=strategy(("cp-batch", 0, 1)),
        placementStrategy=[{"type": "spread", "field": "instanceId"}],
    )
    assert placed(grouped, answer["tasks"]) == {("cp-batch", "node-3"): 1, ("cp-batch", "node-4"): 1}


def test_the_only_node_serves_every_provider_as_long_as_it_names_no_group(own):
    ecs = own.client()
    associate(ecs, {"on-demand": f"{ARN}a", "spot": f"{ARN}b"})
    ecs.put_cluster_capacity_providers(
        cluster="default", capacityProviders=["on-demand", "spot"], defaultCapacityProviderStrategy=strategy(("on-demand", 1, 1), ("spot", 0, 3))
    )
    answer = ecs.run_task(taskDefinition=register(ecs, "both", container()), count=5)
    assert answer["failures"] == []
    assert collections.Counter(task["capacityProviderName"] for task in answer["tasks"]) == {"on-demand": 2, "spot": 3}
    for task in answer["tasks"]:
        wait(ecs, "running", task["taskArn"])
