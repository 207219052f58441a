"""Scale-in protection with the unmodified SDK: a protected task of a service stays until it may go."""

import datetime

from conftest import needs_root
from tasks import STAY, container, register, wait

pytestmark = needs_root


def test_a_protected_task_is_not_scaled_in(own):
    ecs = own.client()
    definition = register(ecs, "web", container(script=STAY))
    ecs.create_service(serviceName="web", taskDefinition=definition, desiredCount=2)
    ecs.get_waiter("services_stable").wait(cluster="default", services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    kept, other = ecs.list_tasks(serviceName="web")["taskArns"]
    answer = ecs.update_task_protection(cluster="default", tasks=[kept], protectionEnabled=True, expiresInMinutes=60)
    until = answer["protectedTasks"][0]["expirationDate"] - datetime.datetime.now(datetime.timezone.utc)
    assert answer["failures"] == [] and datetime.timedelta(minutes=59) < until < datetime.timedelta(minutes=61)
    ecs.update_service(service="web", desiredCount=0)
    wait(ecs, "stopped", other)
    assert ecs.describe_tasks(tasks=[kept])["tasks"][0]["desiredStatus"] == "RUNNING"
    own.kill()
    own.start()
    ecs = own.client()
    assert ecs.get_task_protection(cluster="default", tasks=[kept])["protectedTasks"][0]["protectionEnabled"]
    ecs.update_task_protection(cluster="default", tasks=[kept], protectionEnabled=False)
    assert wait(ecs, "stopped", kept)["stopCode"] == "ServiceSchedulerInitiated"
    ecs.delete_service(service="web", force=True)
