"""What several nodes of one host cost that have nothing to do, and how long one takes to die and to boot. Needs root.

    target/venv/bin/python benches/nodes.py [SECONDS]
"""

import pathlib
import shutil
import sys
import tempfile
import time

import common
import conftest
import memory
from idle import SECONDS, idle

COUNTS = (1, 3, 20)


def took(work):
    began = time.monotonic()
    work()
    return common.milliseconds(time.monotonic() - began)


def row(count, directory):
    with conftest.gone_afterwards(conftest.Server(directory / str(count) / "data", "--nodes", str(count))) as server:
        server.data_dir.parent.mkdir()
        first = took(server.start)
        resident, used, share = idle(server.process.pid)
        threads = len(list(pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()))
        stopped, started = (took(lambda: server.slipway("node", verb, "node-1")) for verb in ("stop", "start"))
        last = took(server.stop)
    return [count, memory.mib(resident), threads, f"{used * 1000:.0f}", first, stopped, started, last]


def main(directory):
    rows = [row(count, directory) for count in COUNTS]
    print(f"idle for {SECONDS} s each; {common.load()}")
    head = ["nodes", "RSS, MiB", "threads", "idle CPU, ms", "first start, ms", "node stop, ms", "node start, ms", "end, ms"]
    common.table(head, *rows)


if __name__ == "__main__":
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slipway-nodes-"))
    try:
        main(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
