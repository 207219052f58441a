"""The command line: `slipway run` with a server of its own or one that serves, interrupted and not; `env`; what `up` refuses."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import host
import pytest
import tasks
import wire
from conftest import ROOT, SLIPWAY, Server, gone_afterwards, needs_root
from tasks import container, fetch

pytestmark = needs_root

HELLO = ROOT / "examples/hello/task-definition.json"
# Both programs of it are at work, and listen to what they are told.
READY = (r"^web \| listening on port 8080$", r"^sidecar \| that was all")
STUBBORN = "trap '' TERM; echo ignoring; while :; do sleep 1; done"


class Run(Server):
    """`slipway run FILE`, in a session of its own as a shell would have it, so that Ctrl-C reaches all of it."""

    def __init__(self, data_dir, file, listen="127.0.0.1:0"):
        super().__init__(data_dir)
        self.listen, self.file, self.shown = listen, file, ""

    def start(self, stdout=subprocess.PIPE):
        command = [SLIPWAY, "run", self.file, "--listen", self.listen, "--data-dir", self.data_dir]
        self.process = subprocess.Popen(
            command, stdout=stdout, stderr=subprocess.PIPE, env=self.environment(), start_new_session=True
        )
        return self

    def shows(self, *patterns, seconds=30):
        """Reads until each pattern has been in the output."""
        deadline = time.monotonic() + seconds
        while not all(re.search(pattern, self.shown, re.MULTILINE) for pattern in patterns):
            readable, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 65536).decode() if readable else ""
            assert more, f"{patterns} not in {self.shown!r}"
            self.shown += more
        return self

    def press(self, what=signal.SIGINT):
        os.killpg(self.process.pid, what)

    def ends(self, timeout=30):
        """The exit code, after all output."""
        rest, self.errors = self.process.communicate(timeout=timeout)
        self.shown += rest.decode() if rest else ""
        self.errors = self.errors.decode()
        return self.process.returncode


@pytest.fixture
def start(tmp_path):
    """Starts `slipway run` on a definition or a file; when it has ended it has left nothing on the host."""
    with contextlib.ExitStack() as stack:

        def start(definition, **more):
            file = definition
            if isinstance(definition, dict):
                file = tmp_path / "definition.json"
                file.write_text(json.dumps(definition))
            return stack.enter_context(gone_afterwards(Run(tmp_path / "data", file, **more))).start()

        yield start
        host.settles(Run(tmp_path / "data", None), host.NOTHING)


def task(*containers, **members):
    return {"family": "command", "containerDefinitions": list(containers), **members}


def test_hello_shows_states_ports_and_logs_until_it_is_interrupted(start):
    run = start(HELLO).shows(
        r"^RUNNING$",
        r"^web \| RUNNING$",
        r"^web \| port 8080 is 127.0.0.1:\d+$",
        r"^web \| listening on port 8080$",
        r"^sidecar \| web:8080 says: Hello from Slipway, caller \d\.$",
    )
    address = re.search(r"port 8080 is (\S+)", run.shown)[1]
    assert fetch(f"http://{address}/").startswith("Hello from Slipway")
    run.press()
    assert run.ends() == 0, run.errors
    assert "stopping" in run.shown and "STOPPED: Interrupted by user" in run.shown
    assert "web | STOPPED with exit code 0" in run.shown and not run.errors


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_stops_the_task_too(start, how):
    run = start(HELLO).shows(*READY)
    run.press(how)
    assert run.ends() == 0, run.errors


def test_a_reader_that_has_seen_enough_does_not_break_it(start):
    run = start(HELLO).shows(*READY)
    run.process.stdout.close()
    run.process.stdout = None
    run.press()
    assert run.ends() == 0 and not run.errors


@pytest.mark.parametrize("after", ["", " as ", "^RUNNING$"])
def test_an_interrupt_at_any_moment_leaves_nothing(start, after):
    definition = json.loads(HELLO.read_text())
    for hello in definition["containerDefinitions"]:
        hello["stopTimeout"] = 2  # It may be told to stop before it listens for that.
    run = start(definition).shows(after)
    run.press()
    run.ends()
    assert "panicked" not in run.errors


def test_a_task_that_ends_by_itself_ends_the_command_with_its_code(start):
    # An argument that the program refuses: it exits 2.
    web = {"name": "web", "image": "slipway/hello", "memory": 64, "command": ["web", "--port", "no-number"]}
    run = start(task(web))
    assert run.ends() == 2, run.errors
    assert "web | STOPPED with exit code 2" in run.shown and "STOPPED: Essential container in task exited" in run.shown


def test_a_task_that_does_not_start_is_an_error(start):
    run = start(task(container(image="slipway/hello", command=["no-such-mode"], entryPoint=["/no-such-program"])))
    assert run.ends() == 1, run.errors
    assert re.search("STOPPED: CannotStartContainerError: .*no-such-program", run.shown), run.shown


REFUSED = {
    "no file": (None, "No such file or directory"),
    "no json": ("{", "is not JSON"),
    "no family": (json.dumps({"containerDefinitions": []}), "RegisterTaskDefinition: "),
    "more than there is": (json.dumps(task(container(memory=64 * 1024 * 1024))), "the task was not placed: RESOURCE:MEMORY"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_definition_that_cannot_run_is_refused(start, tmp_path, case):
    text, reason = REFUSED[case]
    file = tmp_path / "refused.json"
    if text is not None:
        file.write_text(text)
    run = start(file)
    assert run.ends() == 1 and run.errors.startswith("slipway: ") and reason in run.errors, run.errors


def test_a_server_that_serves_is_used(server, start):
    definition = task(
        container("main", "echo out; echo err >&2; exit 7"), container("side", "exit 1", essential=False, dependsOn=[]), family="uses-up"
    )
    run = start(definition, listen=server.listen)
    assert run.ends() == 7, run.errors
    assert {"main | out", "main | err", "main | STOPPED with exit code 7"} <= set(run.shown.splitlines())
    assert not run.data_dir.exists() and server.is_running
    ran = server.client().list_tasks(startedBy="slipway-run", desiredStatus="STOPPED")["taskArns"]
    assert any(arn.split("/")[-1] in run.shown for arn in ran)


def test_a_second_interrupt_kills_at_once(server, start):
    run = start(task(container(script=STUBBORN, stopTimeout=120)), listen=server.listen).shows(r"^app \| ignoring$")
    run.press()
    run.shows("^stopping; press Ctrl-C again to kill$")
    pressed = time.monotonic()
    run.press()
    assert run.ends() == 137, run.errors
    assert time.monotonic() - pressed < 5 and "killing" in run.shown


def test_a_terminal_gets_colours(server, tmp_path):
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(task(container(script="echo hello"))))
    controller, terminal = pty.openpty()
    run = Run(tmp_path / "data", file, server.listen).start(stdout=terminal)
    os.close(terminal)
    assert run.ends() == 0, run.errors
    assert b"\x1b[36mapp |\x1b[0m hello" in os.read(controller, 65536)
    os.close(controller)


def test_logs_are_followed_to_the_end(server, ecs):
    arn = tasks.run(ecs, tasks.register(ecs, "followed", container(script="trap 'echo bye; exit 0' TERM; echo hello; sleep 600 & wait")))
    tasks.wait(ecs, "running", arn)
    command = [SLIPWAY, "logs", "--follow", arn, "--listen", server.listen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=server.environment(), text=True) as logs:
        assert logs.stdout.readline() == "app | hello\n"
        tasks.stop(ecs, arn)
        assert logs.stdout.read() == "app | bye\n" and logs.wait(10) == 0


def test_env_points_a_shell_at_the_server(server):
    script = f'eval "$({SLIPWAY} env --listen {server.listen})" && exec {ROOT}/target/venv/bin/aws ecs list-clusters --output text'
    done = subprocess.run(["env", "-i", f"PATH={os.environ['PATH']}", "sh", "-ec", script], capture_output=True, text=True)
    assert done.returncode == 0 and ":cluster/default" in done.stdout, done


UP_REFUSES = {
    "beyond loopback without keys": (["--listen", "0.0.0.0:0"], "refusing to listen on 0.0.0.0:0"),
    "an account of letters": (["--account", "mine"], "is not twelve digits"),
    "a config file that is not there": (["--config", "/no/such/file"], "No such file or directory"),
    "a data directory that cannot be": (["--data-dir", "/proc/slipway", "--listen", "127.0.0.1:0"], "/proc/slipway"),
}


def up(environment, *arguments):
    return subprocess.run([SLIPWAY, "up", *arguments], env=environment, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("case", UP_REFUSES)
def test_up_refuses(tmp_path, case):
    arguments, reason = UP_REFUSES[case]
    done = up({"SLIPWAY_DATA_DIR": str(tmp_path)}, *arguments)
    assert done.returncode == 1 and reason in done.stderr and "panicked" not in done.stderr, done


def test_two_servers_do_not_share_an_address_or_a_data_directory(server):
    for arguments, reason in (
        (["--listen", server.listen, "--data-dir", f"{server.data_dir}-other"], "Address already in use"),
        (["--listen", "127.0.0.1:0", "--data-dir", server.data_dir], "another process has it open"),
    ):
        done = up({}, *arguments)
        assert done.returncode == 1 and reason in done.stderr, done
    assert not os.path.exists(f"{server.data_dir}-other") and server.is_running


def test_keys_of_ones_own_are_the_only_ones(tmp_path):
    config = tmp_path / "slipway.toml"
    config.write_text('[[access_keys]]\nid = "AKIAMINE"\nsecret = "mine"\naccount = "000000000042"\n')
    with gone_afterwards(Server(tmp_path / "data", "--config", config)) as server:
        server.start()
        assert wire.call(server.endpoint, "ListClusters", {}).error == (400, "UnrecognizedClientException")
        answer = wire.call(server.endpoint, "CreateCluster", {"clusterName": "mine"}, key=("AKIAMINE", "mine"))
        assert answer.body["cluster"]["clusterArn"] == "arn:aws:ecs:us-east-1:000000000042:cluster/mine"
