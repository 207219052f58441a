"""The awslogs driver: what containers write, as events of CloudWatch Logs."""

import contextlib
import os
import pathlib
import signal
import time

import pytest
from conftest import REGION, needs_root, serving
from tasks import container, ended, insist, register, run, wait

pytestmark = needs_root


@pytest.fixture
def logs(server):
    return server.client("logs")


def awslogs(group, **options):
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return {"logDriver": "awslogs", "options": {"awslogs-group": group, "awslogs-region": REGION, **named}}


def writes(script, group, **options):
    return container(script=script, logConfiguration=awslogs(group, **options))


def stream(arn, prefix="p", name="app"):
    return f"{prefix}/{name}/{arn.rsplit('/')[-1]}"


def events(logs, group, stream):
    """All of a stream, in order."""
    read = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
    answer = logs.get_log_events(**read)
    while answer["events"]:
        yield from answer["events"]
        answer = logs.get_log_events(**read, nextToken=answer["nextForwardToken"])


def messages(logs, group, stream):
    return [event["message"] for event in events(logs, group, stream)]


def numbers(logs, group, stream):
    return [int(message) for message in messages(logs, group, stream)]


def test_lines_of_a_container_are_in_its_stream_when_it_is_stopped(server, ecs, logs):
    before = int(time.time() * 1000)
    logs.create_log_group(logGroupName="/awslogs/lines")
    script = "echo one; echo; echo two >&2; printf 'no line end'"
    arn = ended(ecs, "lines", writes(script, "/awslogs/lines", awslogs_stream_prefix="p"))["taskArn"]
    found = list(events(logs, "/awslogs/lines", stream(arn)))
    assert [event["message"] for event in found] == ["one", "two", "no line end"], "as in Docker, an empty line is no event"
    assert all(before <= event["timestamp"] <= event["ingestionTime"] <= time.time() * 1000 for event in found)
    assert server.slipway("logs", arn).stdout.splitlines() == ["app | one", "app | ", "app | two", "app | no line end"]


def test_without_a_prefix_the_stream_is_named_after_the_container(ecs, logs):
    logs.create_log_group(logGroupName="/awslogs/unnamed")
    task = ended(ecs, "unnamed", writes("echo hello", "/awslogs/unnamed"))
    assert messages(logs, "/awslogs/unnamed", task["containers"][0]["runtimeId"]) == ["hello"]


def test_a_long_line_is_one_event_and_one_that_is_too_long_is_several(ecs, logs):
    script = "head -c 100000 /dev/zero | tr '\\0' x; echo; head -c 300000 /dev/zero | tr '\\0' y; echo"
    arn = ended(ecs, "long", writes(script, "/awslogs/long", awslogs_stream_prefix="p", awslogs_create_group="true"))["taskArn"]
    found = messages(logs, "/awslogs/long", stream(arn))
    assert found[0] == "x" * 100000
    assert "".join(found[1:]) == "y" * 300000 and all(len(message) <= 262118 for message in found)


def test_a_missing_group_keeps_a_container_from_starting(ecs, logs):
    task = ended(ecs, "no-group", writes("echo", "/awslogs/missing", awslogs_stream_prefix="p"))
    cause = "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist."
    assert task["stoppedReason"] == f"ResourceInitializationError: failed to initialize logging driver: {cause}"
    assert task["stopCode"] == "TaskFailedToStart"
    assert logs.describe_log_groups(logGroupNamePrefix="/awslogs/missing")["logGroups"] == []


def test_a_group_is_made_where_the_definition_says_so(ecs, logs):
    options = {"awslogs_stream_prefix": "p", "awslogs_create_group": "true"}
    tasks = [ended(ecs, "made", writes(f"echo {n}", "/awslogs/made", **options))["taskArn"] for n in range(2)]
    assert [messages(logs, "/awslogs/made", stream(arn)) for arn in tasks] == [["0"], ["1"]]


def test_options_that_make_no_sense_are_told(ecs):
    both = {"awslogs_multiline_pattern": "^a", "awslogs_datetime_format": "%Y"}
    task = ended(ecs, "two-patterns", writes("echo", "g", awslogs_stream_prefix="p", **both))
    assert "you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern'" in task["stoppedReason"]


@pytest.mark.parametrize(
    "option, value, first",
    [("awslogs_multiline_pattern", "^INFO", "INFO first"), ("awslogs_datetime_format", r"\[%Y-%m-%d\]", "[2026-11-20] first")],
)
def test_lines_that_belong_together_are_one_event(ecs, logs, option, value, first):
    group, family = f"/awslogs/{option}", option.replace("_", "-")
    second = first.replace("first", "second")
    script = f"echo '{first}'; echo '  at a'; echo; echo '{second}'; echo '  at b'"
    options = {"awslogs_stream_prefix": "p", "awslogs_create_group": "true", option: value}
    arn = ended(ecs, family, writes(script, group, **options))["taskArn"]
    assert messages(logs, group, stream(arn)) == [f"{first}\n  at a\n\n", f"{second}\n  at b\n"]


def test_each_container_of_a_task_has_a_stream(ecs, logs):
    logs.create_log_group(logGroupName="/awslogs/two")
    two = [{**writes(f"echo {name}", "/awslogs/two", awslogs_stream_prefix="p"), "name": name} for name in ("a", "b")]
    two[0]["dependsOn"] = [{"containerName": "b", "condition": "COMPLETE"}]
    two[1]["essential"] = False
    arn = ended(ecs, "two", *two)["taskArn"]
    assert [messages(logs, "/awslogs/two", stream(arn, name=name)) for name in ("a", "b")] == [["a"], ["b"]]


def test_however_often_the_server_is_killed_each_line_is_there_once(own):
    logs = own.client("logs")
    logs.create_log_group(logGroupName="g")
    lines = 150000
    script = f"i=0; while [ $i -lt {lines} ]; do echo $i; i=$((i+1)); done"
    options = {"awslogs_stream_prefix": "p", "mode": "blocking"}
    arns = [run(own.client(), register(own.client(), f"f{n}", writes(script, "g", **options))) for n in range(2)]
    for delay_ms in (300, 50, 150, 20, 250, 0, 100, 200, 10, 30):
        # Not for anything to happen: the kill shall come at another moment each time.
        time.sleep(delay_ms / 1000)
        own.kill()
        own.start()
    for arn in arns:
        wait(own.client(), "stopped", arn)
        assert numbers(own.client("logs"), "g", stream(arn)) == list(range(lines))


def test_each_of_several_nodes_sends_on_what_its_containers_write(tmp_path):
    with serving(tmp_path / "data", "--nodes", "2") as server:
        ecs, logs = server.client(), server.client("logs")
        logs.create_log_group(logGroupName="g")
        definition = register(ecs, "nodes", writes("echo hello", "g", awslogs_stream_prefix="p"))
        spread = [{"type": "spread", "field": "instanceId"}]
        tasks = ecs.run_task(taskDefinition=definition, count=2, placementStrategy=spread)["tasks"]
        done = [wait(ecs, "stopped", task["taskArn"]) for task in tasks]
        assert len({task["containerInstanceArn"] for task in done}) == 2
        assert [messages(logs, "g", stream(task["taskArn"])) for task in done] == [["hello"], ["hello"]]


class Gate:
    """Where a container waits until the test lets it go on, and where it says that it is done."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        os.mkfifo(directory / "go")
        os.mkfifo(directory / "done")

    def around(self, script):
        return f"cat /gate/go; {script}; echo > /gate/done"

    def run(self, ecs, family, app):
        app["mountPoints"] = [{"sourceVolume": "gate", "containerPath": "/gate"}]
        volume = {"name": "gate", "host": {"sourcePath": str(self.directory)}}
        arn = run(ecs, register(ecs, family, app, volumes=[volume]))
        wait(ecs, "running", arn)
        return arn

    def open(self):
        (self.directory / "go").write_text("")

    def wait(self):
        (self.directory / "done").read_text()


def test_a_container_waits_for_a_server_that_takes_nothing_and_loses_nothing(own, tmp_path):
    own.client("logs").create_log_group(logGroupName="g")
    gate, lines = Gate(tmp_path / "gate"), 60000
    # More than the files of its output hold, thirty MiB.
    script = gate.around(f"seq {lines} | sed 's/$/ {'x' * 1000}/'")
    arn = gate.run(own.client(), "waits", writes(script, "g", awslogs_stream_prefix="p", mode="blocking"))
    pause(own)
    gate.open()
    kept = own.data_dir / "logs" / arn.rsplit("/")[-1]
    insist(lambda: full(kept), AssertionError, seconds=60)
    own.process.send_signal(signal.SIGCONT)
    gate.wait()
    wait(own.client(), "stopped", arn)
    found = messages(own.client("logs"), "g", stream(arn))
    assert [int(message.split()[0]) for message in found] == list(range(1, lines + 1))


def pause(server):
    server.process.send_signal(signal.SIGSTOP)
    insist(lambda: all_stopped(server.process.pid), AssertionError)


def all_stopped(process):
    states = [stat.read_text().rpartition(")")[2].split()[0] for stat in pathlib.Path(f"/proc/{process}/task").glob("*/stat")]
    assert set(states) == {"T"}, states


def full(directory):
    assert sum(file.stat().st_size for file in directory.glob("app.log*")) >= 30 * 1024 * 1024


def test_what_does_not_fit_a_buffer_is_dropped_and_counted(own, tmp_path):
    own.client("logs").create_log_group(logGroupName="g")
    gate, lines = Gate(tmp_path / "gate"), 20000
    options = {"awslogs_stream_prefix": "p", "mode": "non-blocking", "max_buffer_size": "10k"}
    arn = gate.run(own.client(), "drops", writes(gate.around(f"seq {lines}"), "g", **options))
    pause(own)
    gate.open()
    gate.wait()
    own.process.send_signal(signal.SIGCONT)
    wait(own.client(), "stopped", arn)
    seen, told = 0, 0
    for message in messages(own.client("logs"), "g", stream(arn)):
        if message.startswith("slipway: "):
            assert "max-buffer-size" in message
            seen, told = seen + int(message.split()[1]), told + 1
        else:
            seen += 1
            assert int(message) == seen
    assert (seen, told > 0) == (lines, True), "every line is there or counted"
    stderr = (own.data_dir.parent / f"{own.data_dir.name}.stderr").read_text()
    assert "log lines were dropped" in stderr


def test_a_stream_that_is_deleted_is_made_again_for_what_comes(ecs, logs, tmp_path):
    logs.create_log_group(logGroupName="/awslogs/deleted")
    gate = Gate(tmp_path / "gate")
    app = writes("echo before; " + gate.around("echo after"), "/awslogs/deleted", awslogs_stream_prefix="p")
    arn = gate.run(ecs, "deleted", app)
    named = {"logGroupName": "/awslogs/deleted", "logStreamName": stream(arn)}
    insist(lambda: next(events(logs, "/awslogs/deleted", stream(arn))), StopIteration)
    logs.delete_log_stream(**named)
    gate.open()
    gate.wait()
    wait(ecs, "stopped", arn)
    assert messages(logs, "/awslogs/deleted", stream(arn)) == ["after"]


@contextlib.contextmanager
def tailing(server, *groups, **members):
    """A live tail that has begun; answers its updates."""
    logs = server.client("logs", inject_host_prefix=False)
    arns = [f"arn:aws:logs:{REGION}:123456789012:log-group:{group}" for group in groups]
    stream = logs.start_live_tail(logGroupIdentifiers=arns, **members)["responseStream"]
    with contextlib.closing(stream):
        updates = iter(stream)
        assert next(updates)["sessionStart"]["logGroupIdentifiers"] == arns
        yield (update["sessionUpdate"] for update in updates)


def seen(updates, count):
    """The first results, whatever comes between."""
    results = []
    while len(results) < count:
        results += next(updates)["sessionResults"]
    return results


def test_a_line_of_a_container_is_in_a_live_tail_at_once(server, ecs, logs, tmp_path):
    logs.create_log_group(logGroupName="/awslogs/live")
    gate = Gate(tmp_path / "gate")
    app = writes(gate.around("echo INFO a; echo ERROR b"), "/awslogs/live", awslogs_stream_prefix="p")
    arn = gate.run(ecs, "live", app)
    with tailing(server, "/awslogs/live") as updates, tailing(server, "/awslogs/live", logEventFilterPattern="ERROR") as errors:
        opened = time.time()
        gate.open()
        first = seen(updates, 1)[0]
        took = time.time() - opened
        assert (first["message"], first["logStreamName"]) == ("INFO a", stream(arn))
        assert first["logGroupIdentifier"] == "123456789012:/awslogs/live"
        assert took < 0.2
        assert [result["message"] for result in seen(errors, 1)] == ["ERROR b"]
    gate.wait()


def test_a_live_tail_is_of_the_streams_it_names_and_of_new_ones(server, logs):
    for group in ("/awslogs/tail1", "/awslogs/tail2"):
        logs.create_log_group(logGroupName=group)

    def put(group, name, message):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        event = {"timestamp": int(time.time() * 1000), "message": message}
        logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=[event])

    both = tailing(server, "/awslogs/tail1", "/awslogs/tail2")
    named = tailing(server, "/awslogs/tail1", logStreamNamePrefixes=["a", "x"])
    with both as of_both, named as of_some:
        put("/awslogs/tail1", "b", "one")
        put("/awslogs/tail2", "a", "two")
        put("/awslogs/tail1", "ab", "three")
        assert [result["message"] for result in seen(of_both, 3)] == ["one", "two", "three"]
        assert [result["logStreamName"] for result in seen(of_some, 1)] == ["ab"]
        quiet = next(of_both)
        assert quiet == {"sessionMetadata": {"sampled": False}, "sessionResults": []}, "an update a second also then"


def test_a_live_tail_of_a_flood_is_a_sample(server, logs):
    logs.create_log_group(logGroupName="/awslogs/flood")
    logs.create_log_stream(logGroupName="/awslogs/flood", logStreamName="s")
    with tailing(server, "/awslogs/flood") as updates:
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": str(n)} for n in range(2000)]
        logs.put_log_events(logGroupName="/awslogs/flood", logStreamName="s", logEvents=events)
        update = next(updates)
        while not update["sessionResults"]:
            update = next(updates)
        assert update["sessionMetadata"] == {"sampled": True} and len(update["sessionResults"]) == 500


def test_a_live_tail_that_makes_no_sense_is_refused(server, logs):
    logs.create_log_group(logGroupName="/awslogs/refused")
    tail = server.client("logs", inject_host_prefix=False).start_live_tail
    arn = f"arn:aws:logs:{REGION}:123456789012:log-group:/awslogs/"
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        tail(logGroupIdentifiers=[arn + "none"])
    for members in ({"logEventFilterPattern": "{ $.a"}, {"logStreamNames": ["a"], "logStreamNamePrefixes": ["b"]}):
        with pytest.raises(logs.exceptions.InvalidParameterException):
            tail(logGroupIdentifiers=[arn + "refused"], **members)
