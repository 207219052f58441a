"""A real server, real containers, real clients. Each test session starts `slipway up` on a port and data directory of its own."""

import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile

import boto3
import pytest
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLIPWAY = pathlib.Path(os.environ.get("SLIPWAY_BIN", ROOT / "target/x86_64-unknown-linux-gnu/release/slipway"))
REGION = "us-east-1"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="starting containers needs root")


class Server:
    """One `slipway up`; `kill` is SIGKILL, `start` again adopts what runs."""

    def __init__(self, data_dir, *arguments):
        self.data_dir = pathlib.Path(data_dir)
        self.arguments = arguments
        self.listen = "127.0.0.1:0"
        self.process = None

    def start(self):
        log = open(self.data_dir.parent / f"{self.data_dir.name}.stderr", "ab")
        command = [SLIPWAY, "up", "--listen", self.listen, "--data-dir", self.data_dir, *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        match = re.search(r"ready on http://(\S+)", line)
        assert match, f"no ready line but {line!r}; see {log.name}"
        self.listen = match[1]
        return self

    @property
    def endpoint(self):
        return f"http://{self.listen}"

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

    def client(self, service="ecs"):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}),
        )


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("slipway") / "data").start()
    load_busybox(server)
    yield server
    stop_all(server)
    server.stop()
    forget(server)


@pytest.fixture
def ecs(server):
    return server.client()


def stop_all(server):
    ecs = server.client()
    for cluster in ecs.list_clusters()["clusterArns"]:
        tasks = ecs.list_tasks(cluster=cluster)["taskArns"]
        for task in tasks:
            ecs.stop_task(cluster=cluster, task=task)
        if tasks:
            ecs.get_waiter("tasks_stopped").wait(cluster=cluster, tasks=tasks, WaiterConfig={"Delay": 1})


def forget(server):
    shutil.rmtree(server.data_dir, ignore_errors=True)


def load_busybox(server, name="busybox:latest"):
    archive = server.data_dir.parent / "busybox.tar"
    archive.write_bytes(docker_archive(name, busybox_layer()))
    server.slipway("image", "load", archive)


def busybox_layer():
    """A root file system: static busybox, its applets as links, the files that programs look for."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for directory in ("bin", "etc", "tmp", "root", "var", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if directory == "tmp" else 0o755
            tar.addfile(entry)
        tar.add("/bin/busybox", "bin/busybox", filter=owned_by_root)
        applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
        for applet in applets:
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.LNKTYPE, "bin/busybox"
                tar.addfile(entry)
        add_file(tar, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        add_file(tar, "etc/group", "root:x:0:\nnogroup:x:65534:\n")
    return buffer.getvalue()


def owned_by_root(entry):
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def add_file(tar, name, content):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content.encode()))


def docker_archive(name, layer, config=None):
    """What `docker save` writes."""
    import hashlib

    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Cmd": ["sh"], **(config or {})},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    config_bytes = json.dumps(document).encode()
    config_name = hashlib.sha256(config_bytes).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer/layer.tar"]}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in (
            (config_name, config_bytes),
            ("layer/layer.tar", layer),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
