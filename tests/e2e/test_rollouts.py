"""Services change under the eyes of a watcher: between their bounds at every event, back from what is broken, through the death
of the server and of nodes."""

import images
import pytest
from botocore.exceptions import ClientError
from conftest import needs_root, serving
from events import Watch, primary, seconds
from services import PACE, changes, create, delete, describe
from tasks import STAY, container, insist, register, stop

pytestmark = needs_root

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
# For bounds that leave no room above; AZ rebalancing needs some.
STILL = {"availabilityZoneRebalancing": "DISABLED"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("rollouts") / "data", *PACE) as server:
        yield server


@pytest.fixture
def own_server(tmp_path):
    with serving(tmp_path / "data", *PACE) as server:
        yield server


def bounds(least, most):
    return {"minimumHealthyPercent": least, "maximumPercent": most}


def update(ecs, name, *containers, **members):
    """Another revision of its definition."""
    definition = register(ecs, name, *(containers or [container()]), **members.pop("definition", {}))
    return ecs.update_service(service=name, taskDefinition=definition, **members)["service"]


def says(ecs, name, what):
    """An event in ECS's words, which is in no stream."""

    def said():
        messages = [event["message"] for event in describe(ecs, name)["events"]]
        assert any(what in message for message in messages), messages

    insist(said, AssertionError, seconds=60)


def test_a_rolling_update_of_ten_tasks_never_leaves_its_bounds(server, ecs):
    with Watch(server, "ten", asks=False) as watch:
        watch.completes(create(ecs, "ten", count=10, **STILL))
        for least, most in [(100, 200), (50, 100), (0, 100)]:
            watch.least, watch.most, watch.asks = 10 * least // 100, 10 * most // 100, True
            service = update(ecs, "ten", deploymentConfiguration=bounds(least, most))
            watch.completes(service)
            assert len(watch.running(service["taskDefinition"])) == 10 and len(watch.present()) == 10
            assert len(watch.started_by(primary(service))) == 10
        watch.asks = False
    assert changes(ecs, "ten") == ["SUCCESSFUL"] * 4
    delete(ecs, "ten")


BROKEN = {
    "nowhere": container(image="127.0.0.1:1/none:1"),
    "ends-at-once": container(script="exit 1"),
    # Five seconds are the shortest interval that ECS takes.
    "unhealthy": container(healthCheck={"command": ["CMD-SHELL", "false"], "interval": 5, "retries": 1}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_circuit_breaker_takes_back_what_is_broken(server, ecs, name):
    with Watch(server, name, least=3, most=6) as watch:
        good = create(ecs, name, count=3, deploymentConfiguration=BREAKER)
        kept = {task["taskArn"] for task in watch.completes(good).running()}
        bad = update(ecs, name, BROKEN[name])
        watch.sees(lambda _: watch.told(primary(bad))[-1:] == ["FAILED"])
        started = len(watch.started_by(primary(bad)))
        assert 3 <= started <= 6
        watch.sees(lambda _: watch.told(primary(good)) == ["IN_PROGRESS", "COMPLETED"] * 2)
        assert len(watch.started_by(primary(bad))) == started and {task["taskArn"] for task in watch.running()} == kept
    assert watch.deployments[primary(bad)] == [
        ("SERVICE_DEPLOYMENT_IN_PROGRESS", f"ECS deployment {primary(bad)} in progress."),
        ("SERVICE_DEPLOYMENT_FAILED", f"ECS deployment circuit breaker: rolling back to deploymentId {primary(good)}."),
    ]
    service = describe(ecs, name)
    assert (service["taskDefinition"], primary(service)) == (good["taskDefinition"], primary(good))
    messages = [event["message"] for event in service["events"]]
    assert f"(service {name}) (deployment {primary(bad)}) deployment failed: tasks failed to start." in messages
    assert f"(service {name}) rolling back to deployment {primary(good)}." in messages
    [change] = ecs.describe_service_deployments(serviceDeploymentArns=[bad["currentServiceDeployment"]])["serviceDeployments"]
    breaker = change["deploymentCircuitBreaker"]
    assert (change["status"], breaker["threshold"], 3 <= breaker["failureCount"] <= started) == ("ROLLBACK_SUCCESSFUL", 3, True)
    delete(ecs, name)


def cpu_seconds(server):
    fields = open(f"/proc/{server.process.pid}/stat").read().rsplit(") ")[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_without_a_breaker_what_is_broken_is_started_ever_more_rarely(server, ecs):
    with Watch(server, "throttled", least=1) as watch:
        kept = watch.completes(create(ecs, "throttled", count=1)).running()
        bad = primary(update(ecs, "throttled", container(script="exit 1")))
        watch.sees(lambda _: len(watch.started_by(bad)) == 4)
        before = cpu_seconds(server)
        watch.sees(lambda _: len(watch.started_by(bad)) == 5)
        assert cpu_seconds(server) - before < 1, "it does not spin while it waits"
        begun = sorted(seconds(task["createdAt"]) for task in watch.started_by(bad))
        assert begun[3] - begun[2] >= 1 and begun[4] - begun[3] >= 2
        assert watch.running() == kept and watch.told(bad) == ["IN_PROGRESS"]
    [deployment, _] = describe(ecs, "throttled")["deployments"]
    assert (deployment["rolloutState"], deployment["failedTasks"] >= 4) == ("IN_PROGRESS", True)
    says(ecs, "throttled", "(service throttled) is unable to consistently start tasks successfully.")
    delete(ecs, "throttled")


# When the server is killed, by what the watcher has seen of a deployment that replaces `old`.
MOMENTS = {
    "it has begun": lambda watch, new, old: watch.told(new),
    "its first task is there": lambda watch, new, old: watch.started_by(new),
    "its first task runs": lambda watch, new, old: any(task["lastStatus"] == "RUNNING" for task in watch.started_by(new)),
    "the first old one is to stop": lambda watch, new, old: any(task["desiredStatus"] == "STOPPED" for task in watch.started_by(old)),
    "the first old one is gone": lambda watch, new, old: any(task["lastStatus"] == "STOPPED" for task in watch.started_by(old)),
    "the last old one is to stop": lambda watch, new, old: all(task["desiredStatus"] == "STOPPED" for task in watch.started_by(old)),
}


def test_a_deployment_goes_on_whenever_the_server_is_killed_and_nothing_is_there_twice(own_server, tmp_path):
    writes = container(script=f"hostname >> /ran/log; {STAY}", mountPoints=[{"sourceVolume": "ran", "containerPath": "/ran"}])
    volumes = {"volumes": [{"name": "ran", "host": {"sourcePath": str(tmp_path / "ran")}}]}
    ecs = own_server.client()
    definition = register(ecs, "killed", writes, **volumes)
    with Watch(own_server, "killed", least=2, most=4) as watch:
        service = ecs.create_service(
            serviceName="killed", taskDefinition=definition, desiredCount=3, deploymentConfiguration=bounds(50, 134)
        )["service"]
        watch.completes(service)
        for is_moment in MOMENTS.values():
            old, service = primary(service), update(own_server.client(), "killed", writes, definition=volumes)
            watch.sees(lambda _: is_moment(watch, primary(service), old))
            own_server.kill()
            own_server.start()
            watch.completes(service)
            assert len(watch.present()) == len(watch.running(service["taskDefinition"])) == 3
        assert all(len(watch.started_by(deployment)) == 3 for deployment in watch.deployments)
        assert all(watch.told(deployment) == ["IN_PROGRESS", "COMPLETED"] for deployment in watch.deployments)
    hosts = (tmp_path / "ran" / "log").read_text().split()
    assert len(hosts) == len(set(hosts)) == len(watch.tasks) == 3 * (1 + len(MOMENTS))
    assert changes(own_server.client(), "killed") == ["SUCCESSFUL"] * (1 + len(MOMENTS))
    delete(own_server.client(), "killed")
