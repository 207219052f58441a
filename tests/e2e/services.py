"""Services as tests speak of them, and what their events tell while they change."""

from tasks import container, insist, register

# AWS counts a task without a health check as healthy after 40 seconds; nobody here has as long.
PACE = ["--healthy-after", "0.5"]
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
# For bounds that leave no room above; AZ rebalancing needs some.
STILL = {"availabilityZoneRebalancing": "DISABLED"}


def create(ecs, name, *containers, count=2, **members):
    definition = register(ecs, name, *(containers or [container()]))
    members = {"desiredCount": count, **members} if members.get("schedulingStrategy") != "DAEMON" else members
    return ecs.create_service(serviceName=name, taskDefinition=definition, **members)["service"]


def describe(ecs, name, **members):
    return ecs.describe_services(services=[name], **members)["services"][0]


def becomes(ecs, name, what, seconds=60):
    """The service once `what` is true of it."""

    def check():
        service = describe(ecs, name)
        assert what(service), f"{service['events'][:8]} {service['deployments']}"
        return service

    return insist(check, AssertionError, seconds=seconds)


def is_stable(service):
    """As `aws ecs wait services-stable` sees it, and every deployment is settled."""
    deployments = service["deployments"]
    return len(deployments) == 1 and service["runningCount"] == service["desiredCount"] and deployments[0]["rolloutState"] == "COMPLETED"


def tasks(ecs, name):
    arns = ecs.list_tasks(serviceName=name)["taskArns"]
    return ecs.describe_tasks(tasks=arns, include=["TAGS"])["tasks"] if arns else []


def changes(ecs, name):
    return [change["status"] for change in ecs.list_service_deployments(service=name)["serviceDeployments"]]


def delete(ecs, name):
    ecs.delete_service(service=name, force=True)
    return becomes(ecs, name, lambda service: service["status"] == "INACTIVE")


def bounds(least, most):
    return {"minimumHealthyPercent": least, "maximumPercent": most}


def update(ecs, name, *containers, **members):
    """Another revision of its definition."""
    definition = register(ecs, name, *(containers or [container()]), **members.pop("definition", {}))
    return ecs.update_service(service=name, taskDefinition=definition, **members)["service"]


def equal(left, right):
    assert left == right


def says(ecs, name, what):
    """An event in ECS's words, which is in no stream."""

    def said():
        messages = [event["message"] for event in describe(ecs, name)["events"]]
        assert any(what in message for message in messages), messages

    insist(said, AssertionError, seconds=60)
