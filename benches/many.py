"""Many tasks at once: how fast they are accepted, run, and are gone again; what they cost while they run. Needs root.

    target/venv/bin/python benches/many.py [TASKS] [NETWORK MODE]
"""

import concurrent.futures
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

import common
import conftest
import host
import memory
from tasks import insist

TASKS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
MODE = sys.argv[2] if len(sys.argv) > 2 else "bridge"
CONNECTIONS = 8
# The most that DescribeTasks takes.
PAGE = 100
PATIENCE_SECONDS = 300
# Threads that had to wait for the kernel end when they have had nothing to do for ten seconds.
REST_SECONDS = 12
SCRIPT = "trap 'exit 0' TERM; echo >/bench/said; sleep 600 & wait"


def spread(callers, requests):
    """Every request, on as many connections as there are; the seconds each one took."""

    def send(caller, mine):
        done = []
        for request in mine:
            began = time.monotonic()
            done.append((caller.send(request), time.monotonic() - began))
        return done

    with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
        parts = [requests[n :: len(callers)] for n in range(len(callers))]
        return [answer for part in pool.map(send, callers, parts) for answer in part]


def all_have(caller, arns, status):
    requests = [caller.sign("DescribeTasks", tasks=arns[n : n + PAGE]) for n in range(0, len(arns), PAGE)]

    def check():
        tasks = [task for request in requests for task in caller.send(request)["tasks"]]
        assert len(tasks) == len(arns)
        wrong = [task for task in tasks if task["lastStatus"] != status]
        assert not wrong, f"{len(wrong)} are not {status}, such as {wrong[0]['lastStatus']}: {wrong[0].get('stoppedReason')}"

    insist(check, AssertionError, seconds=PATIENCE_SECONDS)


def remaining(server):
    ecs = server.client()
    arns = ecs.list_container_instances()["containerInstanceArns"]
    resources = ecs.describe_container_instances(containerInstances=arns)["containerInstances"][0]["remainingResources"]
    return {resource["name"]: resource.get("integerValue") for resource in resources if resource["name"] in ("CPU", "MEMORY")}


def main(directory):
    with conftest.serving(directory / "data") as server:
        meeting = common.Meeting(directory / "bench")
        definition = common.definition(meeting, "many", MODE)
        definition["containerDefinitions"][0] |= {"command": ["sh", "-c", SCRIPT], "memory": 32}
        server.client().register_task_definition(**definition)
        callers = [common.Caller(server) for _ in range(CONNECTIONS)]
        before = remaining(server)
        requests = [callers[0].sign("RunTask", taskDefinition="many", clientToken=str(n)) for n in range(TASKS)]

        began = time.monotonic()
        answers = spread(callers, requests)
        accepted = time.monotonic() - began
        arns = [answer["tasks"][0]["taskArn"] for answer, _ in answers]
        for _ in range(TASKS):
            meeting.wait()
        first_instructions = time.monotonic() - began
        all_have(callers[0], arns, "RUNNING")
        running = time.monotonic() - began
        taken = {name: before[name] - left for name, left in remaining(server).items()}
        assert taken == {"CPU": 0, "MEMORY": 32 * TASKS}, taken
        resident, shims = memory.resident(server.process.pid), [memory.private(pid) for pid in memory.shims(server)]

        stops = [callers[0].sign("StopTask", task=arn) for arn in arns]
        began = time.monotonic()
        spread(callers, stops)
        all_have(callers[0], arns, "STOPPED")
        stopped = time.monotonic() - began
        insist(lambda: host.settles(server, host.NOTHING), AssertionError, seconds=PATIENCE_SECONDS)
        clean = time.monotonic() - began
        assert remaining(server) == before
        time.sleep(REST_SECONDS)
        after = memory.resident(server.process.pid)

    latency = [seconds for _, seconds in answers]
    print(f"{TASKS} tasks, network mode {MODE}, {CONNECTIONS} connections; {common.load()}")
    rows = [
        ["all accepted (each durable when answered), s", f"{accepted:.2f}"],
        ["accepted per second", f"{TASKS / accepted:.0f}"],
        ["RunTask answered, median and 99 %, ms", " ".join(map(common.milliseconds, (statistics.median(latency), common.quantile(latency, 0.99))))],
        ["all have begun, s after the first call", f"{first_instructions:.2f}"],
        ["all RUNNING, s after the first call", f"{running:.2f}"],
        ["CPU and memory accounted exactly", "yes"],
        ["RSS of plane and agent with all running, MiB", memory.mib(resident)],
        ["private memory of a shim, median, MiB", memory.mib(statistics.median(shim["dirty"] + shim["clean"] for shim in shims))],
        ["all STOPPED, s after the first call", f"{stopped:.2f}"],
        ["nothing left of them on the host, s", f"{clean:.2f}"],
        [f"RSS of plane and agent {REST_SECONDS} s later, MiB", memory.mib(after)],
    ]
    common.table(["what", "measured"], *rows)


if __name__ == "__main__":
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slipway-many-"))
    try:
        main(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
