"""EFS volumes: NFS mounts of where the operator says a file system is. Each failure is the task's reason, as ECS puts it, and
leaves nothing on the host. What a real server would give is shown where the kernel has an NFS client and there is a server:
`SLIPWAY_TEST_NFS=HOST:/path` names one, with a file `hello` in it."""

import os
import pathlib
import re

import host
import pytest
from conftest import needs_root, serving
from tasks import STAY, container, ended, register, run, stop, wait

pytestmark = needs_root

NFS = os.environ.get("SLIPWAY_TEST_NFS")
HAS_CLIENT = re.search(r"\bnfs4$", pathlib.Path("/proc/filesystems").read_text(), re.MULTILINE)
FAILED = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: {} : unsuccessful EFS utils command execution; code: {}"
NO_CLIENT = FAILED.format("mount.nfs4: No such device (the kernel of this node has no NFS client)", 32)
UNRESOLVED = FAILED.format("mount.nfs4: Failed to resolve server no-such-host.invalid: Name or service not known", 32)
UNKNOWN = FAILED.format(
    'Failed to resolve "fs-unknown.efs.us-east-1.amazonaws.com" - check that your file system ID is correct, and that this node'
    " is told where the file system is (slipway up --efs fs-unknown=HOST:/path)",
    1,
)
NO_STUNNEL = FAILED.format(
    "Failed to locate stunnel: this node mounts EFS file systems without encryption in transit only, so without access points"
    " and IAM authorization",
    1,
)
CASES = {
    "a file system that nobody told of": ({"fileSystemId": "fs-unknown"}, UNKNOWN),
    "encryption in transit": ({"fileSystemId": "fs-here", "transitEncryption": "ENABLED"}, NO_STUNNEL),
    "a server whose name is none": ({"fileSystemId": "fs-nameless"}, UNRESOLVED),
}
if not HAS_CLIENT:
    CASES["a kernel without a client"] = ({"fileSystemId": "fs-here", "rootDirectory": "/deep"}, NO_CLIENT)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    here = ["--efs", f"fs-here={NFS or '127.0.0.1:/srv'}", "--efs", "fs-nameless=no-such-host.invalid:/"]
    with serving(tmp_path_factory.mktemp("efs") / "data", *here) as server:
        yield server


@pytest.fixture
def ecs(server):
    return server.client()


def mounting(script, **configuration):
    app = container(script=script, mountPoints=[{"sourceVolume": "v", "containerPath": "/efs"}])
    return [app], {"volumes": [{"name": "v", "efsVolumeConfiguration": configuration}]}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_mounted(server, ecs, case):
    configuration, reason = CASES[case]
    before = host.census(server)
    containers, members = mounting("exit 0", **configuration)
    task = ended(ecs, "efs", *containers, **members)
    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", reason)
    host.settles(server, before)
    assert list((server.data_dir / "volumes").iterdir()) == []


@pytest.mark.skipif(not NFS, reason="no NFS server is named in SLIPWAY_TEST_NFS")
def test_a_file_system_is_seen_written_and_left(server, ecs):
    containers, members = mounting(f"cat /efs/hello && echo mine > /efs/written && {STAY}", fileSystemId="fs-here")
    task = run(ecs, register(ecs, "efs", *containers, **members))
    wait(ecs, "running", task)
    assert stop(ecs, task)["containers"][0]["exitCode"] == 0
    host.settles(server, host.NOTHING)
    containers, members = mounting("grep mine /efs/written && rm /efs/written", fileSystemId="fs-here")
    assert ended(ecs, "efs", *containers, **members)["containers"][0]["exitCode"] == 0
