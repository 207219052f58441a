"""The functional tests of Amazon's own agent: containers that check from inside that a field took effect, and exit 42 if it did.
Their images come from a registry of the test under the names that they have there, made of busybox and this host's tools."""

import collections
import contextlib
import json
import os
import stat
from typing import NamedTuple

import images
import pytest
import registry
import wire
from conftest import CASES, needs_root, serving
from tasks import STAY, by_name, run, wait, watch

FOLDER = CASES / "agent-functional"
REGISTRY_PORT = 51670
# A disk of the machines that the tests were written for. No driver has the number: what matters is the node.
DISK = "/dev/xvda"
LONG = {"Cmd": ["sh", "-c", STAY]}
SERVE = {"Cmd": ["sh", "-c", "mkdir -p /www; echo served > /www/index.html; httpd -p 80 -h /www; " + STAY]}
PARALLEL = ("busybox", "ubuntu", "consul", "debian", "httpd", "redis", "nginx", "registry")
RENAMED = {"portBindings": "portMappings"}
# These sleep for a minute, or end by stop timeouts: other tests are run meanwhile.
LAST = ("ContainerOrderingHealthy", "LinkVolumeDependencies")
# Cases that this machine or this release cannot pass, each with its reason.
BEYOND = {"Domainname": "ECS has no `domainname`: clients refuse it, and AWS does not see it"}

pytestmark = [
    needs_root,
    pytest.mark.skipif(not FOLDER.exists(), reason=f"no cases: SLIPWAY_CASES or {CASES} has no agent-functional"),
]


def cases():
    found = json.loads((FOLDER / "cases.json").read_text()) if FOLDER.exists() else []
    marks = {name: pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True) for name, reason in BEYOND.items()}
    marks.update(dict.fromkeys(LAST, pytest.mark.last))
    return [pytest.param(case, id=case["name"], marks=marks.get(case["name"], ())) for case in found]


class Started(NamedTuple):
    ecs: object
    # The task of each case by its name.
    tasks: dict
    # Paths that were asked of the registry.
    asked: list


@pytest.fixture(scope="session")
def started(tmp_path_factory):
    """All cases at once, on a server of their own."""
    directory = tmp_path_factory.mktemp("functional") / "data"
    with registry.serving(REGISTRY_PORT, stored()) as asked, disk(), serving(directory) as server:
        ecs = server.client()
        yield Started(ecs, {case.values[0]["name"]: start(ecs, case.values[0]) for case in cases()}, asked)


def stored():
    small, debian = images.busybox(), images.busybox("capsh")
    of_parallel = {f"{name}:parallel-pull-fts": (small, {**LONG, "Labels": {"name": name}}) for name in PARALLEL}
    return {"busybox:latest": (small, {}), "ubuntu:latest": (debian, {}), "nginx:latest": (small, SERVE), **of_parallel}


@contextlib.contextmanager
def disk():
    missing = not os.path.exists(DISK)
    if missing:
        os.mknod(DISK, stat.S_IFBLK | 0o660, os.makedev(202, 0))
    try:
        yield
    finally:
        if missing:
            os.unlink(DISK)


def start(ecs, case):
    # Not through a client: it would refuse the member that only the agent of then knew, which AWS passes over.
    registered = wire.call(ecs.meta.endpoint_url, "RegisterTaskDefinition", modern(case["taskDefinition"]))
    assert registered.status == 200, registered
    return run(ecs, registered.body["taskDefinition"]["taskDefinitionArn"])


def modern(value):
    if isinstance(value, dict):
        return {RENAMED.get(key, key): modern(member) for key, member in value.items()}
    return [modern(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", cases())
def test_the_field_takes_effect(started, case):
    ecs, arn = started.ecs, started.tasks[case["name"]]
    task = wait(ecs, "stopped", arn) if case["exitCodes"] else was_running(ecs, arn)
    codes = {name: by_name(task)[name].get("exitCode") for name in case["exitCodes"]}
    assert codes == case["exitCodes"], task


def was_running(ecs, arn):
    """Cases without exit codes are about starting; one of them may have come to its end meanwhile."""
    next(seen for seen in watch(ecs, arn, 60) if seen["lastStatus"] in ("RUNNING", "STOPPED"))
    task = ecs.describe_tasks(tasks=[arn])["tasks"][0]
    assert "startedAt" in task, task
    return task


def test_images_pulled_at_once_are_pulled_once(started):
    was_running(started.ecs, started.tasks["ParallelPull"])
    blobs = collections.Counter(path for path in started.asked if "/blobs/" in path)
    assert set(blobs.values()) == {1}, blobs
