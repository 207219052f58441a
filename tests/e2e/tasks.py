"""Tasks as tests speak of them: definitions of a line, and waiting by being told."""

import itertools
import json
import time
import urllib.request

import wire

# The program of a container that stays until it is told to go. A shell that is process 1 ignores what it does not trap.
STAY = "trap 'exit 0' TERM; sleep 600 & wait"


def container(name="app", script=STAY, **members):
    # Two seconds are the shortest that ECS takes, for a SIGTERM that comes before the trap.
    usual = {"name": name, "image": "busybox", "memory": 32, "command": ["sh", "-c", script], "stopTimeout": 2}
    return {**usual, **members}


def register(ecs, family, *containers, **members):
    answer = ecs.register_task_definition(family=family, containerDefinitions=list(containers), **members)
    return answer["taskDefinition"]["taskDefinitionArn"]


def run(ecs, definition, **members):
    answer = ecs.run_task(taskDefinition=definition, **members)
    assert answer["failures"] == [], answer["failures"]
    return answer["tasks"][0]["taskArn"]


def wait(ecs, status, task, cluster="default", timeout=90):
    """The task as described once it has the status: "running" or "stopped"."""
    for seen in watch(ecs, task, timeout):
        if seen["lastStatus"] in (status.upper(), "STOPPED"):
            break
    described = ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"][0]
    assert described["lastStatus"] in (status.upper(), "STOPPING"), f"wanted {status}: {described}"
    return described


def watch(ecs, task, timeout):
    """Each change of the task as it happens, as `slipway run` sees them; ends when it is STOPPED."""
    with own(ecs, "GET", f"watch/{task.rsplit('/')[-1]}", timeout) as lines:
        for line in lines:
            yield json.loads(line)


def own(ecs, method, path, timeout=60):
    """One of Slipway's own endpoints, which its command line uses."""
    request = wire.signed(ecs.meta.endpoint_url, method, f"/_slipway/{path}", service="slipway")
    opened = urllib.request.Request(request.url, headers=dict(request.headers), method=method)
    return urllib.request.urlopen(opened, timeout=timeout)


def ended(ecs, family, *containers, **members):
    return wait(ecs, "stopped", run(ecs, register(ecs, family, *containers, **members)))


def stop(ecs, task):
    ecs.stop_task(task=task)
    return wait(ecs, "stopped", task)


def stop_all(ecs):
    """Stops what runs, and kills it at once: clean-up does not wait for stop timeouts."""
    for cluster in ecs.list_clusters()["clusterArns"]:
        for page in ecs.get_paginator("list_services").paginate(cluster=cluster):
            for service in page["serviceArns"]:
                ecs.delete_service(cluster=cluster, service=service, force=True)
        for task in alive(ecs, cluster):
            ecs.stop_task(cluster=cluster, task=task)
            with own(ecs, "POST", f"kill/{task.rsplit('/')[-1]}"):
                pass
            wait(ecs, "stopped", task, cluster)


def alive(ecs, cluster):
    pages = [ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus=desired) for desired in ("RUNNING", "STOPPED")]
    listed = [page["taskArns"] for page in itertools.chain(*pages) if page["taskArns"]]
    described = (ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"] for tasks in listed)
    return [task["taskArn"] for task in itertools.chain(*described) if task["lastStatus"] != "STOPPED"]


def by_name(task):
    return {container["name"]: container for container in task["containers"]}


def fetch(url):
    # RUNNING says that the program runs, not that it listens: connecting is what tells.
    return insist(lambda: urllib.request.urlopen(url, timeout=5).read().decode(), OSError)


def insist(attempt, *errors, seconds=10):
    """What `attempt` answers once it no longer raises: for what the host says only to those who ask again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except errors:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
