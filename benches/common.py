"""What the benchmarks share: a server of their own, a container that says when it begins, and tables."""

import os
import pathlib
import select
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import conftest  # noqa: E402
import http.client  # noqa: E402
import json  # noqa: E402
import wire  # noqa: E402

SLIPWAY = conftest.SLIPWAY
MEMORY_MIB = 64
PATIENCE_SECONDS = 30


class Meeting:
    """A directory that is mounted in the container, with two pipes: in one it says that it runs, from the other it reads when
    to end."""

    COMMAND = ["sh", "-c", "echo >/bench/said; read line </bench/hold"]

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        for name in ("said", "hold"):
            os.mkfifo(self.directory / name)
        # Open for both: neither side ever waits for the other to open.
        self.said, self.hold = (os.open(self.directory / name, os.O_RDWR) for name in ("said", "hold"))

    def wait(self):
        """The moment of the container's first instruction, as close as a reader of a pipe can tell."""
        readable, _, _ = select.select([self.said], [], [], PATIENCE_SECONDS)
        now = time.monotonic()
        assert readable, "the container did not begin"
        os.read(self.said, 1)
        return now

    def release(self, count=1):
        os.write(self.hold, b"\n" * count)


class Caller:
    """One keep-alive connection, with requests signed beforehand: nothing but the server's time is measured."""

    def __init__(self, server):
        self.endpoint = server.endpoint
        self.connection = http.client.HTTPConnection(server.listen, timeout=60)
        self.connection.connect()

    def sign(self, name, **body):
        return wire.operation(self.endpoint, name, body)

    def send(self, request):
        self.connection.request("POST", "/", request.body, dict(request.headers))
        return json.loads(self.connection.getresponse().read())

    def call(self, name, **body):
        return self.send(self.sign(name, **body))


def definition(meeting, family, mode, **members):
    container = {
        "name": "app",
        "image": "busybox",
        "memory": MEMORY_MIB,
        "command": Meeting.COMMAND,
        "mountPoints": [{"sourceVolume": "bench", "containerPath": "/bench"}],
    }
    volumes = [{"name": "bench", "host": {"sourcePath": str(meeting.directory)}}]
    return {"family": family, "networkMode": mode, "volumes": volumes, "containerDefinitions": [container], **members}


def milliseconds(seconds):
    return f"{seconds * 1000:.1f}"


def quantile(values, fraction):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


def summary(values):
    """Median, fastest, and the one that nine in ten do not exceed."""
    return [milliseconds(v) for v in (statistics.median(values), min(values), quantile(values, 0.9))]


def table(head, *rows):
    widths = [max(len(str(row[n])) for row in (head, *rows)) for n in range(len(head))]
    for row in (head, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |")


def load():
    return "load average " + " ".join(f"{value:.1f}" for value in os.getloadavg())
