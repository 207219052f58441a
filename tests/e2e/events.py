"""What `slipway events --follow` tells, as tests read it."""

import datetime
import json
import os
import select
import signal
import subprocess

from conftest import SLIPWAY

SECONDS = 60


class Events:
    """Read as they are printed."""

    def __init__(self, server, *arguments):
        command = [SLIPWAY, "events", "--follow", "--output", "json", "--listen", server.listen, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=server.environment())
        self.read, self.buffer = [], b""

    def until(self, ends):
        """All that was printed up to what `ends` is true of."""
        while not (self.read and ends(self.read[-1])):
            self.next()
        return self.read

    def next(self):
        while b"\n" not in self.buffer:
            readable, _, _ = select.select([self.process.stdout], [], [], SECONDS)
            more = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            assert more, f"nothing came after {self.read[-3:]}"
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        self.read.append(json.loads(line))
        return self.read[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def of(events, arn):
    return [event["detail"] for event in events if event["resources"] == [arn]]


def assert_each_once(details):
    assert [detail["version"] for detail in details] == list(range(1, len(details) + 1))


class Watch(Events):
    """The tasks and deployments of a service as events tell, from the first on; looked at after every one.

    Its scheduler never stops a task such that fewer than `least` healthy ones are left, and never makes more than `most`;
    `asks` has DescribeServices and ListTasks say the same at every event, where nothing but the scheduler ends tasks.
    """

    def __init__(self, server, name, least=0, most=None, asks=False, healthy_after=0.5):
        super().__init__(server, "--type", "task,service,deployment")
        self.ecs, self.name = server.client(), name
        self.least, self.most, self.asks, self.healthy_after = least, most, asks, healthy_after
        self.tasks, self.deployments = {}, {}

    def sees(self, what):
        """Itself, once `what` is true of it."""
        while not what(self):
            self.take(self.next())
        return self

    def take(self, event):
        detail, kind = event["detail"], event["detail-type"]
        if kind == "ECS Task State Change" and detail["group"] == f"service:{self.name}":
            self.take_task(detail)
        elif kind == "ECS Deployment State Change" and event["resources"][0].endswith(f"/{self.name}"):
            self.deployments.setdefault(detail["deploymentId"], []).append((detail["eventName"], detail["reason"]))

    def take_task(self, detail):
        before = self.tasks.get(detail["taskArn"])
        self.tasks[detail["taskArn"]] = detail
        is_scheduled = detail.get("stopCode") == "ServiceSchedulerInitiated" and before and before["desiredStatus"] == "RUNNING"
        if is_scheduled and self.is_healthy(before, detail["updatedAt"]):
            healthy = [task for task in self.tasks.values() if self.is_healthy(task, detail["updatedAt"])]
            assert len(healthy) >= self.least, f"{len(healthy)} of {self.least} left: {self.summary()}"
        assert self.most is None or len(self.present()) <= self.most, self.summary()
        if self.asks:
            self.ask()

    def is_healthy(self, task, at):
        runs = task["lastStatus"] == task["desiredStatus"] == "RUNNING"
        return runs and seconds(at) - seconds(task["startedAt"]) >= self.healthy_after

    def ask(self):
        service = self.ecs.describe_services(services=[self.name])["services"][0]
        assert service["runningCount"] >= self.least, service
        assert service["runningCount"] + service["pendingCount"] <= self.most, service
        assert self.least <= len(self.ecs.list_tasks(serviceName=self.name)["taskArns"]) <= self.most

    def present(self):
        return [task for task in self.tasks.values() if task["lastStatus"] != "STOPPED"]

    def running(self, definition=None):
        wanted = (task for task in self.present() if task["lastStatus"] == task["desiredStatus"] == "RUNNING")
        return [task for task in wanted if definition in (None, task["taskDefinitionArn"])]

    def started_by(self, deployment):
        return [task for task in self.tasks.values() if task["startedBy"] == deployment]

    def told(self, deployment):
        return [name.removeprefix("SERVICE_DEPLOYMENT_") for name, _ in self.deployments.get(deployment, [])]

    def completes(self, service):
        """Once the deployment that `service` shows as its PRIMARY one has been completed."""
        return self.sees(lambda _: self.told(primary(service))[-1:] == ["COMPLETED"])

    def summary(self):
        return sorted((task["lastStatus"], task["desiredStatus"], task["startedBy"]) for task in self.present())


def primary(service):
    return service["deployments"][0]["id"]


def seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()
