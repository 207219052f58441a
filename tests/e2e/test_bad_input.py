"""What no client would send, or nobody should: each gets its exact error, and the server goes on as if nothing had been."""

import concurrent.futures
import datetime
import random
import socket
from urllib.parse import urlsplit

import boto3
import host
import pytest
import wire
from conftest import REGION, needs_root
from tasks import container, ended, register, run, stop, wait

pytestmark = needs_root

MEGABYTE = 1024 * 1024
SERIALIZATION = (400, "SerializationException")
INVALID = (400, "InvalidParameterException")
UNKNOWN = (400, "UnknownOperationException")
SIGNATURE = (400, "InvalidSignatureException")
INCOMPLETE = (400, "IncompleteSignatureException")
MISSING = (400, "MissingAuthenticationTokenException")


@pytest.fixture(autouse=True)
def the_server_goes_on(server, ecs):
    before, descriptors = host.census(server), len(host.descriptors(server))
    yield
    assert wire.call(server.endpoint, "ListClusters", {}).status == 200
    host.settles(server, before)
    # Namespaces in store come and go a little.
    host.descriptors_settle(server, descriptors + 5)


BODIES = {
    "not json": ("ListTasks", b'{"cluster": ', SERIALIZATION),
    "not text": ("ListTasks", b'{"cluster": "\xff\xfe"}', SERIALIZATION),
    "not an object": ("ListTasks", b"[1]", SERIALIZATION),
    "two documents": ("ListTasks", b"{}{}", SERIALIZATION),
    "deeper than any stack": ("ListTasks", b'{"cluster":' + b"[" * MEGABYTE, SERIALIZATION),
    "a number for a string": ("ListTasks", {"cluster": 5}, SERIALIZATION),
    "a string for a list": ("DescribeTasks", {"tasks": "one"}, SERIALIZATION),
    "a fraction beyond integers": ("RunTask", {"taskDefinition": "a", "count": 1e300}, SERIALIZATION),
    "a required member left out": ("DescribeTasks", {}, INVALID),
    "a value that the enum has not": ("ListTasks", {"desiredStatus": "DANCING"}, INVALID),
    "a revision that is none": ("DescribeTaskDefinition", {"taskDefinition": "no-such-family"}, (400, "ClientException")),
    "a cluster that is none": ("RunTask", {"cluster": "none", "taskDefinition": "a"}, (400, "ClusterNotFoundException")),
    "another service's operation": ("CreateBucket", {}, UNKNOWN),
    "larger than the limit": ("ListTasks", b" " * (64 * MEGABYTE), (413, "RequestEntityTooLargeException")),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_is_wrong(server, case):
    operation, body, expected = BODIES[case]
    assert wire.call(server.endpoint, operation, body).error == expected


def tampered(endpoint):
    request = wire.operation(endpoint, "ListTasks", {})
    request.body = b'{"cluster":"x"}'
    request.headers["Content-Length"] = str(len(request.body))
    return request


def dated(endpoint, minutes):
    """Signed by a clock that is that many minutes off."""
    import botocore.auth

    shifted = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_: shifted)
        return wire.operation(endpoint, "ListTasks", {})


def without(endpoint, *headers):
    request = wire.operation(endpoint, "ListTasks", {})
    for header in headers:
        del request.headers[header]
    return request


def authorized(endpoint, value):
    request = wire.operation(endpoint, "ListTasks", {})
    request.headers["Authorization"] = value
    return request


HEADS = {
    "a body changed on the way": (tampered, SIGNATURE),
    "a wrong secret": (lambda at: wire.operation(at, "ListTasks", {}, key=("test", "guess")), SIGNATURE),
    "an unknown key": (lambda at: wire.operation(at, "ListTasks", {}, key=("AKIANOBODY", "test")), (400, "UnrecognizedClientException")),
    "a signature for another service": (lambda at: wire.operation(at, "ListTasks", {}, service="s3"), SIGNATURE),
    "signed an hour ago": (lambda at: dated(at, -60), SIGNATURE),
    "signed an hour from now": (lambda at: dated(at, 60), SIGNATURE),
    "no signature": (lambda at: without(at, "Authorization"), MISSING),
    "no date": (lambda at: without(at, "X-Amz-Date"), INCOMPLETE),
    "another scheme": (lambda at: authorized(at, "Basic dGVzdDp0ZXN0"), INCOMPLETE),
    "a credential in pieces": (lambda at: authorized(at, "AWS4-HMAC-SHA256 Credential=test/x, SignedHeaders=host, Signature=0"), INCOMPLETE),
    "no target": (lambda at: without(at, "X-Amz-Target"), UNKNOWN),
    "another api version": (lambda at: wire.signed(at, X_Amz_Target="AmazonEC2ContainerServiceV19990101.ListTasks"), UNKNOWN),
    "a method that is none of it": (lambda at: wire.operation(at, "ListTasks", {}, method="PUT"), UNKNOWN),
    "a page of a web site": (lambda at: wire.signed(at, "GET", "/favicon.ico"), UNKNOWN),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_head_that_is_wrong(server, case):
    request, expected = HEADS[case]
    assert wire.send(request(server.endpoint)).error == expected


# What each is answered; those that send on while they are refused may find no more than a closed connection.
BYTES = {
    "a body that breaks off": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}", b"400"),
    "a chunk that breaks off": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{}", b"400"),
    "a chunk of no size": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", b"400"),
    "no http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", b"400"),
    "a head without end": (b"POST / HTTP/1.1\r\nX: " + b"x" * MEGABYTE, b""),
    "a method too long": (b"X" * 100_000 + b" / HTTP/1.1\r\n\r\n", b""),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("case", BYTES)
def test_bytes_that_are_no_request(server, case):
    sent, status = BYTES[case]
    assert status in wire.raw(server.endpoint, sent).partition(b"\r\n")[0]


def operations():
    return boto3.client("ecs", region_name=REGION).meta.service_model


@pytest.mark.parametrize("name", operations().operation_names)
def test_every_operation_answers_what_its_model_has(server, name):
    answer = wire.call(server.endpoint, name, {})
    errors = {shape.name for shape in operations().operation_model(name).error_shapes}
    assert answer.status == 200 or (answer.status == 400 and answer.body["__type"] in errors), answer


def test_garbage_from_many_at_once(server):
    """Requests with a few bytes changed: each is answered, none with a failure of ours."""

    def one(seed):
        random_bytes = random.Random(seed)
        body = bytearray(b'{"family":"f","containerDefinitions":[{"name":"a","image":"b","memory":4,"cpu":1}],"tags":[]}')
        for _ in range(random_bytes.randint(1, 8)):
            body[random_bytes.randrange(len(body))] = random_bytes.randrange(256)
        return wire.call(server.endpoint, "RegisterTaskDefinition", bytes(body)).status

    with concurrent.futures.ThreadPoolExecutor(32) as callers:
        assert set(callers.map(one, range(2000))) <= {200, 400}


def test_callers_that_say_nothing_do_not_keep_others_out(server):
    at = urlsplit(server.endpoint)
    silent = [socket.create_connection((at.hostname, at.port)) for _ in range(500)]
    assert wire.call(server.endpoint, "ListClusters", {}).status == 200
    for connection in silent:
        connection.close()


FAILS_TO_START = {
    "an image that no registry has": ({"image": "127.0.0.1:1/nothing:here"}, "CannotPullContainerError: "),
    "a command that is not in the image": ({"command": ["no-such-program"]}, "CannotStartContainerError: "),
    "a command that is no program": ({"command": ["/etc/passwd"]}, "CannotStartContainerError: "),
    "a user that is not in the image": ({"user": "stranger"}, "CannotStartContainerError: "),
    "a group that is not in the image": ({"user": "nobody:strangers"}, "CannotStartContainerError: "),
    "a working directory that is a file": ({"workingDirectory": "/etc/passwd"}, "CannotStartContainerError: "),
    "a device that is not on the host": ({"linuxParameters": {"devices": [{"hostPath": "/dev/no-such-device"}]}}, "CannotStartContainerError: "),
}


@pytest.mark.parametrize("case", FAILS_TO_START)
def test_what_cannot_start(ecs, case):
    members, reason = FAILS_TO_START[case]
    task = ended(ecs, "cannot-start", container(**members))
    assert task["stopCode"] == "TaskFailedToStart" and task["stoppedReason"].startswith(reason), task["stoppedReason"]
    assert "exitCode" not in task["containers"][0] and task["containers"][0]["reason"].startswith(reason)


def test_a_host_port_that_a_stranger_has(ecs):
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        taken = stranger.getsockname()[1]
        definition = register(ecs, "taken", container(portMappings=[{"containerPort": 80, "hostPort": taken}]))
        task = wait(ecs, "stopped", run(ecs, definition))
    assert task["stopCode"] == "TaskFailedToStart", task
    assert "port is already allocated" in task["stoppedReason"] or "address already in use" in task["stoppedReason"], task["stoppedReason"]
    again = run(ecs, definition)
    wait(ecs, "running", again)
    stop(ecs, again)
