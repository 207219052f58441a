"""What a health check costs: all CPU time that checks of many containers take, server and shims and the checks' own processes,
beside the barest way to execute a program in a container (`nsenter`), in one run. And what `slipway stats` costs while it is
looked at and while it is not. Needs root.

    target/venv/bin/python benches/health.py [CONTAINERS] [SECONDS]
"""

import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import common
import conftest
import memory
from tasks import STAY, by_name, container, insist, register, run, wait

CONTAINERS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
# The shortest that ECS takes.
INTERVAL_SECONDS = 5
CHECK = ["/bin/true"]


def ours(server):
    """CPU seconds of the server and its shims, with those of processes that they have waited for."""
    return sum(with_children(pid) for pid in (server.process.pid, *memory.shims(server)))


def with_children(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return memory.cpu_seconds(pid) + sum(map(int, fields[13:15])) / 100


def used(server, seconds=SECONDS):
    before = ours(server)
    time.sleep(seconds)
    return ours(server) - before


def start(ecs, family, **members):
    """Tasks of one container each, all running (and found healthy, where that is checked)."""
    definition = register(ecs, family, container(script=STAY, **members))
    tasks = [run(ecs, definition) for _ in range(CONTAINERS)]
    for task in tasks:
        wait(ecs, "running", task)
    if "healthCheck" in members:
        insist(lambda: all_healthy(ecs, tasks), AssertionError, seconds=60)
    return tasks


def all_healthy(ecs, tasks):
    for task in ecs.describe_tasks(tasks=tasks)["tasks"]:
        assert by_name(task)["app"]["healthStatus"] == "HEALTHY"


def stop(ecs, tasks):
    for task in tasks:
        ecs.stop_task(task=task)
    for task in tasks:
        wait(ecs, "stopped", task)


def bare(server, count):
    """CPU seconds of that many programs, executed in the namespaces of a container's process."""
    [pid] = children(memory.shims(server)[0])[:1]
    command = ["nsenter", "--target", str(pid), "--all", *CHECK]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(count):
        subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def children(pid):
    return [int(word) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]


def main(directory):
    with conftest.serving(directory / "data") as server:
        ecs = server.client()
        unchecked = start(ecs, "unchecked")
        without = used(server)
        watching = subprocess.Popen([common.SLIPWAY, "stats", "--listen", server.listen], stdout=subprocess.DEVNULL)
        watched = used(server)
        watching.terminate()
        watching.wait()
        again = used(server)
        stop(ecs, unchecked)
        health = {"command": ["CMD", *CHECK], "interval": INTERVAL_SECONDS}
        checked = start(ecs, "checked", healthCheck=health)
        checks = CONTAINERS * SECONDS // INTERVAL_SECONDS
        with_checks = used(server)
        execs = bare(server, checks)
        stop(ecs, checked)
    print(f"{CONTAINERS} containers, {SECONDS} s each; {common.load()}\n")
    rows = [["health checks", checks, with_checks - without], ["bare nsenter", checks, execs]]
    common.table(["what", "count", "CPU, ms", "CPU each, ms"], *([what, n, f"{s * 1000:.0f}", f"{s * 1000 / n:.2f}"] for what, n, s in rows))
    print()
    looked = [["nobody", without], ["somebody, once a second", watched], ["nobody any more", again]]
    common.table(["who looks at `slipway stats`", "CPU, ms"], *([who, f"{seconds * 1000:.0f}"] for who, seconds in looked))


if __name__ == "__main__":
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slipway-health-"))
    try:
        main(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
