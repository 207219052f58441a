"""Two hundred tasks at once: all run, the ledger is exact, all are stopped, and the host is as it was."""

import host
from conftest import needs_root
from tasks import STAY, container, register, run, stop

pytestmark = needs_root

CALLS, TASKS_A_CALL = 20, 10
TASKS = CALLS * TASKS_A_CALL
# What one asks for: small enough that the host has it two hundred times.
CPU, MEMORY = 2, 8


def remaining(ecs):
    instance = ecs.list_container_instances()["containerInstanceArns"][0]
    described = ecs.describe_container_instances(containerInstances=[instance])["containerInstances"][0]
    resources = {resource["name"]: resource for resource in described["remainingResources"]}
    counts = described["runningTasksCount"], described["pendingTasksCount"]
    return resources["CPU"]["integerValue"], resources["MEMORY"]["integerValue"], set(resources["PORTS"]["stringSetValue"]), *counts


def described(ecs, tasks):
    pages = [tasks[start : start + 100] for start in range(0, len(tasks), 100)]
    return [task for page in pages for task in ecs.describe_tasks(tasks=page)["tasks"]]


def all_are(ecs, status, tasks):
    for start in range(0, len(tasks), 100):
        ecs.get_waiter(f"tasks_{status}").wait(tasks=tasks[start : start + 100], WaiterConfig={"Delay": 1, "MaxAttempts": 180})
    return described(ecs, tasks)


def test_two_hundred_tasks_at_once(own):
    ecs = own.client()
    definition = register(ecs, "many", container(script=STAY, cpu=CPU, memory=MEMORY, portMappings=[{"containerPort": 80}]))
    stop(ecs, run(ecs, definition))
    cpu, memory, ports, *_ = remaining(ecs)

    answers = [ecs.run_task(taskDefinition=definition, count=TASKS_A_CALL) for _ in range(CALLS)]
    assert [answer["failures"] for answer in answers] == [[]] * CALLS
    arns = [task["taskArn"] for answer in answers for task in answer["tasks"]]
    running = all_are(ecs, "running", arns)
    bindings = {task["containers"][0]["networkBindings"][0]["hostPort"] for task in running}
    assert len(bindings) == len({task["containers"][0]["runtimeId"] for task in running}) == TASKS
    # As on AWS, ports that were assigned and not asked for are in no list of reserved ones.
    assert remaining(ecs) == (cpu - TASKS * CPU, memory - TASKS * MEMORY, ports, TASKS, 0)
    held = host.census(own)
    assert set(held["ports"]) >= bindings and len(held["processes"]) >= 3 * TASKS

    for arn in arns:
        ecs.stop_task(task=arn)
    assert {task["containers"][0]["exitCode"] for task in all_are(ecs, "stopped", arns)} == {0}
    assert remaining(ecs) == (cpu, memory, ports, 0, 0)
    host.settles(own, host.NOTHING)
