"""How long a container waits for what it asks about itself: curl inside it, by document, over connections that stay and over new
ones, each path within its rate. Then what it costs that nobody asks any more. Needs root.

    target/venv/bin/python benches/metadata.py [SECONDS]
"""

import pathlib
import shutil
import statistics
import sys
import tempfile
import time

import common
import conftest
import images
import memory
from tasks import container, register, run, wait

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
# A burst of them is admitted at once.
REQUESTS = 60
REFILL_SECONDS = 2
PATHS = {"container": "", "task": "/task", "task with tags": "/taskWithTags", "statistics": "/stats", "statistics of the task": "/task/stats"}
CONTAINERS = 5


def script():
    """Per path: all over one connection, then each over its own once the bucket is full again."""
    parts = []
    for path in PATHS.values():
        url = f'"$ECS_CONTAINER_METADATA_URI_V4{path}?[1-{REQUESTS}]"'
        ask = "curl -s -o /dev/null -w '%{http_code} %{time_total}\\n'"
        parts.append(f"{ask} {url} >/bench/kept")
        parts.append(f"sleep {REFILL_SECONDS}; for i in $(seq {REQUESTS}); do {ask} $ECS_CONTAINER_METADATA_URI_V4{path}; done >/bench/new")
        parts.append("cat /bench/kept /bench/new >>/bench/all; echo --- >>/bench/all")
    return "; ".join([*parts, "echo >/bench/said; read line </bench/hold"])


def row(what, lines):
    times = [float(line.split()[1]) * 1000 for line in lines if line.startswith("200")]
    assert len(times) == REQUESTS, lines
    cells = (statistics.median(times), min(times), statistics.quantiles(times, n=10)[-1])
    return [what, *(f"{cell:.2f}" for cell in cells)]


def main(directory):
    with conftest.serving(directory / "data") as server:
        server.load("asks:latest", images.busybox("curl"))
        meeting, ecs = common.Meeting(directory / "bench"), server.client()
        mounts = [{"sourceVolume": "bench", "containerPath": "/bench"}]
        asker = container("asker", script(), image="asks", mountPoints=mounts)
        others = [container(f"other-{i}", essential=False) for i in range(CONTAINERS - 1)]
        volumes = [{"name": "bench", "host": {"sourcePath": str(meeting.directory)}}]
        task = run(ecs, register(ecs, "asks", asker, *others, volumes=volumes))
        meeting.wait()
        pid = server.process.pid
        before = memory.cpu_seconds(pid)
        time.sleep(SECONDS)
        used = memory.cpu_seconds(pid) - before
        meeting.release()
        wait(ecs, "stopped", task)
        parts = (meeting.directory / "all").read_text().split("---\n")
    rows = []
    for what, part in zip(PATHS, parts):
        lines = part.splitlines()
        rows += [row(what, lines[:REQUESTS]), row(f"{what}, new connection", lines[REQUESTS:])]
    print(f"{REQUESTS} requests each, a task of {CONTAINERS} containers, milliseconds; {common.load()}")
    common.table(["what", "median", "fastest", "90 %"], *rows)
    print(f"\nthen, nobody asking: {used * 1000:.0f} ms of CPU in {SECONDS} s")


if __name__ == "__main__":
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slipway-metadata-"))
    try:
        main(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
