"""From a container's death to its replacement's first instruction, and from the moment that the last task of a service counts as
healthy to the event that says so, through the whole program on this host. Needs root.

    target/venv/bin/python benches/services.py [ROUNDS]

The container's only process is killed by its number, as a crash would end it. The task counts as healthy a known time after its
start, and each round lasts until the event says that the service is in a steady state.
"""

import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import common
import conftest
from events import Events, seconds
from services import delete, tasks
from tasks import register

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 25
WARM_UP = 2
HEALTHY_AFTER_SECONDS = 0.5


class Service:
    """One task of one container that says when it begins."""

    def __init__(self, server, meeting, mode):
        self.ecs, self.meeting, self.name = server.client(), meeting, f"bench-{mode}"
        definition = common.definition(meeting, self.name, mode)
        register(self.ecs, self.name, *definition["containerDefinitions"], volumes=definition["volumes"], networkMode=mode)
        self.events = Events(server, "--type", "service")
        self.ecs.create_service(serviceName=self.name, taskDefinition=self.name, desiredCount=1)
        self.meeting.wait()
        self.steady()

    def once(self):
        victim = self.process()
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        began = self.meeting.wait()
        told, heard = self.steady()
        [task] = tasks(self.ecs, self.name)
        healthy = task["startedAt"].timestamp() + HEALTHY_AFTER_SECONDS
        return {"replaced": began - killed, "told": told - healthy, "heard": heard - healthy}

    def process(self):
        """The container's: the one that reads from its pipe."""
        pipe = (self.meeting.directory / "hold").stat().st_ino
        [found] = {int(path.parts[2]) for path in pathlib.Path("/proc").glob("[0-9]*/fd/*") if self.is_open(path, pipe)}
        return found

    @staticmethod
    def is_open(path, inode):
        try:
            return int(path.parts[2]) != os.getpid() and path.stat().st_ino == inode
        except OSError:
            return False  # It ended while we looked.

    def steady(self):
        """When the server says it was, and when it was heard."""
        while not self.is_steady(self.events.next()):
            pass
        return seconds(self.events.read[-1]["detail"]["createdAt"]), time.time()

    def is_steady(self, event):
        return event["detail"]["eventName"] == "SERVICE_STEADY_STATE" and event["resources"][0].endswith(f"/{self.name}")

    def close(self):
        self.events.__exit__()
        delete(self.ecs, self.name)


def measure(server, meeting, mode):
    service = Service(server, meeting, mode)
    rounds = [service.once() for _ in range(WARM_UP + ROUNDS)][WARM_UP:]
    service.close()
    return rounds


def main(directory):
    pace = ["--healthy-after", str(HEALTHY_AFTER_SECONDS)]
    rows = []
    with conftest.serving(directory / "data", *pace) as server:
        for mode in ("none", "bridge"):
            rounds = measure(server, common.Meeting(directory / mode), mode)
            for name, what in (
                ("replaced", "container killed to its replacement's first instruction"),
                ("told", "last task healthy to the steady-state event, as the server says"),
                ("heard", "last task healthy to the steady-state event, as `slipway events` shows it"),
            ):
                rows.append([f"{mode}: {what}", *common.summary([each[name] for each in rounds])])
    print(f"{ROUNDS} rounds, {common.load()}; milliseconds\n")
    common.table(["what", "median", "fastest", "90 %"], *rows)


if __name__ == "__main__":
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slipway-services-"))
    try:
        main(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
