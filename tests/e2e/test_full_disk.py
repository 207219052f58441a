"""A disk without a byte left under a server's data: what it cannot keep it refuses, what runs goes on, and room is all it needs."""

import os
import subprocess

import host
import images
import pytest
import wire
from conftest import needs_root, serving
from tasks import container, insist, register, run, stop, wait

pytestmark = needs_root

CREATE, KEPT = "CreateCluster", (200, None)
NOT_KEPT = (500, "ServerException")


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def server(small_disk):
    """Its log is on the same disk, as it may be."""
    with serving(small_disk / "data") as server:
        yield server


@pytest.fixture
def fill(small_disk):
    filler = small_disk / "filler"
    yield lambda: subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], capture_output=True)
    filler.unlink(missing_ok=True)


def test_a_full_disk_is_survived(server, small_disk, fill):
    ecs = server.client()
    definition = register(ecs, "before", container())
    lives = run(ecs, definition)
    wait(ecs, "running", lives)

    fill()
    outcomes = {f"cluster-{n}": wire.call(server.endpoint, CREATE, {"clusterName": f"cluster-{n}"}).error for n in range(200)}
    assert set(outcomes.values()) <= {KEPT, NOT_KEPT}
    assert ecs.describe_tasks(tasks=[lives])["tasks"][0]["lastStatus"] == "RUNNING"
    assert cannot_run(ecs, definition)
    loaded = server.slipway("image", "load", archive(small_disk.parent), check=False)
    assert loaded.returncode == 1 and "No space left on device" in loaded.stderr, loaded

    (small_disk / "filler").unlink()
    kept = {name for name, outcome in outcomes.items() if outcome == KEPT}
    assert {arn.split("/")[-1] for page in ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"]} == kept | {"default"}
    assert wire.call(server.endpoint, CREATE, {"clusterName": "after"}).status == 200
    assert ecs.describe_tasks(tasks=[lives])["tasks"][0]["lastStatus"] == "RUNNING"
    wait(ecs, "running", run(ecs, definition))
    stop(ecs, lives)


@pytest.mark.parametrize("crash", [False, True], ids=["and the server goes on", "and the server is killed"])
def test_what_ends_while_the_disk_is_full_is_reported_once_there_is_room(server, small_disk, fill, tmp_path, crash):
    ecs = server.client()
    flag = {"name": "flag", "host": {"sourcePath": str(tmp_path)}}
    waits = container(script="cat /flag/go; echo perhaps; echo complaint >&2; exit 9", mountPoints=[{"sourceVolume": "flag", "containerPath": "/flag"}])
    os.mkfifo(tmp_path / "go")
    arn = run(ecs, register(ecs, "ends", waits, volumes=[flag]))
    wait(ecs, "running", arn)

    fill()
    (tmp_path / "go").write_text("")  # Opens once the container reads, and ends it by being closed.
    insist(lambda: ended(server), AssertionError)
    if crash:
        server.kill()
    (small_disk / "filler").unlink()
    if crash:
        server.start()
    task = wait(server.client(), "stopped", arn)
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 9)


def ended(server):
    """Nothing is left of the container but its shim."""
    assert len(host.processes(server)) <= 1


def cannot_run(ecs, definition):
    """Refused, or accepted and then stopped for the reason."""
    try:
        task = run(ecs, definition)
    except ecs.exceptions.ServerException:
        return True
    return "no space left on device" in wait(ecs, "stopped", task)["stoppedReason"].lower()


def archive(folder):
    path = folder / "other.tar"
    path.write_bytes(images.docker_archive("other:latest", images.busybox(), {}))
    return path
