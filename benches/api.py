"""Requests a second over keep-alive connections, with `wrk` on the same cores. Needs root, and Debian's `wrk`.

    target/venv/bin/python benches/api.py [SECONDS]
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import common
import conftest
import memory
from tasks import wait

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
ROUNDS = 3
TASKS = 20
CONNECTIONS = 32
LUA = """
local requests, next = {}, 0
init = function(args)
  for _, one in ipairs({%s}) do
    requests[#requests + 1] = wrk.format("POST", "/", one.headers, one.body)
  end
end
request = function()
  next = next %% #requests + 1
  return requests[next]
end
"""


def lua(request):
    """A signature is good for a quarter of an hour: requests are signed before, so that only the server works."""
    headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(text(value))}" for name, value in request.headers.items())
    return f"{{headers = {{{headers}}}, body = {json.dumps(text(request.body))}}}"


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def wrk(server, script):
    command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={SECONDS}s", "--latency", f"--script={script}"]
    output = subprocess.run([*command, server.endpoint], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in output and "Socket errors" not in output, output
    found = [re.search(pattern, output)[1] for pattern in (r"Requests/sec:\s+(\S+)", r"\n +50%\s+(\S+)", r"\n +99%\s+(\S+)")]
    return float(found[0]), found[1], found[2]


def row(server, name, script):
    pid = server.process.pid
    rounds = []
    for _ in range(ROUNDS):
        before = memory.cpu_seconds(pid)
        rate, median, slow = wrk(server, script)
        microseconds = (memory.cpu_seconds(pid) - before) / (rate * SECONDS) * 1e6
        rounds.append((rate, median, slow, f"{microseconds:.0f}"))
    rate, *others = sorted(rounds)[ROUNDS // 2]
    return [name, f"{rate:.0f}", *others]


def script(directory, requests):
    path = directory / "requests.lua"
    path.write_text(LUA % ", ".join(map(lua, requests)))
    return path


def subjects(caller, arns):
    yield "DescribeTasks of one task", [caller.sign("DescribeTasks", tasks=[arn]) for arn in arns]
    yield "DescribeTasks of ten tasks", [caller.sign("DescribeTasks", tasks=tasks) for tasks in (arns[:10], arns[10:])]
    # Each answer waits until its write is on disk; one write to disk serves all that wait.
    tags = [[{"key": "n", "value": str(n)}] for n in range(100)]
    yield "TagResource, durable when answered", [caller.sign("TagResource", resourceArn=arns[0], tags=tag) for tag in tags]


def main(directory):
    with conftest.serving(directory / "data") as server:
        meeting, ecs = common.Meeting(directory / "bench"), server.client()
        ecs.register_task_definition(**common.definition(meeting, "api", "none"))
        arns = [task["taskArn"] for _ in range(TASKS // 10) for task in ecs.run_task(taskDefinition="api", count=10)["tasks"]]
        for arn in arns:
            wait(ecs, "running", arn)
        rows = [row(server, name, script(directory, requests)) for name, requests in subjects(common.Caller(server), arns)]
        load = common.load()
        meeting.release(TASKS)
        for arn in arns:
            wait(ecs, "stopped", arn)
    print(f"{CONNECTIONS} connections, wrk on the same cores, median of {ROUNDS} rounds of {SECONDS} s; {load}")
    common.table(["what", "a second", "median", "99 %", "server's CPU, us each"], *rows)


if __name__ == "__main__":
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slipway-api-"))
    try:
        main(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
