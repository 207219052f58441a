"""The members of a task definition outside its containers, and those of RunTask's overrides."""

import os
import pathlib

import host
from fields import CGROUP_V2, NOT_HERE, Ends, FailsToStart, Kept, Refused, Row, Says, Shows, Unplaced, limit, matches
from fields_container import ENVIRONMENT_FILES, SHARED, UNBUILT, after, other
from tasks import STAY

AWSVPC = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}
ROLE = "arn:aws:iam::123456789012:role/one"
# The role whose credentials a container gets.
WHOSE = "wget -qO- http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI | cut -d'\"' -f4"


def group_has(v1, v1_value, v2, v2_value):
    """The task's own group, above those of its containers, as the host shows it."""
    file, value = (v2, v2_value) if CGROUP_V2 else (v1, v1_value)
    controller = "" if CGROUP_V2 else file.split(".")[0]

    def look(ran, task):
        folder = pathlib.Path("/sys/fs/cgroup") / controller / host.name(ran.server) / ran.task.rsplit("/")[-1]
        assert (folder / file).read_text().split()[0] == str(value), folder

    return look


def volume(**members):
    return {"volumes": [{"name": "shared", **members}]}


def overridden(run=None, **members):
    return {"overrides": {"containerOverrides": [{"name": "app", **members}], **(run or {})}}


def of_host(namespace):
    return os.readlink(f"/proc/self/ns/{namespace}")


TASK = [
    Row("family containerDefinitions", "are described", Kept(
        lambda task, answer: answer["taskDefinition"]["family"].startswith("field-")), "exit 0"),
    Row("networkMode", "`bridge`: an address of the container's own", Says("eth0 lo"), "echo $(ls /sys/class/net)", task={"networkMode": "bridge"}),
    Row("networkMode", "`host`: the host's network", Says(of_host("net")), "readlink /proc/self/ns/net", task={"networkMode": "host"}),
    Row("networkMode", "`none`: the loopback alone", Says("lo"), "ls /sys/class/net", task={"networkMode": "none"}),
    Row("networkMode", "`awsvpc`: the containers of a task are one host", Says("served"),
        "until wget -qO- http://127.0.0.1/ 2> /dev/null; do sleep 0.1; done", {"dependsOn": after("START")},
        (other("first", "mkdir /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www"),), {"networkMode": "awsvpc"}, AWSVPC),
    Row("cpu", "a quota that the containers share", Shows(group_has("cpu.cfs_quota_us", 12500, "cpu.max", 12500)), task={"cpu": "128"}),
    Row("memory", "a limit of all containers together", Shows(group_has("memory.limit_in_bytes", 48 << 20, "memory.max", 48 << 20)),
        app={"memory": None}, task={"memory": "48"}),
    Row("memory", "a container that exceeds it is killed", Ends({"app": 137}, app="OutOfMemoryError: Container killed due to memory usage"),
        "exec tail /dev/zero", {"memory": None}, task={"memory": "24"}),
    Row("pidMode", "`task`: containers see each other's processes", Says("1"), "ps | grep -c '[s]leep 588'", {"dependsOn": after("START")},
        (other("first", command=["sleep", "588"], essential=False),), {"pidMode": "task"}),
    Row("pidMode", "`host`: the host's processes", Says(of_host("pid")), "readlink /proc/self/ns/pid", task={"pidMode": "host"}),
    Row("ipcMode", "`task`: containers share memory", Says("done"), "cat /dev/shm/flag", {"dependsOn": after("SUCCESS")},
        (other("first", "echo done > /dev/shm/flag", essential=False),), {"ipcMode": "task"}),
    Row("ipcMode", "`host`: the host's memory", Says(of_host("ipc")), "readlink /proc/self/ns/ipc", task={"ipcMode": "host"}),
    Row("ipcMode", "`none`: nothing is shared", Says(lambda said: said != of_host("ipc")), "readlink /proc/self/ns/ipc", task={"ipcMode": "none"}),
    Row("volumes.name volumes.host", "an empty one for the task", Says("0"), "ls /shared | wc -l", SHARED, (), volume(host={})),
    Row("volumes.host.sourcePath", "a path of the host", Says(pathlib.Path("/etc/hostname").read_text().strip()), "cat /shared/hostname", SHARED, (),
        volume(host={"sourcePath": "/etc"})),
    Row("volumes.dockerVolumeConfiguration.scope", "`task`: shared by its containers", Says("done"), "cat /shared/flag",
        {"dependsOn": after("SUCCESS"), **SHARED}, (other("first", "echo done > /shared/flag", essential=False, **SHARED),),
        volume(dockerVolumeConfiguration={"scope": "task"})),
    Row("volumes.dockerVolumeConfiguration.driver volumes.dockerVolumeConfiguration.driverOpts", "`local` with options of a mount", Says("3"),
        "df -m /shared | awk 'END {print $2}'", SHARED, (), volume(dockerVolumeConfiguration={
            "scope": "task", "driver": "local", "driverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=3m"}})),
    Row("volumes.dockerVolumeConfiguration.driver", "one that no node has", Unplaced("ATTRIBUTE"), "exit 0", SHARED, (),
        volume(dockerVolumeConfiguration={"scope": "task", "driver": "rexray"})),
    Row("volumes.dockerVolumeConfiguration.autoprovision volumes.dockerVolumeConfiguration.labels", "`shared`: made if there is none", Says("0"),
        "ls /shared | wc -l", SHARED, (),
        volume(dockerVolumeConfiguration={"scope": "shared", "autoprovision": True, "labels": {"one": "1"}})),
    Row("volumes.efsVolumeConfiguration", "an NFS mount of where `slipway up --efs` says the file system is; of one it does not know",
        FailsToStart("ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: ", NOT_HERE), "exit 0", SHARED, (),
        volume(efsVolumeConfiguration={"fileSystemId": "fs-1"})),
    Row("volumes.efsVolumeConfiguration.transitEncryption volumes.efsVolumeConfiguration.authorizationConfig", "which need TLS",
        FailsToStart("ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to locate stunnel", NOT_HERE),
        "exit 0", SHARED, (), volume(efsVolumeConfiguration={"fileSystemId": "fs-1", "transitEncryption": "ENABLED",
            "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"}})),
    Row("volumes.fsxWindowsFileServerVolumeConfiguration", "is for Windows", Refused(UNBUILT.format("Volumes of EBS, FSx and S3 Files")), "exit 0",
        SHARED, (), volume(fsxWindowsFileServerVolumeConfiguration={"fileSystemId": "fs-1", "rootDirectory": "/", "authorizationConfig": {
            "credentialsParameter": "arn:aws:ssm:us-east-1:123456789012:parameter/one", "domain": "one.test"}})),
    Row("volumes.s3filesVolumeConfiguration", "which is not built", Refused(UNBUILT.format("Volumes of EBS, FSx and S3 Files")), "exit 0", SHARED, (),
        volume(s3filesVolumeConfiguration={"fileSystemArn": "arn:aws:s3files:us-east-1:123456789012:file-system/fs-1"})),
    Row("volumes.configuredAtLaunch", "which is not built", Refused(UNBUILT.format("Volumes of EBS, FSx and S3 Files")), "exit 0", SHARED, (),
        volume(configuredAtLaunch=True)),
    Row("placementConstraints", "one that no node satisfies", Unplaced("MemberOf placement constraint unsatisfied."),
        task={"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == windows"}]}),
    Row("requiresCompatibilities", "`FARGATE`: its limit of open files", Says(matches("[0-9]+")), "ulimit -n", {}, (),
        {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}, {"launchType": "FARGATE", **AWSVPC}),
    Row("ephemeralStorage", "is described, and not yet a limit", Kept(lambda task, answer: task["ephemeralStorage"] == {"sizeInGiB": 30}), "exit 0", {}, (),
        {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512", "ephemeralStorage": {"sizeInGiB": 30}},
        {"launchType": "FARGATE", **AWSVPC}),
    Row("runtimePlatform", "the node's own", Says("x86_64"), "uname -m",
        task={"runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}}),
    Row("runtimePlatform.cpuArchitecture", "one that no node has", Unplaced("ATTRIBUTE"), task={"runtimePlatform": {"cpuArchitecture": "ARM64"}}),
    Row("taskRoleArn", "containers find its temporary credentials where SDKs look; no policy is evaluated yet (metadata.md)", Says(ROLE), WHOSE,
        task={"taskRoleArn": ROLE}),
    Row("executionRoleArn", "is described; secrets need one, and its policies are not evaluated", Kept(
        lambda task, answer: answer["taskDefinition"]["executionRoleArn"] == ROLE), "exit 0", task={"executionRoleArn": ROLE}),
    Row("tags", "are described", Kept(lambda task, answer: answer["tags"] == [{"key": "one", "value": "1"}]), "exit 0",
        task={"tags": [{"key": "one", "value": "1"}]}),
    Row("proxyConfiguration", "App Mesh, which AWS ends in 2026", Refused(UNBUILT.format("Proxy configurations")), STAY, {}, (), {
        "networkMode": "awsvpc", "proxyConfiguration": {"type": "APPMESH", "containerName": "app", "properties": [
            {"name": name, "value": "1"} for name in ("ProxyIngressPort", "ProxyEgressPort", "AppPorts", "IgnoredUID")]}}, AWSVPC),
    Row("inferenceAccelerators", "which AWS has ended", Refused("ClientException: Unsupported field 'inferenceAccelerators'."),
        task={"inferenceAccelerators": [{"deviceName": "one", "deviceType": "eia1.medium"}]}),
    Row("enableFaultInjection", "which is not built", Unplaced("ATTRIBUTE"), task={"enableFaultInjection": True}),
    Row("trustedExecutionConfiguration", "which needs AWS's own machines", Refused(UNBUILT.format("Sandboxes of trusted execution")),
        task={"trustedExecutionConfiguration": {"isolationMode": "ISOLATED_SANDBOX"}}),
]

OVERRIDES = [
    Row("containerOverrides.name containerOverrides.command", "in place of the definition's", Says("other"), "echo own",
        run=overridden(command=["echo", "other"])),
    Row("containerOverrides.environment", "over the definition's, by name", Says("1 3 4"), "echo $ONE $TWO $THREE",
        {"environment": [{"name": "ONE", "value": "1"}, {"name": "TWO", "value": "2"}]},
        run=overridden(environment=[{"name": "TWO", "value": "3"}, {"name": "THREE", "value": "4"}])),
    Row("containerOverrides.environmentFiles", "in place of the definition's", Says("file"), "echo $TWO",
        {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/none.env"}]}, run=overridden(environmentFiles=ENVIRONMENT_FILES)),
    Row("containerOverrides.cpu", "shares", app={"cpu": 10}, run=overridden(cpu=32), **limit("cpu/cpu.shares", 32, "cpu.weight", 2)),
    Row("containerOverrides.memory", "the hard limit", run=overridden(memory=24),
        **limit("memory/memory.limit_in_bytes", 24 << 20, "memory.max", 24 << 20)),
    Row("containerOverrides.memoryReservation", "the soft limit", app={"memoryReservation": 8}, run=overridden(memoryReservation=12),
        **limit("memory/memory.soft_limit_in_bytes", 12 << 20, "memory.low", 12 << 20)),
    Row("containerOverrides.resourceRequirements", "a GPU, which no node has", Unplaced("RESOURCE:GPU"),
        run=overridden(resourceRequirements=[{"type": "GPU", "value": "1"}])),
    Row("cpu", "the task's quota", Shows(group_has("cpu.cfs_quota_us", 25000, "cpu.max", 25000)), task={"cpu": "128"},
        run={"overrides": {"cpu": "256"}}),
    Row("memory", "the task's limit", Shows(group_has("memory.limit_in_bytes", 64 << 20, "memory.max", 64 << 20)), task={"memory": "48"},
        run={"overrides": {"memory": "64"}}),
    Row("ephemeralStorage", "is described, and not yet a limit", Kept(lambda task, answer: task["ephemeralStorage"] == {"sizeInGiB": 40}), "exit 0", {}, (),
        {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"},
        {"launchType": "FARGATE", **AWSVPC, "overrides": {"ephemeralStorage": {"sizeInGiB": 40}}}),
    Row("taskRoleArn", "in place of the definition's", Says(ROLE), WHOSE, task={"taskRoleArn": "other"},
        run={"overrides": {"taskRoleArn": ROLE}}),
    Row("executionRoleArn", "is described; secrets need one, and its policies are not evaluated", Kept(
        lambda task, answer: task["overrides"]["executionRoleArn"] == ROLE), "exit 0", run={"overrides": {"executionRoleArn": ROLE}}),
    Row("inferenceAcceleratorOverrides", "which AWS has ended", Kept(lambda task, answer: "inferenceAcceleratorOverrides" in task["overrides"]), "exit 0", run={"overrides": {
        "inferenceAcceleratorOverrides": [{"deviceName": "one", "deviceType": "eia1.medium"}]}}),
]
