"""A real server, real containers, real clients. A server of a test has a port and a data directory of its own, and nothing of
it outlives the test, also when the test or the server breaks."""

import contextlib
import json
import os
import pathlib
import random
import re
import socket
import select
import shutil
import signal
import subprocess

import boto3
import host
import images
import pytest
from botocore.config import Config
from tasks import stop_all

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLIPWAY = pathlib.Path(os.environ.get("SLIPWAY_BIN", ROOT / "target/x86_64-unknown-linux-gnu/release/slipway"))
CASES = pathlib.Path(os.environ.get("SLIPWAY_CASES", ROOT.parent / "shared/cases"))
REGION = "us-east-1"
READY_SECONDS = 30

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="starting containers needs root")


def pytest_configure(config):
    # Whoever ends the tests early, `timeout` say, ends them as Ctrl-C does: fixtures are torn down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "last: run after all others, because what it waits for takes its time")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def quiet_port():
    """A free port that the kernel gives to no client: a server that is killed and started again finds it free."""
    first_of_clients = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(20000, first_of_clients), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


class Server:
    """One `slipway up`; `kill` is SIGKILL, `start` again adopts what runs."""

    def __init__(self, data_dir, *arguments):
        self.data_dir = pathlib.Path(data_dir)
        self.arguments = arguments
        self.listen = f"127.0.0.1:{quiet_port()}"
        self.process = None

    def start(self):
        log = self.data_dir.parent / f"{self.data_dir.name}.stderr"
        command = [SLIPWAY, "up", "--listen", self.listen, "--data-dir", self.data_dir, *self.arguments]
        with open(log, "ab") as stderr:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        readable, _, _ = select.select([self.process.stdout], [], [], READY_SECONDS)
        line = self.process.stdout.readline() if readable else ""
        match = re.search(r"ready on http://(\S+)", line)
        assert match, f"no ready line but {line!r}; {log.read_text()}"
        self.listen = match[1]
        return self

    @property
    def endpoint(self):
        return f"http://{self.listen}"

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def environment(self):
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return {**os.environ, **keys, "AWS_ENDPOINT_URL": self.endpoint, "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": ""}

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)

    def aws(self, *arguments, check=True):
        """The unmodified AWS CLI; answers its JSON, or the failed process with check=False."""
        command = [ROOT / "target/venv/bin/aws", *map(str, arguments)]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=120)
        if not check:
            return done
        assert done.returncode == 0, f"aws {' '.join(map(str, arguments))}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout

    def slipway(self, *arguments, check=True, timeout=120):
        command = [SLIPWAY, *map(str, arguments), "--listen", self.listen]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=timeout, check=check)

    def client(self, service="ecs", **config):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}, **config),
        )

    def load(self, name, layer, **config):
        archive = self.data_dir.parent / "image.tar"
        archive.write_bytes(images.docker_archive(name, layer, config))
        self.slipway("image", "load", archive)
        archive.unlink()


@contextlib.contextmanager
def gone_afterwards(server):
    """Whatever happens, nothing of the server is left."""
    try:
        yield server
    finally:
        if server.is_running:
            server.kill()
        host.sweep(server)
        shutil.rmtree(server.data_dir, ignore_errors=True)


@contextlib.contextmanager
def serving(data_dir, *arguments):
    """A server that has busybox; when all its tasks are stopped it has nothing left on the host, by itself."""
    with gone_afterwards(Server(data_dir, *arguments)) as server:
        server.start()
        server.load("busybox:latest", images.busybox())
        yield server
        if not server.is_running:
            server.start()
        stop_all(server.client())
        host.settles(server, host.NOTHING)
        server.stop()
        assert host.traces(server) == []


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("slipway") / "data") as server:
        yield server


@pytest.fixture
def ecs(server):
    return server.client()


@pytest.fixture
def own(tmp_path):
    """A server that the test may kill."""
    with serving(tmp_path / "data") as server:
        yield server
