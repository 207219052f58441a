"""Services, through boto3 and the unmodified AWS CLI, on real containers: kept running, changed safely, gone when deleted."""

import json

import pytest
from botocore.exceptions import ClientError
from conftest import needs_root, serving
from services import PACE, becomes, changes, create, delete, describe, is_stable, tasks
from tasks import container, insist, own, register, run, stop

pytestmark = needs_root


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("services") / "data", *PACE) as server:
        yield server


def test_the_cli_from_create_to_inactive(server, tmp_path):
    definition = tmp_path / "definition.json"
    definition.write_text(json.dumps({"family": "cli", "containerDefinitions": [container()]}))
    server.aws("ecs", "register-task-definition", "--cli-input-json", f"file://{definition}")
    of_it = ("--service-name", "cli", "--task-definition", "cli", "--desired-count", 2)
    created = server.aws("ecs", "create-service", *of_it)["service"]
    assert (created["status"], created["desiredCount"], created["schedulingStrategy"]) == ("ACTIVE", 2, "REPLICA")
    server.aws("ecs", "wait", "services-stable", "--services", "cli")
    ecs = server.client()
    found = tasks(ecs, "cli")
    assert {task["group"] for task in found} == {"service:cli"}
    assert {task["startedBy"] for task in found} == {created["deployments"][0]["id"]}

    updated = server.aws("ecs", "update-service", "--service", "cli", "--force-new-deployment", "--desired-count", 1)["service"]
    assert [deployment["status"] for deployment in updated["deployments"]] == ["PRIMARY", "ACTIVE"]
    server.aws("ecs", "wait", "services-stable", "--services", "cli")
    [task] = tasks(ecs, "cli")
    assert task["startedBy"] == updated["deployments"][0]["id"]
    messages = [event["message"] for event in becomes(ecs, "cli", is_stable)["events"]]
    assert "(service cli) has reached a steady state." in messages

    refused = server.aws("ecs", "delete-service", "--service", "cli", check=False)
    assert "The service cannot be stopped while it is scaled above 0." in refused.stderr
    assert server.aws("ecs", "delete-service", "--service", "cli", "--force")["service"]["status"] == "DRAINING"
    assert server.aws("ecs", "list-services")["serviceArns"] == []
    server.aws("ecs", "wait", "services-inactive", "--services", "cli")
    assert tasks(ecs, "cli") == []


def test_a_new_definition_is_rolled_out_and_the_old_one_leaves(ecs):
    create(ecs, "roll", count=3)
    becomes(ecs, "roll", is_stable)
    second = register(ecs, "roll", container(environment=[{"name": "VERSION", "value": "2"}]))
    ecs.update_service(service="roll", taskDefinition=second)
    service = becomes(ecs, "roll", is_stable)
    assert service["taskDefinition"] == second
    assert {task["taskDefinitionArn"] for task in tasks(ecs, "roll")} == {second}
    assert changes(ecs, "roll") == ["SUCCESSFUL", "SUCCESSFUL"]
    [change] = ecs.describe_service_deployments(serviceDeploymentArns=[service["currentServiceDeployment"]])["serviceDeployments"]
    assert change["targetServiceRevision"]["runningTaskCount"] == 3 and len(change["sourceServiceRevisions"]) == 1
    [revision] = ecs.describe_service_revisions(serviceRevisionArns=[change["targetServiceRevision"]["arn"]])["serviceRevisions"]
    assert revision["taskDefinition"] == second
    delete(ecs, "roll")


def test_it_has_as_many_tasks_as_it_is_told_to_have(ecs):
    create(ecs, "scale", count=0)
    becomes(ecs, "scale", is_stable)
    for count in (3, 1, 0):
        ecs.update_service(service="scale", desiredCount=count)
        becomes(ecs, "scale", lambda service: is_stable(service) and service["runningCount"] == count)
    assert changes(ecs, "scale") == ["SUCCESSFUL"]
    ecs.delete_service(service="scale")
    becomes(ecs, "scale", lambda service: service["status"] == "INACTIVE")


def test_tasks_that_end_are_replaced(ecs):
    create(ecs, "replace", count=2)
    becomes(ecs, "replace", is_stable)
    first, second = (task["taskArn"] for task in tasks(ecs, "replace"))
    stop(ecs, first)
    with own(ecs, "POST", f"kill/{second.rsplit('/')[-1]}"):
        pass

    def replaced():
        running = [task["taskArn"] for task in tasks(ecs, "replace") if task["lastStatus"] == "RUNNING"]
        assert len(running) == 2 and not {first, second} & set(running)

    insist(replaced, AssertionError, seconds=60)
    delete(ecs, "replace")


def test_what_never_starts_is_rolled_back_by_the_circuit_breaker(ecs):
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    first = create(ecs, "broken", count=2, deploymentConfiguration=breaker)["taskDefinition"]
    becomes(ecs, "broken", is_stable)
    kept = {task["taskArn"] for task in tasks(ecs, "broken")}
    ecs.update_service(service="broken", taskDefinition=register(ecs, "broken", container(image="127.0.0.1:1/none:1")))
    becomes(ecs, "broken", lambda service: service["taskDefinition"] == first and is_stable(service), seconds=120)
    assert {task["taskArn"] for task in tasks(ecs, "broken")} == kept
    assert changes(ecs, "broken") == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    delete(ecs, "broken")


def test_a_deployment_is_stopped_and_taken_back(ecs):
    first = create(ecs, "back", count=1)["taskDefinition"]
    becomes(ecs, "back", is_stable)
    check = {"command": ["CMD-SHELL", "false"], "interval": 5, "retries": 10}
    service = ecs.update_service(service="back", taskDefinition=register(ecs, "back", container(healthCheck=check)))["service"]
    ecs.stop_service_deployment(serviceDeploymentArn=service["currentServiceDeployment"], stopType="ROLLBACK")
    becomes(ecs, "back", lambda service: service["taskDefinition"] == first and is_stable(service))
    assert changes(ecs, "back") == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    with pytest.raises(ClientError, match="ConflictException"):
        ecs.stop_service_deployment(serviceDeploymentArn=service["currentServiceDeployment"])
    delete(ecs, "back")


def test_a_daemon_has_one_task_on_every_instance(ecs):
    create(ecs, "daemon", schedulingStrategy="DAEMON")
    service = becomes(ecs, "daemon", is_stable)
    assert (service["desiredCount"], len(tasks(ecs, "daemon"))) == (1, 1)
    delete(ecs, "daemon")


def test_tags_reach_tasks_as_asked_for(ecs):
    create(ecs, "tagged", count=1, tags=[{"key": "team", "value": "web"}], propagateTags="SERVICE", enableECSManagedTags=True)
    becomes(ecs, "tagged", is_stable)
    [task] = tasks(ecs, "tagged")
    tags = {tag["key"]: tag["value"] for tag in task["tags"]}
    assert tags == {"team": "web", "aws:ecs:clusterName": "default", "aws:ecs:serviceName": "tagged"}
    assert describe(ecs, "tagged", include=["TAGS"])["tags"] == [{"key": "team", "value": "web"}]
    delete(ecs, "tagged")


def test_one_that_finds_no_place_says_so_and_takes_the_first_that_is_free(ecs):
    taken = run(ecs, register(ecs, "in-the-way", container(portMappings=[{"containerPort": 80, "hostPort": 18080}])))
    create(ecs, "waits", container(portMappings=[{"containerPort": 80, "hostPort": 18080}]), count=1)
    said = "is already using a port required by your task."
    becomes(ecs, "waits", lambda service: said in service["events"][0]["message"])
    stop(ecs, taken)
    becomes(ecs, "waits", is_stable)
    delete(ecs, "waits")


@pytest.fixture
def own_server(tmp_path):
    with serving(tmp_path / "data", *PACE) as server:
        yield server


def test_a_deployment_survives_the_end_of_the_server(own_server):
    ecs = own_server.client()
    create(ecs, "survives", count=3)
    ecs.update_service(service="survives", taskDefinition=register(ecs, "survives", container()))
    own_server.kill()
    own_server.start()
    service = becomes(own_server.client(), "survives", is_stable, seconds=120)
    assert service["taskDefinition"].endswith(":2")
    delete(own_server.client(), "survives")
