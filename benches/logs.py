"""What containers write in blocking mode, until it is durable in CloudWatch Logs, beside Docker's json-file driver taking the
same lines. Each container copies a prepared file to its output; every line is looked for afterwards. Needs root; measures
Docker if there is a dockerd.

    target/venv/bin/python benches/logs.py [CONTAINERS] [MIB_PER_CONTAINER]
"""

import contextlib
import os
import pathlib
import shutil
import struct
import sys
import tempfile
import time

import common
import conftest
import images
from latency import Docker
from tasks import register, run, wait

CONTAINERS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
MIB = int(sys.argv[2]) if len(sys.argv) > 2 else 20
# A line of a web server's log.
LINE_BYTES = 200
CONTAINERS_PER_TASK = 5
MEMORY_MIB = 16
GROUP = "/bench/logs"
# Says that it waits, which it does until nobody holds the pipe for writing any more.
COMMAND = ["sh", "-c", "exec 3</bench/go; echo >/bench/said; cat <&3; cat /bench/lines"]


class Start:
    """A pipe that all containers read from: they begin together when it is closed for good."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        for name in ("said", "go"):
            os.mkfifo(self.directory / name)
        # Open for both: neither side ever waits for the other to open.
        self.said = os.open(self.directory / "said", os.O_RDWR)
        self.lines = [f"{n:08} ".ljust(LINE_BYTES - 1, "x") for n in range(MIB * (1 << 20) // LINE_BYTES)]
        (self.directory / "lines").write_text("".join(line + "\n" for line in self.lines))
        self.hold()

    def hold(self):
        self.go = os.open(self.directory / "go", os.O_RDWR)

    def wait(self, count):
        while count > 0:
            count -= len(os.read(self.said, count))

    def release(self):
        """The time, as the containers' clock has it."""
        now = time.time()
        os.close(self.go)
        return now

    @property
    def mib(self):
        return CONTAINERS * len(self.lines) * LINE_BYTES / (1 << 20)


def cpu(process):
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def slipway(server, start):
    ecs, logs = server.client(), server.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    options = {"awslogs-group": GROUP, "awslogs-region": conftest.REGION, "awslogs-stream-prefix": "p", "mode": "blocking"}
    app = {
        "image": "busybox",
        "memory": MEMORY_MIB,
        "command": COMMAND,
        "essential": False,
        "mountPoints": [{"sourceVolume": "bench", "containerPath": "/bench"}],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    containers = [{**app, "name": f"c{n}"} for n in range(CONTAINERS_PER_TASK)]
    # Somebody has to be essential; it ends when the others have.
    after = [{"containerName": container["name"], "condition": "COMPLETE"} for container in containers]
    last = {"name": "last", "image": "busybox", "memory": MEMORY_MIB, "command": ["true"], "dependsOn": after}
    containers.append(last)
    volumes = [{"name": "bench", "host": {"sourcePath": str(start.directory)}}]
    definition = register(ecs, "logs", *containers, networkMode="none", volumes=volumes)
    tasks = [run(ecs, definition) for _ in range(CONTAINERS // CONTAINERS_PER_TASK)]
    start.wait(CONTAINERS)
    before, began = cpu(server.process.pid), start.release()
    for task in tasks:
        wait(ecs, "stopped", task, timeout=600)
    used = cpu(server.process.pid) - before
    peak = next(line for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines() if "VmHWM" in line)
    streams = [s for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=GROUP) for s in page["logStreams"]]
    ended = max(stream["lastIngestionTime"] for stream in streams) / 1000
    lost = CONTAINERS * len(start.lines) - complete(server, start)
    return {"seconds": ended - began, "cpu": used, "memory": int(peak.split()[1]) // 1024, "lost": lost}


def complete(server, start):
    """Lines that are in the store, each where it belongs. Read from its files, which is quicker than asking for them."""
    count = 0
    for stream in (server.data_dir / "cloudwatch/logs").iterdir():
        expected = iter(start.lines)
        for segment in sorted(stream.glob("*.segment")):
            for message in messages(segment.read_bytes()):
                wanted = next(expected, None)
                assert message == wanted, f"{stream.name}: {message[:20]} instead of {(wanted or 'nothing')[:20]}"
                count += 1
    return count


def messages(segment):
    at = 0
    while at < len(segment):
        length, _ = struct.unpack_from("<II", segment, at)
        end, (_, count, mark) = at + 8 + length, struct.unpack_from("<qII", segment, at + 8)
        at += 24 + mark
        for _ in range(count):
            _, size = struct.unpack_from("<qI", segment, at)
            yield segment[at + 12 : at + 12 + size].decode()
            at += 12 + size
        assert at == end


def docker(daemon, start):
    options = ["--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=3"]
    limits = ["--network=none", "--memory", f"{MEMORY_MIB}m", "--volume", f"{start.directory}:/bench"]
    names = [f"c{n}" for n in range(CONTAINERS)]
    for name in names:
        daemon.docker("run", "--detach", "--name", name, *limits, *options, "busybox", *COMMAND)
    start.wait(CONTAINERS)
    began = start.release()
    daemon.docker("wait", *names)
    # The daemon has written what a container left in its pipe before it says that it ended.
    return {"seconds": time.time() - began}


def measure(directory):
    start = Start(directory / "bench")
    with conftest.serving(directory / "data") as server:
        results = {"slipway, awslogs": slipway(server, start)}
    if shutil.which("dockerd"):
        start.hold()
        daemon = Docker(directory / "docker", start, images.docker_archive("busybox:latest", images.busybox(), {}))
        with contextlib.closing(daemon):
            results["docker, json-file"] = docker(daemon, start)
            daemon.docker("rm", "--force", *(f"c{n}" for n in range(CONTAINERS)))
    return start, results


def report(start, results):
    print(f"{CONTAINERS} containers, {start.mib:.0f} MiB in lines of {LINE_BYTES} bytes; {os.cpu_count()} cores, {common.load()}")
    rows = []
    for name, result in results.items():
        speed = f"{start.mib * 1.048576 / result['seconds']:.0f}"
        rows.append([name, f"{result['seconds']:.1f}", speed, *(result.get(what, "") for what in ("lost", "memory", "cpu"))])
    common.table(["what", "seconds", "MB/s", "lines lost", "server's peak MiB", "server's CPU s"], *rows)


if __name__ == "__main__":
    assert os.geteuid() == 0, "starting containers needs root"
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slipway-logs-"))
    try:
        report(*measure(directory))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
