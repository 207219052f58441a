"""Images made of what this host has: static busybox, and programs with the libraries they need. No registry is asked."""

import functools
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile

BUSYBOX = "/bin/busybox"
DIRECTORIES = ("bin", "etc", "tmp", "root", "var", "proc", "sys", "dev")
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}


@functools.cache
def busybox(*programs):
    """A layer: busybox with its applets as links, the files that programs look for, and programs of this host."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for directory in DIRECTORIES:
            add(tar, directory, type=tarfile.DIRTYPE, mode=0o1777 if directory == "tmp" else 0o755)
        add_host_file(tar, BUSYBOX)
        replaced = {pathlib.Path(program).name for program in programs}
        for applet in lines([BUSYBOX, "--list"]):
            if applet != "busybox" and applet not in replaced:
                add(tar, f"bin/{applet}", type=tarfile.LNKTYPE, linkname="bin/busybox", mode=0o755)
        for path, content in ACCOUNTS.items():
            add(tar, path, content.encode())
        for path in sorted({file for program in programs for file in files_of(program)}):
            add_host_file(tar, path)
    return buffer.getvalue()


def with_files(layer, paths):
    """The layer and further files of this host, at their places."""
    buffer = io.BytesIO(layer)
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        for path in paths:
            add_host_file(tar, path)
    return buffer.getvalue()


def with_file(layer, name, content):
    """The layer and a file that is on no host."""
    buffer = io.BytesIO(layer)
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        add(tar, name, content)
    return buffer.getvalue()


def files_of(program):
    """A program and its libraries, at the paths where the dynamic loader looks for them."""
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert path, f"{program} is not on this host"
    libraries = [word for line in lines(["ldd", path]) for word in line.split() if word.startswith("/")]
    return {path, *libraries}


def lines(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def add(tar, name, content=b"", **members):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    for member, value in members.items():
        setattr(entry, member, value)
    tar.addfile(entry, io.BytesIO(content))


def add_host_file(tar, path):
    add(tar, path.lstrip("/"), pathlib.Path(path).read_bytes(), mode=0o755)


def config(layer, how):
    """An image's configuration; `how` are members such as Cmd."""
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"], **how},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    }


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def docker_archive(name, layer, how):
    """What `docker save` writes."""
    document = json.dumps(config(layer, how)).encode()
    config_name = digest(document)[7:] + ".json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer/layer.tar"]}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        add(tar, config_name, document)
        add(tar, "layer/layer.tar", layer)
        add(tar, "manifest.json", json.dumps(manifest).encode())
    return buffer.getvalue()
