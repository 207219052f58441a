"""kill -9 of the server: containers go on, and nothing that was acknowledged or happened meanwhile is lost."""

import collections
import functools
import os
import time

import images
import pytest
import registry
from botocore.exceptions import ClientError, EndpointConnectionError, WaiterError
from conftest import needs_root, quiet_port
from tasks import by_name, container, insist, register, run, wait

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


SEES_RAN = {"mountPoints": [{"sourceVolume": "ran", "containerPath": "/ran"}]}
# Every container writes down each of its runs.
WRITES = "echo $NAME >> /ran/$NUMBER; "
AFTER = "restarts healthy chain stubborn polite".split()


def writing(name, script, essential=False, **members):
    environment = [{"name": "NAME", "value": name}]
    return container(name, WRITES + script, essential=essential, environment=environment, **SEES_RAN, **members)


def after(name, condition):
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


# What a task of each kind is made of, and how its containers end: `NUMBER` differs from task to task.
KINDS = {
    # Pulls, and containers that wait for what another does.
    "chain": [
        writing("app", "exit $NUMBER", essential=True, **after("init", "SUCCESS")),
        writing("init", "sleep 0.1", **after("first", "START")),
        writing("first", "exit 3"),
    ],
    # Health checks: five seconds are the shortest interval that ECS takes.
    "healthy": [
        writing("app", "exit $NUMBER", essential=True, **after("db", "HEALTHY")),
        writing("db", "trap 'exit 4' TERM; sleep 600 & wait", healthCheck={"command": ["CMD-SHELL", "true"], "interval": 5}),
    ],
    # A minute is the shortest attempt period.
    "restarts": [
        writing(
            "app",
            "[ $(wc -l < /ran/$NUMBER) = 1 ] && { sleep 61; exit 5; }; exit $NUMBER",
            essential=True,
            restartPolicy={"enabled": True, "restartAttemptPeriod": 60},
        ),
    ],
    # Stopped because another ended, and killed two seconds later.
    "stubborn": [
        writing("app", "sleep 0.2; exit $NUMBER", essential=True, **after("stays", "START")),
        writing("stays", "trap '' TERM; while :; do sleep 1; done"),
    ],
    # Stopped by StopTask.
    "polite": [writing("app", "trap 'exit $NUMBER' TERM; sleep 600 & wait", essential=True)],
}
OTHERS = {"chain": {"init": 0, "first": 3}, "healthy": {"db": 4}, "restarts": {}, "stubborn": {"stays": 137}, "polite": {}}
KILLS = 120


@pytest.mark.last
def test_a_server_killed_at_every_transition_loses_nothing_and_starts_nothing_twice(own, tmp_path):
    """Tasks of every kind live through a hundred kills, each kill at another moment of each."""
    ran = tmp_path / "ran"
    ran.mkdir()
    volumes = [{"name": "ran", "host": {"sourcePath": str(ran)}}]
    port = quiet_port()
    small = images.busybox()
    stored = {f"pulled:{number}": (different(small, number), {}) for number in range(1, KILLS + 1)}
    with registry.serving(port, stored):
        begin = functools.partial(begin_one, own, volumes, port)
        tasks, polite = {}, []
        for number in range(1, KILLS + 1):
            kind = AFTER[number % len(AFTER)] if number > 5 else "restarts"
            kind = "chain" if kind == "restarts" and number > 5 else kind
            arn = begin(kind, number)
            tasks[arn] = (kind, number)
            polite += [arn] if kind == "polite" else []
            # StopTask comes a few kills later, to one that runs.
            if len(polite) > 3:
                stop_once_running(own, polite.pop(0))
            # Not for anything to happen: the kill shall come at another moment each time.
            time.sleep(number * 7 % 61 / 100)
            own.kill()
            own.start()
        for arn in polite:
            stop_once_running(own, arn)
        ended = {arn: wait(own.client(), "stopped", arn, timeout=120) for arn in tasks}
    for arn, (kind, number) in tasks.items():
        check_end(kind, number, ended[arn], (ran / str(number)).read_text().split())


def different(layer, number):
    """A layer that no other image has."""
    return images.with_file(layer, f"number-{number}", b"")


def begin_one(own, volumes, port, kind, number):
    ecs = own.client()
    containers = [{**one} for one in KINDS[kind]]
    for one in containers:
        one["environment"] = [*one["environment"], {"name": "NUMBER", "value": str(number)}]
        if kind == "chain":
            one["image"] = f"127.0.0.1:{port}/pulled:{number}"
    return run(ecs, register(ecs, kind, *containers, volumes=volumes))


def stop_once_running(own, arn):
    """One that is acknowledged; the trap is set by then or its two seconds suffice."""
    wait(own.client(), "running", arn)
    insist(lambda: own.client().stop_task(task=arn), ClientError, EndpointConnectionError)


def check_end(kind, number, task, runs):
    containers = by_name(task)
    codes = {name: one.get("exitCode") for name, one in containers.items()}
    assert codes == {"app": number, **OTHERS[kind]}, (kind, number, task)
    times = 2 if kind == "restarts" else 1
    assert collections.Counter(runs) == {name: times if name == "app" else 1 for name in codes}, (kind, number, runs)
    if kind == "chain":
        assert runs == ["first", "init", "app"]
    assert task["stopCode"] == ("UserInitiated" if kind == "polite" else "EssentialContainerExited"), task
