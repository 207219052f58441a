"""Requests as they are on the wire, signed as SDKs sign: for what no client would send."""

import contextlib
import http.client
import json
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TARGET = "AmazonEC2ContainerServiceV20141113."
KEY = ("test", "test")


class Answer(NamedTuple):
    status: int
    body: dict

    @property
    def error(self):
        return self.status, self.body.get("__type")


def signed(endpoint, method="POST", path="/", body=b"", service="ecs", key=KEY, region="us-east-1", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, endpoint + path, headers, body)
    SigV4Auth(Credentials(*key), service, region).add_auth(request)
    return request.prepare()


def operation(endpoint, name, body, **more):
    """A signed request for an operation; the body is sent as it is, or as JSON if it is not bytes."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X_Amz_Target": TARGET + name, "Content_Type": "application/x-amz-json-1.1"}
    return signed(endpoint, body=body, **{**headers, **more})


def send(request):
    at = urlsplit(request.url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=60)
    try:
        connection.request(request.method, f"{at.path}?{at.query}" if at.query else at.path, request.body, dict(request.headers))
        response = connection.getresponse()
        return Answer(response.status, json.loads(response.read() or b"{}"))
    finally:
        connection.close()


def call(endpoint, name, body, **more):
    return send(operation(endpoint, name, body, **more))


def raw(endpoint, sent):
    """What the server says to these bytes, after which the caller sends no more; nothing if it hangs up on them."""
    at = urlsplit(endpoint)
    with socket.create_connection((at.hostname, at.port), timeout=60) as connection, contextlib.suppress(OSError):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()
    return b""
