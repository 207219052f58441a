"""What a server costs that has nothing to do, and a shim whose container sleeps. Needs root.

    target/venv/bin/python benches/idle.py [SECONDS]
"""

import pathlib
import shutil
import sys
import tempfile
import time

import common
import conftest
import memory
from tasks import wait

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
SETTLE_SECONDS = 3


def idle(pid):
    """Resident memory, and the share of one core that it uses."""
    time.sleep(SETTLE_SECONDS)
    before, began = memory.cpu_seconds(pid), time.monotonic()
    time.sleep(SECONDS)
    used = memory.cpu_seconds(pid) - before
    return memory.resident(pid), used, used / (time.monotonic() - began)


def row(what, resident, used, share):
    return [what, memory.mib(resident), f"{used * 1000:.1f}", f"{share * 100:.4f}"]


def main(directory):
    with conftest.serving(directory / "data") as server:
        pid = server.process.pid
        rows = [row("plane and agent, no task", *idle(pid))]
        meeting, ecs = common.Meeting(directory / "bench"), server.client()
        ecs.register_task_definition(**common.definition(meeting, "idle", "bridge"))
        task = ecs.run_task(taskDefinition="idle")["tasks"][0]["taskArn"]
        meeting.wait()
        wait(ecs, "running", task)
        rows.append(row("plane and agent, one task", *idle(pid)))
        [shim] = memory.shims(server)
        rows.append(row("shim of a sleeping container", *idle(shim)))
        held = memory.private(shim)
        meeting.release()
        wait(ecs, "stopped", task)
    print(f"{SECONDS} s each; {common.load()}")
    common.table(["what", "RSS, MiB", "CPU, ms", "CPU, % of one core"], *rows)
    print("\nshim's memory by /proc/PID/smaps_rollup")
    total = held["dirty"] + held["clean"]
    cells = [memory.mib(size) for size in (held["dirty"], held["clean"], total, held["shared"])]
    common.table(["Private_Dirty, MiB", "Private_Clean, MiB", "private, MiB", "shared, MiB"], cells)


if __name__ == "__main__":
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slipway-idle-"))
    try:
        main(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
