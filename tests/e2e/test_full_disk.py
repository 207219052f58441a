"""A disk without a byte left under a server's data: what it cannot keep it refuses, what runs goes on, and room is all it needs."""

import subprocess

import images
import pytest
import wire
from conftest import needs_root, serving
from tasks import container, register, run, stop, wait

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
