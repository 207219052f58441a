"""StartTask: on the instance that is named, with everything that RunTask can say differently from the definition."""

import pathlib

import pytest
from conftest import needs_root
from tasks import container, register, wait

pytestmark = needs_root

V2 = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
MEMORY = "/sys/fs/cgroup/memory.max" if V2 else "/sys/fs/cgroup/memory/memory.limit_in_bytes"
SHARES = "/sys/fs/cgroup/cpu.weight" if V2 else "/sys/fs/cgroup/cpu/cpu.shares"
# What each says differently, what the container then prints, and what it prints of the definition alone.
OVERRIDES = {
    "command": ({"command": ["echo", "other"]}, "echo own", "other", "own"),
    "environment": ({"environment": [{"name": "ONE", "value": "2"}]}, "echo $ONE", "2", "1"),
    "memory": ({"memory": 24}, f"cat {MEMORY}", str(24 << 20), str(32 << 20)),
    "cpu": ({"cpu": 512}, f"cat {SHARES}", "20" if V2 else "512", "5" if V2 else "128"),
}


def start(ecs, script, **members):
    definition = register(ecs, "start", container(script=script, cpu=128, environment=[{"name": "ONE", "value": "1"}]))
    [instance] = ecs.list_container_instances()["containerInstanceArns"]
    answer = ecs.start_task(taskDefinition=definition, containerInstances=[instance], **members)
    assert answer["failures"] == []
    return wait(ecs, "stopped", answer["tasks"][0]["taskArn"])


def said(server, task):
    return server.slipway("logs", task["taskArn"]).stdout.removeprefix("app | ").strip()


@pytest.mark.parametrize("what", OVERRIDES)
def test_a_container_is_overridden(server, ecs, what):
    override, script, with_override, without = OVERRIDES[what]
    task = start(ecs, script, overrides={"containerOverrides": [{"name": "app", **override}]})
    assert (said(server, task), said(server, start(ecs, script))) == (with_override, without)
    assert task["overrides"]["containerOverrides"] == [{"name": "app", **override}]


def test_the_task_itself_is_overridden(ecs):
    task = start(ecs, "exit 0", overrides={"cpu": "512", "memory": "64", "taskRoleArn": "arn:aws:iam::123456789012:role/one"})
    assert (task["cpu"], task["memory"]) == ("512", "64")
    assert task["overrides"]["taskRoleArn"] == "arn:aws:iam::123456789012:role/one"


def test_a_container_that_is_none(ecs):
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="Override for container named other is not a container"):
        start(ecs, "exit 0", overrides={"containerOverrides": [{"name": "other", "cpu": 1}]})
