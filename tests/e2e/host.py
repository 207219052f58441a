"""What a server holds of its host, as the host tells it: to see that nothing is left behind, and to take away what is."""

import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess

from tasks import insist

CGROUPS = pathlib.Path("/sys/fs/cgroup")
NOTHING = {"groups": [], "processes": [], "mounts": [], "files": [], "ports": [], "elements": []}


def name(server):
    """What the server calls its groups and its firewall table on this host: `slipway` and a hash of its data directory."""
    hash = 0x811C9DC5
    for byte in os.fsencode(server.data_dir.resolve()):
        hash = (hash ^ byte) * 0x01000193 % 2**32
    return f"slipway-{(hash >> 16) ^ (hash & 0xFFFF):04x}"


def census(server):
    """All that belongs to tasks. What is kept on purpose is not in it: logs, images, a few namespaces in store."""
    own = name(server)
    return {
        "groups": groups(own),
        "processes": processes(server),
        "mounts": [line.split()[4] for line in open("/proc/self/mountinfo") if f" {server.data_dir.resolve()}/" in line],
        "files": sorted(str(path) for home in homes(server) for part in ("runtime/*", "net/netns/*", "net/attachments/*") for path in home.glob(part)),
        "ports": ports(server),
        "elements": [element for table in tables(server) for element in elements(table)],
    }


def settles(server, expected):
    """STOPPED is said once containers have ended; the kernel and the node's tidying follow in their own time."""

    def check():
        found = census(server)
        assert found == expected, {key: value for key, value in found.items() if value != expected[key]}

    insist(check, AssertionError)


def descriptors_settle(server, most):
    """Connections that are over are closed, and nothing else is kept open for them."""

    def check():
        assert len(descriptors(server)) <= most

    insist(check, AssertionError)


def groups(own):
    found = (path for hierarchy in CGROUPS.iterdir() for path in (hierarchy / own).glob("**/"))
    return sorted(str(path) for path in found if path.name != own and path.parent.name + path.name[:5] != own + "node-")


def homes(server):
    """The server's own directory, and those of nodes beside each other."""
    return [server.data_dir, *server.data_dir.glob("nodes/node-*")]


def tables(server):
    return [name(server), *(f"{name(server)}-{home.name}" for home in homes(server)[1:])]


def processes(server):
    """Shims, by the directory they are given, and whatever is in the server's groups."""
    found = {pid for path in CGROUPS.glob(f"*/{name(server)}/**/cgroup.procs") for pid in words(path)}
    directories = [os.fsencode(home) + b"/runtime/" for home in homes(server)]
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
            found |= {path.parts[2]} if any(directory in command for directory in directories) else set()
        except OSError:
            pass  # It ended while we looked.
    return sorted(map(int, found))


def words(path):
    try:
        return path.read_text().split()
    except OSError:
        return []


def ports(server):
    """Ports that the server's own process listens on for tasks."""
    if not server.is_running:
        return []
    sockets = {link[8:-1] for link in map(target, descriptors(server)) if link.startswith("socket:[")}
    rows = [line.split() for line in open("/proc/net/tcp")][1:]
    listening = [row[1].split(":") for row in rows if row[3] == "0A" and row[9] in sockets]
    # What containers are led to that ask about themselves listens on 127.0.0.1, which no published port does alone.
    listening = {int(port, 16) for address, port in listening if address != "0100007F"}
    return sorted(listening - {int(server.listen.split(":")[1])})


def descriptors(server):
    return list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir())


def target(link):
    try:
        return os.readlink(link)
    except OSError:
        return ""


def elements(table):
    """Published ports, if there is an `nft` to ask; without it their listening sockets must tell."""
    if not shutil.which("nft"):
        return []
    listed = subprocess.run(["nft", "-j", "list", "table", "ip", table], capture_output=True, text=True)
    rules = json.loads(listed.stdout)["nftables"] if listed.returncode == 0 else []
    return [element for rule in rules for element in rule.get("map", {}).get("elem", [])]


def has_table(table):
    return nftables(message(NFT_GETTABLE, table)) != -errno.ENOENT


def delete_table(table):
    begin, end = (message(kind) for kind in (NFNL_BATCH_BEGIN, NFNL_BATCH_END))
    nftables(begin + message(NFT_DELTABLE, table) + end)


# linux/netfilter/nfnetlink.h and nf_tables.h: what `nft` would say, which a host need not have.
NFNL_BATCH_BEGIN, NFNL_BATCH_END = 0x10, 0x11
NFT_GETTABLE, NFT_DELTABLE = 10 << 8 | 1, 10 << 8 | 2
NETLINK_NETFILTER, NFPROTO_IPV4, REQUEST_AND_ACK, NLMSG_ERROR = 12, 2, 5, 2


def message(kind, table=""):
    name = table.encode() + b"\0"
    attribute = struct.pack("HH", 4 + len(name), 1) + name + bytes(-len(name) % 4) if table else b""
    family, flags, resource = (NFPROTO_IPV4, REQUEST_AND_ACK, 0) if table else (0, 1, 10)
    body = struct.pack("BB", family, 0) + struct.pack("!H", resource) + attribute
    return struct.pack("IHHII", 16 + len(body), kind, flags, 0, 0) + body


def nftables(sent):
    """The errno of the first answer, negative, or 0."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        netlink.send(sent)
        answer = netlink.recv(65536)
    kind, error = struct.unpack_from("H", answer, 4)[0], struct.unpack_from("i", answer, 16)[0]
    return error if kind == NLMSG_ERROR else 0


def traces(server):
    """What is left of a server that ended with no task: the host shall be as it was found."""
    own = name(server)
    left = [f"table {table}" for table in tables(server) if has_table(table)]
    left += [f"address {address}" for address in addresses(server) if is_ours(address)]
    return [str(path) for path in (*links(own), *CGROUPS.glob(f"*/{own}"))] + left


def addresses(server):
    """Those of nodes beside each other, by the name of each node."""
    path = server.data_dir / "nodes" / "range.json"
    network = json.loads(path.read_text()).split(".")[:2] if path.exists() else []
    return [".".join([*network, home.name.split("-")[1], "1"]) for home in homes(server)[1:]] if network else []


def is_ours(address):
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
            return True
        except OSError:
            return False


def links(own):
    return list(pathlib.Path("/sys/class/net").glob(own.replace("slipway-", "sl") + "*"))


def sweep(server):
    """After a broken test or server."""
    for pid in processes(server):
        os.kill(pid, signal.SIGKILL)
    for mount in reversed(census(server)["mounts"]):
        subprocess.run(["umount", "--lazy", mount], capture_output=True)
    own = name(server)
    for link in links(own):
        subprocess.run(["ip", "link", "delete", link.name], capture_output=True)
    for table in tables(server):
        delete_table(table)
    for address in addresses(server):
        subprocess.run(["ip", "address", "delete", f"{address}/32", "dev", "lo"], capture_output=True)
    insist(lambda: remove_groups(own), OSError)


def remove_groups(own):
    for path in sorted(CGROUPS.glob(f"*/{own}/**/"), reverse=True):
        path.rmdir()
