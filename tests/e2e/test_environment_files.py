"""Environment files: from a directory that stands for S3, and from an endpoint that speaks it."""

import contextlib
import functools
import http.server
import threading

import pytest
from conftest import needs_root, serving
from tasks import container, ended, register, run, wait

pytestmark = needs_root

TELL = 'for name in ONE TWO THREE QUOTED; do eval "echo $name=\\$$name"; done'
FAILED = "ResourceInitializationError: failed to download env files: The task can't download the environment variable files from Amazon S3. "


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    bucket = tmp_path_factory.mktemp("s3") / "bucket"
    (bucket / "dir").mkdir(parents=True)
    (bucket / "dir/first.env").write_text('# ONE=comment\nONE=first\n\nTWO=a=b\nnothing\nTHREE=\nQUOTED="as it stands"\n')
    (bucket / "second.env").write_text("ONE=second\nTHREE=second\n")
    return bucket


@contextlib.contextmanager
def endpoint(directory):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=directory))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module", params=["directory", "endpoint"])
def s3(request, bucket, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        place = bucket.parent if request.param == "directory" else stack.enter_context(endpoint(bucket.parent))
        yield stack.enter_context(serving(tmp_path_factory.mktemp("slipway") / "data", "--s3", str(place)))


def files(*keys):
    return [{"type": "s3", "value": f"arn:aws:s3:::bucket/{key}"} for key in keys]


def said(server, task):
    return [line.split(" | ", 1)[1] for line in server.slipway("logs", task.rsplit("/")[-1]).stdout.splitlines()]


def test_a_file_says_the_region_but_not_where_to_ask_about_oneself(s3, bucket):
    (bucket / "region.env").write_text("AWS_REGION=mars-1\nECS_AGENT_URI=mine\n")
    ecs = s3.client()
    app = container(script="echo $AWS_REGION $AWS_DEFAULT_REGION ${ECS_AGENT_URI%/*}", environmentFiles=files("region.env"))
    task = run(ecs, register(ecs, "region", app))
    wait(ecs, "stopped", task)
    assert said(s3, task) == ["mars-1 us-east-1 http://169.254.170.2/api"]


def test_the_first_file_wins_and_the_container_itself_over_all(s3):
    ecs = s3.client()
    app = container(script=TELL, environmentFiles=files("dir/first.env", "second.env"))
    task = run(ecs, register(ecs, "files", app))
    wait(ecs, "stopped", task)
    assert said(s3, task) == ["ONE=first", "TWO=a=b", "THREE=second", 'QUOTED="as it stands"']
    app["environment"] = [{"name": "TWO", "value": "own"}]
    task = run(ecs, register(ecs, "files", app), overrides={
        "containerOverrides": [{"name": "app", "environmentFiles": files("second.env")}]
    })
    wait(ecs, "stopped", task)
    assert said(s3, task) == ["ONE=second", "TWO=own", "THREE=second", "QUOTED="]


def test_an_object_that_is_missing_stops_the_task(s3):
    task = ended(s3.client(), "missing", container(environmentFiles=files("none.env")))
    assert task["stoppedReason"] == FAILED + "arn:aws:s3:::bucket/none.env: NoSuchKey: The specified key does not exist."
    assert task["stopCode"] == "TaskFailedToStart"


def test_a_server_without_s3_says_so(server):
    task = ended(server.client(), "nowhere", container(environmentFiles=files("none.env")))
    reason = "arn:aws:s3:::bucket/none.env: this server has no S3: start it with --s3 and a directory or a URL"
    assert task["stoppedReason"] == FAILED + reason
