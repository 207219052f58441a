"""What the command line tells people: the tasks there are, the story of one, and why one cannot be placed."""

import json

from conftest import needs_root
from tasks import container, ended, register, run, stop, wait

pytestmark = needs_root


def told(server, *arguments, **options):
    return json.loads(server.slipway(*arguments, "--output", "json", **options).stdout)


def test_ps_lists_what_runs_and_with_all_what_has_run(server, ecs):
    over = ended(ecs, "ps-over", container(script="exit 0"))["taskArn"].rsplit("/")[-1]
    task = run(ecs, register(ecs, "ps-runs", container(portMappings=[{"containerPort": 80}]))).rsplit("/")[-1]
    binding = wait(ecs, "running", task)["containers"][0]["networkBindings"][0]

    lines = {line.split()[0]: line for line in server.slipway("ps").stdout.splitlines()}
    assert lines["TASK"].split() == "TASK CLUSTER SERVICE DEFINITION LAST DESIRED HEALTH AGE ADDRESSES".split()
    assert lines[task].split()[1:6] == ["default", "-", "ps-runs:1", "RUNNING", "RUNNING"]
    assert lines[task].endswith(f"0.0.0.0:{binding['hostPort']}->80/tcp")
    assert over not in lines
    assert {over, task} <= {line.split()[0] for line in server.slipway("ps", "--all").stdout.splitlines()}
    assert [t["lastStatus"] for t in told(server, "ps") if t["taskArn"].endswith(task)] == ["RUNNING"]
    assert told(server, "ps", "--cluster", "elsewhere") == []
    stop(ecs, task)


def test_describe_tells_every_change_with_its_time_and_cause(server, ecs):
    task = run(ecs, register(ecs, "story", container(script="exit 7")), startedBy="me")
    described = wait(ecs, "stopped", task)
    story = told(server, "describe", task)
    states = [(entry["container"], entry["state"]) for entry in story["history"]]
    assert states[0] == (None, "PENDING") and states[-1] == (None, "STOPPED")
    causes = {(entry["container"], entry["state"]): entry["cause"] for entry in story["history"]}
    assert causes[None, "PENDING"].startswith("started by me, placed on ")
    assert causes["app", "STOPPED"] == "exit code 7"
    assert causes[None, "STOPPED is desired"] == "EssentialContainerExited: Essential container in task exited"
    times = [entry["at"] for entry in story["history"]]
    assert times == sorted(times) and times[-1] == described["stoppedAt"].timestamp()
    text = server.slipway("describe", task.rsplit("/")[-1][:12]).stdout
    assert "exit code 7" in text and "story:1" in text


def test_a_story_outlives_its_teller(own):
    ecs = own.client()
    task = ended(ecs, "survivor", container(script="exit 3"))["taskArn"]
    before = told(own, "describe", task)
    own.kill()
    own.start()
    assert told(own, "describe", task) == before


def test_explain_says_node_by_node_why_a_task_has_no_place(server, ecs):
    register(ecs, "too-big", container(memory=10**7))
    done = server.slipway("explain", "--task-definition", "too-big", "--output", "json", check=False)
    node = json.loads(done.stdout)["nodes"][0]
    assert (done.returncode, node["fits"], node["reason"]) == (1, False, "RESOURCE:MEMORY")
    assert node["detail"].startswith(f"{10**7} MiB are wanted, ")
    assert ecs.run_task(taskDefinition="too-big")["failures"][0]["reason"] == node["reason"]

    fixed = container(portMappings=[{"containerPort": 80, "hostPort": 28080}])
    task = run(ecs, register(ecs, "one-port", fixed))
    wait(ecs, "running", task)
    done = server.slipway("explain", task, check=False)
    assert done.returncode == 1 and "RESOURCE:PORTS" in done.stdout and "28080/tcp" in done.stdout
    stop(ecs, task)
    assert server.slipway("explain", "--task-definition", "one-port").returncode == 0


def test_stats_are_what_the_container_uses(server, ecs):
    task = run(ecs, register(ecs, "busy", container(script="while :; do :; done", memory=32)))
    wait(ecs, "running", task)
    reading = told(server, "stats", task, "--no-stream")
    (used,) = reading["containers"]
    assert used["container"] == "app" and used["taskArn"] == task
    assert used["memoryLimitBytes"] == 32 * 2**20 and 0 < used["memoryBytes"] < 32 * 2**20
    assert used["processes"] == 1 and used["cpuPercent"] > 0
    lines = server.slipway("stats", "--no-stream").stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith(task.rsplit("/")[-1])] == ["app"]
    stop(ecs, task)
    assert server.slipway("stats", task).stdout == "", "of a task that is over there is nothing, and that is the end"


def test_what_there_is_not_is_said(server):
    for command in (["describe", "ffff"], ["explain", "ffff"], ["stats", "ffff"], ["explain", "--task-definition", "nobody"]):
        done = server.slipway(*command, check=False)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("slipway: "), done
