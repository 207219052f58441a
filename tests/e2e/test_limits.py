"""Limits that the operator sets, not the definition."""

from conftest import needs_root, serving
from tasks import container, ended

pytestmark = needs_root


def test_a_task_gets_no_more_processes_than_the_operator_allows(tmp_path):
    settings = tmp_path / "slipway.toml"
    settings.write_text("task_pids_limit = 20\n")
    with serving(tmp_path / "data", "--config", str(settings)) as server:
        forks = container(script="for i in $(seq 40); do sleep 5 & done", memory=64)
        beside = container("beside", script="sleep 1", essential=False)
        task = ended(server.client(), "forks", forks, beside)
        assert {one["name"]: one["exitCode"] for one in task["containers"]}["app"] != 0
        assert "can't fork" in server.slipway("logs", task["taskArn"]).stdout
