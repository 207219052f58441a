"""What processes hold and use, as the kernel accounts for it."""

import os
import pathlib

KIB = 1024


def resident(pid):
    return field(f"/proc/{pid}/status", "VmRSS")


def private(pid):
    """Pages that no other process has: written ones, and those of files that only it has mapped."""
    path = f"/proc/{pid}/smaps_rollup"
    return {"dirty": field(path, "Private_Dirty"), "clean": field(path, "Private_Clean"), "shared": shared(path)}


def shared(path):
    return field(path, "Shared_Clean") + field(path, "Shared_Dirty")


def field(path, name):
    """Bytes; the kernel says KiB."""
    line = next(line for line in open(path) if line.startswith(name + ":"))
    return int(line.split()[1]) * KIB


def cpu_seconds(pid):
    """Of all threads, also those that have ended; in ticks of 10 ms."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def shims(server):
    directory = os.fsencode(server.data_dir) + b"/runtime/"
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue  # It ended while we looked.
        # A container's first process is not a shim; between fork and execve it looks like one.
        if words[1:3] == [b"shim", b"serve"] and words[3].startswith(directory):
            found.append(int(path.parts[2]))
    return found


def mib(size):
    return f"{size / 1024 / 1024:.2f}"
