"""kill -9 of the server: containers go on, and nothing that was acknowledged or happened meanwhile is lost."""

import os
import time

import pytest
from botocore.exceptions import WaiterError
from conftest import needs_root
from tasks import container, register, run, wait

pytestmark = needs_root


def test_running_containers_are_adopted(own, tmp_path):
    ecs = own.client()
    arn = run(ecs, register(ecs, "lives", container(script="echo before; while [ ! -e /flag/go ]; do sleep 0.1; done; echo after; exit 9",
        mountPoints=[{"sourceVolume": "flag", "containerPath": "/flag"}]), volumes=[{"name": "flag", "host": {"sourcePath": str(tmp_path / "flag")}}]))
    before = wait(ecs, "running", arn)
    own.kill()
    own.start()
    again = own.client().describe_tasks(tasks=[arn])["tasks"][0]
    assert again["lastStatus"] == "RUNNING" and again["startedAt"] == before["startedAt"]
    assert again["containers"][0]["runtimeId"] == before["containers"][0]["runtimeId"]
    (tmp_path / "flag" / "go").touch()
    ended = wait(own.client(), "stopped", arn)
    assert ended["containers"][0]["exitCode"] == 9
    assert own.slipway("logs", arn).stdout.splitlines() == ["app | before", "app | after"]


def test_what_ended_meanwhile_is_reported(own, tmp_path):
    ecs = own.client()
    done = tmp_path / "flag"
    done.mkdir()
    os.mkfifo(done / "go")
    os.mkfifo(done / "over")
    arn = run(ecs, register(ecs, "ends-alone", container(script="cat /flag/go; echo bye; echo > /flag/over; exit 23",
        mountPoints=[{"sourceVolume": "flag", "containerPath": "/flag"}]), volumes=[{"name": "flag", "host": {"sourcePath": str(done)}}]))
    wait(ecs, "running", arn)
    own.kill()
    # Each opens when the container opens its end.
    (done / "go").write_text("")
    (done / "over").read_text()
    own.start()
    ended = wait(own.client(), "stopped", arn)
    assert (ended["containers"][0]["exitCode"], ended["stopCode"]) == (23, "EssentialContainerExited")
    assert own.slipway("logs", arn).stdout == "app | bye\n"


def test_every_acknowledged_task_survives_kills_in_a_loop(own):
    ecs = own.client()
    definition = register(ecs, "loop", container())
    acknowledged = []
    for _ in range(5):
        acknowledged.append(run(own.client(), definition))
        own.kill()
        own.start()
    running = {"tasks": acknowledged, "WaiterConfig": {"Delay": 1}}
    try:
        own.client().get_waiter("tasks_running").wait(**running)
    except WaiterError as error:
        pytest.fail(str([(t["lastStatus"], t.get("stoppedReason")) for t in error.last_response["tasks"]]))
    assert sorted(own.client().list_tasks(family="loop")["taskArns"]) == sorted(acknowledged)


def test_whenever_the_server_is_killed_each_task_runs_once_and_tells_its_own_end(own, tmp_path):
    ran = tmp_path / "ran"
    ran.mkdir()
    once = container(
        script="echo $NUMBER >> /ran/$NUMBER; exit $NUMBER", mountPoints=[{"sourceVolume": "ran", "containerPath": "/ran"}]
    )
    definition = register(own.client(), "once", once, volumes=[{"name": "ran", "host": {"sourcePath": str(ran)}}])
    numbers = {}
    for delay_ms in range(0, 120, 4):
        number = len(numbers) + 1
        environment = {"containerOverrides": [{"name": "app", "environment": [{"name": "NUMBER", "value": str(number)}]}]}
        numbers[run(own.client(), definition, overrides=environment)] = number
        # Not for anything to happen: the kill shall come at another moment of the start each time.
        time.sleep(delay_ms / 1000)
        own.kill()
        own.start()
    ended = {arn: wait(own.client(), "stopped", arn) for arn in numbers}
    assert {arn: task["containers"][0].get("exitCode") for arn, task in ended.items()} == numbers
    assert {int(path.name): path.read_text() for path in ran.iterdir()} == {n: f"{n}\n" for n in numbers.values()}
