"""What the command line tells people of services: which tasks are whose, how one goes, and what it waits for."""

import json

import pytest
from conftest import needs_root, serving
from services import PACE, STILL, becomes, bounds, create, delete, is_stable, tasks, update
from tasks import container, insist, stop

pytestmark = needs_root


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("people") / "data", *PACE) as server:
        yield server


def told(server, *arguments, check=True):
    return json.loads(server.slipway(*arguments, "--output", "json", check=check).stdout)


def waits_for(server, name, *reasons):
    """The service once it waits for these, and what is printed of it."""

    def check():
        explained = told(server, "explain", name, check=False)
        assert set(reasons) <= {wait["reason"] for wait in explained["waits"]}, explained["waits"]
        return explained

    explained = insist(check, AssertionError, seconds=30)
    return explained, {wait["reason"]: wait for wait in explained["waits"]}


def test_a_service_is_described_and_its_tasks_say_whose_they_are(server, ecs):
    arn = create(ecs, "shown", count=2)["serviceArn"]
    service = becomes(ecs, "shown", is_stable)
    ids = {task["taskArn"].rsplit("/")[-1] for task in tasks(ecs, "shown")}
    assert {line.split()[0] for line in server.slipway("ps").stdout.splitlines() if line.split()[2] == "shown"} == ids

    by_name = told(server, "describe", "shown")
    assert by_name == told(server, "describe", arn) == told(server, "describe", "shown", "--cluster", "default")
    assert (by_name["steady"], by_name["waits"], by_name["minimum"], by_name["maximum"]) == (True, [], 2, 4)
    assert {task["taskArn"].rsplit("/")[-1] for task in by_name["tasks"]} == ids
    assert {task["healthStatus"] for task in by_name["tasks"]} == {"HEALTHY"}
    assert by_name["service"]["deployments"][0]["id"] == service["deployments"][0]["id"]
    text = server.slipway("describe", "shown").stdout
    for word in [*ids, service["deployments"][0]["id"], "ACTIVE, steady", "has reached a steady state.", "COMPLETED"]:
        assert word in text, text
    assert server.slipway("explain", "shown").stdout == "shown in default is steady: 2 of 2 tasks are running\n"
    delete(ecs, "shown")


def test_a_name_that_may_be_either_is_not_guessed_at(server, ecs):
    create(ecs, "either", count=1)
    task = tasks(ecs, becomes(ecs, "either", is_stable)["serviceName"])[0]["taskArn"].rsplit("/")[-1]
    create(ecs, task[:20], count=0)
    done = server.slipway("describe", task[:20], check=False)
    assert done.returncode == 1 and "is a service, and a task begins or ends with it" in done.stderr
    assert told(server, "describe", task)["task"]["group"] == "service:either"
    ecs.create_cluster(clusterName="second")
    create(ecs, "either", count=0, cluster="second")
    assert "more than one cluster has a service either" in server.slipway("explain", "either", check=False).stderr
    assert told(server, "describe", "either", "--cluster", "second")["service"]["desiredCount"] == 0
    missing = server.slipway("describe", "nobody", check=False)
    assert missing.returncode == 1 and missing.stderr.strip().endswith("no task and no service nobody")
    delete(ecs, "either")


def test_explain_says_what_a_service_waits_for(server, ecs):
    create(ecs, "large", container(memory=10**7), count=3)
    explained, waits = waits_for(server, "large", "PLACE")
    assert waits["PLACE"]["detail"] == "3 tasks have no place"
    assert [(node["fits"], node["reason"]) for node in explained["placement"]["nodes"]] == [(False, "RESOURCE:MEMORY")]
    done = server.slipway("explain", "large", check=False)
    assert done.returncode == 1 and f"{10**7} MiB are wanted, " in done.stdout and "3 tasks have no place" in done.stdout
    assert f"{10**7} MiB are wanted, " in server.slipway("describe", "large").stdout
    delete(ecs, "large")

    broken = {"deploymentCircuitBreaker": {"enable": True, "rollback": False, "thresholdConfiguration": {"type": "COUNT", "value": 50}}}
    create(ecs, "broken", container(script="exit 1"), count=1, deploymentConfiguration=broken)
    explained, waits = waits_for(server, "broken", "THROTTLING", "CIRCUIT BREAKER")
    assert waits["THROTTLING"]["until"] >= explained["looksAgainAt"] > 0
    assert waits["CIRCUIT BREAKER"]["detail"].endswith("at 50 the deployment does")
    delete(ecs, "broken")


def test_a_protected_task_is_said_to_hold_the_deployment(server, ecs):
    create(ecs, "held", count=1, deploymentConfiguration=bounds(0, 100), **STILL)
    becomes(ecs, "held", is_stable)
    [task] = tasks(ecs, "held")
    ecs.update_task_protection(cluster="default", tasks=[task["taskArn"]], protectionEnabled=True, expiresInMinutes=5)
    update(ecs, "held", container(environment=[{"name": "VERSION", "value": "2"}]))
    _, waits = waits_for(server, "held", "PROTECTION", "MAXIMUM", "OLDER TASKS")
    assert waits["PROTECTION"]["detail"] == "1 tasks are protected from scale-in" and waits["PROTECTION"]["until"] > 0
    assert waits["MAXIMUM"]["detail"] == "1 tasks are missing; 1 are there, and there may be no more than 1"
    stop(ecs, task["taskArn"])
    becomes(ecs, "held", is_stable)
    delete(ecs, "held")
