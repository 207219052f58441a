"""Writes signed.json: requests signed by botocore 1.44.5, for the SigV4 verifier's tests.

Run `python3 sign.py > signed.json` with botocore on the path. The time is frozen, so running it again changes nothing.
"""

import datetime
import json

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 1, 15, 12, 0, 0, tzinfo=datetime.timezone.utc)
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
PLAIN = Credentials(KEY, SECRET)
TEMPORARY = Credentials(KEY, SECRET, "a+session/token==")
TARGET = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters", "Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


auth.get_current_datetime = lambda remove_tzinfo=True: NOW.replace(tzinfo=None) if remove_tzinfo else NOW


def case(name, signer, method, url, service, region, headers=None, body="", params=None, credentials=PLAIN, **options):
    request = AWSRequest(method, url, headers=dict(headers or {}), data=body, params=params or {})
    signer(credentials, service, region, **options).add_auth(request)
    prepared = request.prepare()
    sent = {key: value.decode() if isinstance(value, bytes) else value for key, value in prepared.headers.items()}
    sent.setdefault("Host", url.split("/")[2])
    text = prepared.body.decode() if isinstance(prepared.body, bytes) else prepared.body or ""
    return {"name": name, "method": method, "url": prepared.url, "headers": sent, "body": text, "service": service,
            "region": region}


V4, QUERY, S3, S3QUERY = auth.SigV4Auth, auth.SigV4QueryAuth, auth.S3SigV4Auth, auth.S3SigV4QueryAuth
LOCAL = "http://localhost:4566/"
CASES = [
    case("ecs over a local port", V4, "POST", LOCAL, "ecs", "eu-central-1", TARGET, "{}"),
    case("ecs at its own endpoint", V4, "POST", "https://ecs.us-east-1.amazonaws.com/", "ecs", "us-east-1", TARGET, "{}"),
    case("a body beyond ASCII", V4, "POST", LOCAL, "ecs", "us-east-1", TARGET, '{"cluster":"straße ☕"}'.encode()),
    case("no body", V4, "POST", LOCAL, "ecs", "us-east-1", TARGET),
    case("temporary credentials", V4, "POST", LOCAL, "ecs", "us-east-1", TARGET, "{}", credentials=TEMPORARY),
    case("a header with spaces", V4, "POST", LOCAL, "ecs", "us-east-1", TARGET | {"X-Amz-Note": "  a   b  "}, "{}"),
    case("a form", V4, "POST", LOCAL, "iam", "us-east-1", FORM, "Action=ListUsers&Version=2010-05-08"),
    case("query parameters", V4, "GET", LOCAL, "sts", "us-east-1", params={"b": "2 3", "a": "ü/=&", "B": ""}),
    case("an encoded path", V4, "GET", LOCAL + "2015-03-31/functions/arn%3Aaws%3Alambda%3Afn/x%20y/", "lambda", "us-east-1"),
    case("dots in the path", V4, "GET", LOCAL + "a/./b/../c//d", "elasticfilesystem", "us-east-1"),
    case("an S3 object", S3, "PUT", LOCAL + "bucket/a%20key/..%2F~x%2B", "s3", "us-east-1", body="hello"),
    case("an S3 listing", S3, "GET", LOCAL + "bucket", "s3", "us-east-1", params={"prefix": "a/b c", "list-type": "2"}),
    case("presigned sts", QUERY, "GET", LOCAL + "?Action=GetCallerIdentity&Version=2011-06-15", "sts", "us-east-1", expires=60),
    case("presigned by temporary credentials", QUERY, "GET", LOCAL + "?Action=X", "sts", "us-east-1", credentials=TEMPORARY,
         expires=900),
    case("presigned S3", S3QUERY, "GET", LOCAL + "bucket/a%20key", "s3", "eu-west-1", expires=604800),
]
print(json.dumps(CASES, indent=1, ensure_ascii=False))
