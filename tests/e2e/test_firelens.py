"""FireLens: containers' lines come to the task's log router as messages of the forward protocol, and the router finds the
configuration that the stock agent would give it. A small receiver stands in for Fluent Bit and Fluentd: it prints what it
finds and what it is sent."""

import itertools
import json
import re

import host
import images
import pytest
from conftest import needs_root, serving
from tasks import STAY, container, ended, register, run, wait

pytestmark = needs_root

PYTHON = "/usr/bin/python3"
MODULES = "import encodings.idna, json, signal, socket, struct, threading"
RECEIVER = r"""
import json, os, signal, socket, struct, threading

def say(**what):
    print(json.dumps(what), flush=True)

def take(stream, size):
    taken = stream.read(size)
    if len(taken) < size:
        raise EOFError
    return taken

def value(stream):
    first = take(stream, 1)[0]
    if first >> 4 == 0x9:
        return [value(stream) for _ in range(first & 0xF)]
    if first >> 4 == 0x8:
        return {value(stream): value(stream) for _ in range(first & 0xF)}
    if first >> 5 == 0x5:
        return take(stream, first & 0x1F).decode()
    if first in (0xD9, 0xDA, 0xDB):
        size = int.from_bytes(take(stream, 1 << first - 0xD9), "big")
        return take(stream, size).decode()
    if first == 0xD7:
        kind, seconds, nanoseconds = struct.unpack(">bII", take(stream, 9))
        assert kind == 0
        return seconds + nanoseconds / 1e9
    raise AssertionError(hex(first))

def receive(connection):
    with connection, connection.makefile("rb") as stream:
        try:
            while True:
                tag, time, record, option = value(stream)
                assert option == {}
                # A long line would come back in pieces.
                log, length = record["log"][:100], len(record["log"])
                say(tag=tag, time=time, length=length, record={**record, "log": log})
        except EOFError:
            pass

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
for path in ("/fluent-bit/etc/fluent-bit.conf", "/fluentd/etc/fluent.conf"):
    if os.path.exists(path):
        external = os.path.join(os.path.dirname(path), "external.conf")
        own = open(external).read() if os.path.exists(external) else None
        say(config=open(path).read(), own=own, environment={k: v for k, v in os.environ.items() if k.startswith("FLUENT")})
listener = socket.socket(socket.AF_UNIX)
listener.bind("/var/run/fluent.sock")
listener.listen()

def serve():
    while True:
        threading.Thread(target=receive, args=(listener.accept()[0],), daemon=True).start()

threading.Thread(target=serve, daemon=True).start()
while True:
    signal.pause()
"""


def python():
    """busybox, and as much of this host's Python as the receiver needs."""
    listed = f"{MODULES}; import sys; print(*(m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)), sep='\\n')"
    return images.with_files(images.busybox(PYTHON), images.lines([PYTHON, "-I", "-S", "-c", listed]))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("firelens")
    (directory / "s3/bucket").mkdir(parents=True)
    (directory / "s3/bucket/own.conf").write_text("[FILTER]\n    Name own\n")
    with serving(directory / "data", "--s3", str(directory / "s3")) as server:
        server.load("router:latest", python())
        yield server


@pytest.fixture
def ecs(server):
    return server.client()


def router(kind="fluentbit", options=None, **members):
    configuration = {"type": kind, **({"options": options} if options else {})}
    command = {"command": [PYTHON, "-I", "-S", "-c", RECEIVER]}
    # Until then it may read on.
    members = {"stopTimeout": 20, **members}
    return container("router", image="router", memory=128, firelensConfiguration=configuration, **command, **members)


def sending(script, options=None, **members):
    log = {"logDriver": "awsfirelens", **({"options": options} if options else {})}
    return container(script=script, logConfiguration=log, **members)


def said(server, task):
    """What the router said, line by line."""
    lines = server.slipway("logs", task, "--container", "router").stdout.splitlines()
    return [json.loads(line.split("| ", 1)[1]) for line in lines]


def records(server, task):
    return [message for message in said(server, task) if "record" in message]


def config(server, task):
    return next(line for line in said(server, task) if "config" in line)


def test_lines_come_with_where_they_are_from(server, ecs):
    app = sending("echo hello; sleep 0.05; printf 'no end' >&2", {"Name": "stdout"})
    task = ended(ecs, "sends", app, router())
    assert [one["exitCode"] for one in task["containers"]] == [0, 0]
    id = task["taskArn"].rsplit("/")[-1]
    runtime_id = next(one["runtimeId"] for one in task["containers"] if one["name"] == "app")
    first, second = records(server, task["taskArn"])
    revision = task["taskDefinitionArn"].rsplit(":")[-1]
    origin = {"container_id": runtime_id, "container_name": f"/ecs-sends-{revision}-app-{runtime_id[-20:]}"}
    assert first["record"] == {**origin, "source": "stdout", "log": "hello"}
    assert second["record"] == {**origin, "source": "stderr", "log": "no end"}
    assert {first["tag"], second["tag"]} == {f"app-firelens-{id}"}
    assert task["startedAt"].timestamp() - 1 < first["time"] < second["time"] < task["stoppedAt"].timestamp()


def test_the_router_has_everything_before_it_is_stopped(server, ecs):
    task = ended(ecs, "flood", sending("seq 1 20000", memory=64), router())
    assert [message["record"]["log"] for message in records(server, task["taskArn"])] == [str(n) for n in range(1, 20001)]


def test_long_lines_come_in_marked_pieces(server, ecs):
    task = ended(ecs, "long", sending("head -c 40000 /dev/zero | tr '\\0' x; echo"), router())
    pieces = records(server, task["taskArn"])
    marked = [(piece["length"], piece["record"].get("partial_message")) for piece in pieces]
    assert marked == [(16384, "true"), (16384, "true"), (7232, None)]


GENERATED = """
[INPUT]
    Name forward
    Mem_Buf_Limit 64MB
    unix_path /var/run/fluent.sock

[INPUT]
    Name forward
    Listen {listen}
    Port 24224

[INPUT]
    Name tcp
    Tag firelens-healthcheck
    Listen 127.0.0.1
    Port 8877

[FILTER]
    Name   grep
    Match app-firelens*
    Regex  log ^[A-Z]

[FILTER]
    Name record_modifier
    Match *
    Record ecs_cluster default
    Record ecs_task_arn {task}
    Record ecs_task_definition {definition}

@INCLUDE /own.conf

[OUTPUT]
    Name null
    Match firelens-healthcheck

[OUTPUT]
    Name http
    Match app-firelens*
    Host logs.example.com
"""
MODES = {"bridge": ("0.0.0.0", r"\d+\.\d+\.\d+\.\d+"), "awsvpc": ("127.0.0.1", r"127\.0\.0\.1")}


@pytest.mark.parametrize("mode", MODES)
def test_the_router_is_configured_and_others_told_of_it(server, ecs, mode):
    listen, address = MODES[mode]
    app = sending("echo HOST=$FLUENT_HOST PORT=$FLUENT_PORT", {"Name": "http", "Host": "logs.example.com", "include-pattern": "^[A-Z]"})
    own = router(options={"config-file-type": "file", "config-file-value": "/own.conf"})
    members = {"networkMode": mode}
    placed = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}} if mode == "awsvpc" else {}
    arn = run(ecs, register(ecs, "configured", app, own, **members), **placed)
    task = wait(ecs, "stopped", arn)
    definition = task["taskDefinitionArn"].rsplit("/")[-1]
    assert config(server, arn)["config"] == GENERATED.format(listen=listen, task=arn, definition=definition)
    (message,) = records(server, arn)
    assert re.fullmatch(f"HOST={address} PORT=24224", message["record"]["log"]), message


def test_fluentd_has_a_file_of_its_own_and_host_mode_no_port(server, ecs):
    quiet = router("fluentd", {"enable-ecs-log-metadata": "false"})
    app = sending("echo [$FLUENT_HOST]", {"@type": "stdout"})
    task = ended(ecs, "fluentd", app, quiet, networkMode="host")
    found = config(server, task["taskArn"])
    assert found["environment"] == {"FLUENT_UID": "0"}
    assert found["config"] == (
        "\n<source>\n    @type unix\n    path /var/run/fluent.sock\n</source>\n"
        "\n<match app-firelens**>\n    @type stdout\n</match>\n"
    )
    assert [message["record"]["log"] for message in records(server, task["taskArn"])] == ["[]"]


def from_s3(key):
    return router(options={"config-file-type": "s3", "config-file-value": f"arn:aws:s3:::bucket/{key}"})


def test_a_file_of_its_own_comes_from_s3(server, ecs):
    task = ended(ecs, "own", sending("exit 0", {"Name": "null"}), from_s3("own.conf"))
    found = config(server, task["taskArn"])
    assert "\n@INCLUDE /fluent-bit/etc/external.conf\n" in found["config"]
    assert found["own"] == "[FILTER]\n    Name own\n"


def test_a_file_that_s3_has_not(server, ecs):
    task = ended(ecs, "missing", sending("exit 0", {"Name": "null"}), from_s3("none.conf"))
    assert task["stoppedReason"] == (
        "ResourceInitializationError: unable to download firelens s3 config file: arn:aws:s3:::bucket/none.conf:"
        " NoSuchKey: The specified key does not exist."
    )


def test_options_without_an_output(server, ecs):
    task = ended(ecs, "nowhere", sending("exit 0", {"Host": "logs.example.com"}), router())
    assert (task["stopCode"], task["stoppedReason"]) == (
        "TaskFailedToStart",
        "ResourceInitializationError: unable to generate firelens config file: unable to apply log options of container app to"
        " firelens config: missing output key Name which is required for firelens configuration of type fluentbit",
    )
    host.settles(server, host.NOTHING)
    assert list((server.data_dir / "firelens").rglob("*")) == []


def test_no_line_is_lost_when_the_server_is_killed(server, ecs):
    count = "n=0; while [ $n -lt 400 ]; do n=$((n+1)); echo $n; sleep 0.01; done"
    task = run(ecs, register(ecs, "killed", sending(count), router()))
    wait(ecs, "running", task)
    for _ in range(3):
        server.kill()
        server.start()
    ended = wait(server.client(), "stopped", task)
    assert [one["exitCode"] for one in ended["containers"]] == [0, 0]
    numbers = [int(message["record"]["log"]) for message in records(server, task)]
    # A line that was on its way may come twice.
    assert [n for n, _ in itertools.groupby(sorted(numbers))] == list(range(1, 401))
    assert len(numbers) < 500


def test_a_router_that_ends_takes_the_task_with_it(server, ecs):
    gone = container("router", image="router", firelensConfiguration={"type": "fluentbit"}, script="sleep 1; exit 7")
    task = ended(ecs, "gone", sending(f"echo unheard; {STAY}"), gone)
    assert {one["name"]: one.get("exitCode") for one in task["containers"]}["router"] == 7
    host.settles(server, host.NOTHING)
