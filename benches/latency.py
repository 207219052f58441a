"""From RunTask to the container's first instruction, beside the bare OCI runtime doing the same bundle and beside `docker run`
of the same image. One run, interleaved. Needs root; measures Docker if there is a dockerd.

    target/venv/bin/python benches/latency.py [ROUNDS]
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import common
import conftest
import host
import images
from tasks import insist, wait

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 25
WARM_UP = 2


class Slipway:
    """RunTask over a connection that is open; the image is present."""

    def __init__(self, server, meeting, mode):
        self.server, self.meeting, self.ecs = server, meeting, server.client()
        self.caller = common.Caller(server)
        self.family = f"latency-{mode}"
        self.ecs.register_task_definition(**common.definition(meeting, self.family, mode))

    def once(self):
        request = self.caller.sign("RunTask", taskDefinition=self.family)
        sent = time.monotonic()
        answer = self.caller.send(request)
        accepted = time.monotonic()
        task = answer["tasks"][0]["taskArn"]
        describe = self.caller.sign("DescribeTasks", tasks=[task])
        began = self.meeting.wait()
        while self.caller.send(describe)["tasks"][0]["lastStatus"] != "RUNNING":
            pass
        running = time.monotonic()
        self.meeting.release()
        wait(self.ecs, "stopped", task)
        host.settles(self.server, host.NOTHING)
        return {"accepted": began - accepted, "sent": began - sent, "answer": accepted - sent, "running": running - began}


class Bare:
    """`slipway shim run` of the document that a task's shim compiles, with a root file system that is mounted before."""

    def __init__(self, directory, meeting, layer):
        self.directory, self.meeting = directory, meeting
        for name in ("lower", "upper", "work", "rootfs", "cgroup"):
            (directory / name).mkdir(parents=True)
        subprocess.run(["tar", "--extract", "--directory", directory / "lower"], input=layer, check=True)
        for name in ("hostname", "hosts", "resolv.conf"):
            (directory / name).touch()
        options = ",".join(f"{key}dir={directory}/{name}" for key, name in (("lower", "lower"), ("upper", "upper"), ("work", "work")))
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, directory / "rootfs"], check=True)
        text = (pathlib.Path(__file__).parent / "bundle.json").read_text()
        document = json.loads(text.replace("@BUNDLE@", str(directory)).replace("@BENCH@", str(meeting.directory)))
        document["process"]["args"] = meeting.COMMAND
        document["linux"]["resources"] = {"memory": {"limit": common.MEMORY_MIB << 20}, "cpu": {"shares": 2}}
        self.document = document

    def once(self):
        self.document["linux"]["cgroupsPath"] = f"/slipway-bench/{time.monotonic_ns()}"
        (self.directory / "config.json").write_text(json.dumps(self.document))
        spawned = time.monotonic()
        process = subprocess.Popen([common.SLIPWAY, "shim", "run", self.directory])
        began = self.meeting.wait()
        self.meeting.release()
        assert process.wait() == 0
        return {"sent": began - spawned}

    def close(self):
        subprocess.run(["umount", self.directory / "rootfs"], check=True)
        for group in host.CGROUPS.glob("*/slipway-bench"):
            insist(group.rmdir, OSError)


class Docker:
    """`docker run` with no network, which is its fastest; a daemon of its own, gone afterwards."""

    def __init__(self, directory, meeting, archive):
        self.meeting, self.socket = meeting, f"unix://{directory}/docker.sock"
        directory.mkdir()
        (directory / "image.tar").write_bytes(archive)
        roots = [f"--data-root={directory}/data", f"--exec-root={directory}/exec", f"--pidfile={directory}/pid"]
        network = ["--iptables=false", "--ip6tables=false", "--bridge=none"]
        with open(directory / "log", "wb") as log:
            command = ["dockerd", *roots, *network, f"--host={self.socket}"]
            self.daemon = subprocess.Popen(command, stdout=log, stderr=log)
        insist(lambda: self.docker("version"), subprocess.CalledProcessError, seconds=30)
        self.docker("load", "--input", directory / "image.tar")

    def docker(self, *arguments):
        return subprocess.run(["docker", "--host", self.socket, *arguments], check=True, capture_output=True)

    def once(self):
        mount = f"{self.meeting.directory}:/bench"
        limits = ["--memory", f"{common.MEMORY_MIB}m", "--cpu-shares", "2"]
        command = ["docker", "--host", self.socket, "run", "--rm", "--network=none", *limits, "--volume", mount, "busybox"]
        spawned = time.monotonic()
        process = subprocess.Popen([*command, *self.meeting.COMMAND])
        began = self.meeting.wait()
        self.meeting.release()
        assert process.wait() == 0
        return {"sent": began - spawned}

    def close(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait()


@contextlib.contextmanager
def subjects(directory):
    layer = images.busybox()
    with contextlib.ExitStack() as stack, conftest.serving(directory / "data") as server:
        meeting = common.Meeting(directory / "bench")
        bare = Bare(directory / "bare", meeting, layer)
        stack.callback(bare.close)
        found = {"none": Slipway(server, meeting, "none"), "bridge": Slipway(server, meeting, "bridge"), "bare": bare}
        if shutil.which("dockerd"):
            docker = Docker(directory / "docker", meeting, images.docker_archive("busybox:latest", layer, {}))
            stack.callback(docker.close)
            found["docker"] = docker
        yield found


def measure(directory):
    with subjects(directory) as found:
        for _ in range(WARM_UP):
            for subject in found.values():
                subject.once()
        results = {name: [] for name in found}
        for _ in range(ROUNDS):
            for name, subject in found.items():
                results[name].append(subject.once())
    return results


def report(results):
    def column(name, what):
        return [result[what] for result in results[name]]

    bare = column("bare", "sent")
    docker = column("docker", "sent") if "docker" in results else None

    def row(label, values, compared=True):
        ratio = f"{statistics.median(values) / statistics.median(bare):.2f}"
        faster = f"{statistics.median(docker) / statistics.median(values):.1f}" if docker else "no dockerd"
        return [label, *common.summary(values), *([ratio, faster] if compared else ["", ""])]

    rows = [row("bare runtime, spawned to first instruction", bare)]
    for mode in ("none", "bridge"):
        rows.append(row(f"RunTask, {mode}: accepted to first instruction", column(mode, "accepted")))
        rows.append(row(f"RunTask, {mode}: sent to first instruction", column(mode, "sent")))
        rows.append(row(f"RunTask, {mode}: sent to accepted", column(mode, "answer"), False))
        rows.append(row(f"RunTask, {mode}: first instruction to RUNNING", column(mode, "running"), False))
    if docker:
        rows.append(row("docker run, spawned to first instruction", docker))
    print(f"{ROUNDS} rounds, interleaved; milliseconds; {common.load()}")
    common.table(["what", "median", "fastest", "90 %", "x bare", "docker is x slower"], *rows)


if __name__ == "__main__":
    assert os.geteuid() == 0, "starting containers needs root"
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slipway-latency-"))
    try:
        report(measure(directory))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
