"""Services change under the eyes of a watcher: between their bounds at every event, back from what is broken, through the death
of the server."""

import images
import pytest
from botocore.exceptions import ClientError
from conftest import needs_root, serving
from events import Watch, primary, seconds
from services import BREAKER, PACE, STILL, bounds, changes, create, delete, describe, equal, says, update
from tasks import STAY, container, insist, register, stop

pytestmark = needs_root


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("rollouts") / "data", *PACE) as server:
        yield server


@pytest.fixture
def own_server(tmp_path):
    with serving(tmp_path / "data", *PACE) as server:
        yield server


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
        assert all(later - earlier >= delay for earlier, later, delay in zip(begun[1:4], begun[2:], [1, 2, 4], strict=True))
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


def test_a_rollback_goes_on_whenever_the_server_is_killed(own_server):
    with Watch(own_server, "back", least=3, most=6) as watch:
        good = create(own_server.client(), "back", count=3, deploymentConfiguration=BREAKER)
        watch.completes(good)
        for number, is_moment in enumerate([
            lambda bad: watch.started_by(bad),
            lambda bad: any(task["lastStatus"] == "STOPPED" for task in watch.started_by(bad)),
            lambda bad: watch.told(bad)[-1:] == ["FAILED"],
        ]):
            bad = update(own_server.client(), "back", container(script="exit 1"))
            watch.sees(lambda _: is_moment(primary(bad)))
            own_server.kill()
            own_server.start()
            watch.sees(lambda _: watch.told(primary(good)) == ["IN_PROGRESS", "COMPLETED"] * (2 + number))
        assert len(watch.started_by(primary(good))) == len(watch.running(good["taskDefinition"])) == 3
    assert changes(own_server.client(), "back") == ["ROLLBACK_SUCCESSFUL"] * 3 + ["SUCCESSFUL"]
    delete(own_server.client(), "back")


def test_what_never_worked_fails_and_the_next_revision_gets_its_chance(server, ecs):
    with Watch(server, "never-worked", most=6) as watch:
        bad = create(ecs, "never-worked", container(script="exit 1"), count=3, deploymentConfiguration=BREAKER)
        watch.sees(lambda _: watch.told(primary(bad)) == ["IN_PROGRESS", "FAILED"])
        started = len(watch.tasks)
        watch.completes(update(ecs, "never-worked"))
        assert len(watch.started_by(primary(bad))) == started and len(watch.present()) == 3
    assert watch.deployments[primary(bad)][-1][1] == "ECS deployment circuit breaker: tasks failed to start."
    assert changes(ecs, "never-worked") == ["SUCCESSFUL", "STOPPED"]
    delete(ecs, "never-worked")


def test_updates_in_the_middle_of_updates_leave_the_last_one(server, ecs):
    with Watch(server, "again", least=4, most=8) as watch:
        watch.completes(create(ecs, "again", count=4))
        for number in range(5):
            service = update(ecs, "again")
            watch.sees(lambda _: number % 2 or watch.started_by(primary(service)))
        watch.completes(service)
        assert len(watch.running(service["taskDefinition"])) == len(watch.present()) == 4
    assert changes(ecs, "again") == ["SUCCESSFUL", *["STOPPED"] * 4, "SUCCESSFUL"]
    delete(ecs, "again")


def test_scale_in_while_a_broken_revision_is_taken_back(server, ecs):
    with Watch(server, "smaller", least=2, most=12) as watch:
        good = create(ecs, "smaller", count=6, deploymentConfiguration=BREAKER)
        watch.completes(good)
        bad = update(ecs, "smaller", container(script="exit 1"))
        watch.sees(lambda _: watch.started_by(primary(bad)))
        ecs.update_service(service="smaller", desiredCount=2)
        watch.sees(lambda _: watch.told(primary(good)) == ["IN_PROGRESS", "COMPLETED"] * 2 and len(watch.present()) == 2)
        assert len(watch.running(good["taskDefinition"])) == 2
    delete(ecs, "smaller")


def test_a_deployment_that_is_stopped_goes_back_between_its_bounds_or_just_stops(server, ecs):
    with Watch(server, "stopped", least=3, most=4) as watch:
        good = create(ecs, "stopped", count=3, deploymentConfiguration=bounds(100, 134))
        watch.completes(good)
        bad = update(ecs, "stopped")
        watch.sees(lambda _: any(task["desiredStatus"] == "STOPPED" for task in watch.started_by(primary(good))))
        ecs.stop_service_deployment(serviceDeploymentArn=bad["currentServiceDeployment"], stopType="ROLLBACK")
        watch.sees(lambda _: watch.told(primary(good)) == ["IN_PROGRESS", "COMPLETED"] * 2)
        assert len(watch.running(good["taskDefinition"])) == len(watch.present()) == 3

        bad = update(ecs, "stopped")
        watch.sees(lambda _: watch.running(bad["taskDefinition"]))
        ecs.stop_service_deployment(serviceDeploymentArn=bad["currentServiceDeployment"], stopType="ABORT")
        watch.sees(lambda _: watch.told(primary(bad)) == ["IN_PROGRESS", "FAILED"])
        watch.completes(update(ecs, "stopped"))
    assert changes(ecs, "stopped") == ["SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    delete(ecs, "stopped")


def test_a_pipeline_forces_what_its_tag_means_now_and_until_then_all_tasks_run_what_the_first_one_ran(server, ecs):
    def release(number):
        server.load("app:latest", images.with_file(images.busybox(), "release", number.encode()))

    def runs(number):
        """The one digest that all run, which say what they are; RUNNING says that they run, not that they have said it."""
        wanted = {f"app | {number}\n"}
        insist(lambda: equal({server.slipway("logs", task["taskArn"]).stdout for task in watch.running()}, wanted), AssertionError)
        [digest] = {task["containers"][0]["imageDigest"] for task in watch.running()}
        return digest

    release("one")
    containers = [container(image="app:latest", script=f"cat /release; echo; {STAY}")]
    with Watch(server, "pipeline") as watch:
        watch.completes(create(ecs, "pipeline", *containers, count=1))
        one = runs("one")
        release("two")
        ecs.update_service(service="pipeline", desiredCount=3)
        watch.sees(lambda _: len(watch.running()) == 3)
        assert runs("one") == one
        for task in watch.running()[:1]:
            stop(ecs, task["taskArn"])
        watch.sees(lambda _: len(watch.tasks) == 4 and len(watch.running()) == 3)
        assert runs("one") == one

        forced = server.aws("ecs", "update-service", "--service", "pipeline", "--force-new-deployment")["service"]
        server.aws("ecs", "wait", "services-stable", "--services", "pipeline")
        watch.completes(forced)
        two = runs("two")
        assert two != one
    [revision] = ecs.describe_service_revisions(serviceRevisionArns=[describe(ecs, "pipeline")["currentServiceRevisions"][0]["arn"]])["serviceRevisions"]
    assert revision["containerImages"] == [{"containerName": "app", "image": "app:latest", "imageDigest": two}]
    delete(ecs, "pipeline")


def test_a_protected_task_holds_up_a_deployment_until_it_may_go(server, ecs):
    with Watch(server, "protected", least=2, most=4) as watch:
        [kept, other] = watch.completes(create(ecs, "protected", count=2)).running()
        ecs.update_task_protection(cluster="default", tasks=[kept["taskArn"]], protectionEnabled=True)
        service = update(ecs, "protected")
        watch.sees(lambda _: watch.tasks[other["taskArn"]]["lastStatus"] == "STOPPED")
        says(ecs, "protected", f"was unable to reach steady state because (taskSet {primary(service)}) was unable to scale in due to (reason 1 tasks under")
        assert kept in watch.running() and watch.told(primary(service)) == ["IN_PROGRESS"]
        ecs.update_task_protection(cluster="default", tasks=[kept["taskArn"]], protectionEnabled=False)
        watch.completes(service)
        assert watch.tasks[kept["taskArn"]]["stopCode"] == "ServiceSchedulerInitiated"
    delete(ecs, "protected")


NOT_THERE = "An error occurred (ServiceNotFoundException)"
INVALID = "An error occurred (InvalidParameterException)"
REFUSED = {
    "update-service --service none": NOT_THERE,
    "delete-service --service none": NOT_THERE,
    "describe-services --cluster none --services web": "An error occurred (ClusterNotFoundException)",
    "create-service --service-name a.b --task-definition refused --desired-count 1": INVALID,
    "create-service --service-name web --task-definition none --desired-count 1": "TaskDefinition not found.",
    "create-service --service-name web --task-definition refused --desired-count 1 --deployment-configuration maximumPercent=100": "Both maximumPercent",
    "create-service --service-name web --task-definition refused --scheduling-strategy DAEMON --desired-count 1": "does not support a desired count",
    "create-service --service-name web --task-definition refused --desired-count 1 --deployment-configuration strategy=BLUE_GREEN": "An error occurred (UnsupportedFeatureException)",
    "stop-service-deployment --service-deployment-arn arn:aws:ecs:us-east-1:123456789012:service-deployment/default/none/123456789012345678901": "An error occurred (ServiceDeploymentNotFoundException)",
}


def test_what_cannot_be_is_refused_in_the_words_of_aws(server, ecs):
    register(ecs, "refused", container())
    for arguments, error in REFUSED.items():
        refused = server.aws("ecs", *arguments.split(), check=False)
        assert refused.returncode != 0 and error in refused.stderr, f"{arguments}: {refused.stderr}{refused.stdout}"
    assert ecs.describe_services(services=["none"])["failures"][0]["reason"] == "MISSING"
    with pytest.raises(ClientError, match="InvalidParameterException"):
        ecs.create_service(serviceName="web", taskDefinition="refused", desiredCount=-1)
