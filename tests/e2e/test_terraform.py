"""The official Terraform provider: applies, sees no difference, changes, destroys. It reads answers more closely than any client."""

import glob
import json
import os
import shutil
import subprocess

import pytest
from conftest import ROOT, needs_root, serving

# Where Terraform itself looks for providers that were put there, and where packages of them are unpacked.
PLACES = [
    os.environ.get("TF_PLUGIN_DIR", ""),
    os.environ.get("TF_PLUGIN_CACHE_DIR", ""),
    "~/.terraform.d/plugins",
    "~/.terraform.d/plugin-cache",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/opt/*",
]
PROVIDER = "registry.terraform.io/hashicorp/aws/*/linux_*/terraform-provider-aws*"


def mirror():
    """The first of the places that holds the AWS provider."""
    places = [found for place in PLACES if place for found in glob.glob(os.path.expanduser(place))]
    return next((place for place in places if glob.glob(f"{place}/{PROVIDER}")), None)


pytestmark = [
    needs_root,
    pytest.mark.skipif(not shutil.which("terraform"), reason="no terraform on PATH"),
    pytest.mark.skipif(not mirror(), reason="no AWS provider in the usual places for plugins, nor in TF_PLUGIN_DIR"),
]

@pytest.fixture
def terraform(own, tmp_path):
    initialised = initialise(own, tmp_path, "main.tf")
    return lambda command, *arguments, insights="enabled", image="busybox": initialised(
        command, *arguments, TF_VAR_insights=insights, TF_VAR_image=image
    )


def initialise(server, folder, configuration):
    """A function that runs commands of Terraform on a configuration, with variables."""
    shutil.copy(ROOT / "tests/e2e/terraform" / configuration, folder)
    settings = folder / "terraform.rc"
    settings.write_text(f'provider_installation {{ filesystem_mirror {{ path = "{mirror()}" }} }}')
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(settings), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    environment["TF_VAR_endpoint"] = server.endpoint

    def terraform(command, *arguments, **variables):
        done = subprocess.run(
            ["terraform", command, "-no-color", "-input=false", *arguments],
            cwd=folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"terraform {command}\n{done.stdout}\n{done.stderr}"

    terraform("init")
    return terraform


def test_apply_plan_change_destroy(own, terraform):
    ecs = own.client()
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # Exits with 2 if anything would change.
    cluster = ecs.describe_clusters(clusters=["from-terraform"], include=["TAGS", "SETTINGS"])["clusters"][0]
    assert {tag["key"]: tag["value"] for tag in cluster["tags"]} == {"owner": "terraform", "insights": "enabled"}
    assert sorted(cluster["capacityProviders"]) == ["FARGATE", "FARGATE_SPOT"]
    assert values(own) == ("enabled", "hunter2", "enabled")

    terraform("apply", "-auto-approve", insights="disabled", image="busybox:latest")
    terraform("plan", "-detailed-exitcode", insights="disabled", image="busybox:latest")
    assert ecs.describe_task_definition(taskDefinition="from-terraform-bridge")["taskDefinition"]["revision"] == 2
    assert values(own) == ("disabled", "hunter2", "disabled")

    terraform("destroy", "-auto-approve")
    assert ecs.describe_clusters(clusters=["from-terraform"])["clusters"][0]["status"] == "INACTIVE"
    assert ecs.list_task_definitions(familyPrefix="from-terraform-bridge")["taskDefinitionArns"] == []
    assert own.client("ssm").describe_parameters()["Parameters"] == []
    assert own.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"] == []


def values(own):
    """A plain parameter, a secure one, and a member of a secret."""
    names = ["/from-terraform/plain", "/from-terraform/secure"]
    plain, secure = own.client("ssm").get_parameters(Names=names, WithDecryption=True)["Parameters"]
    secret = own.client("secretsmanager").get_secret_value(SecretId="from-terraform")["SecretString"]
    return plain["Value"], secure["Value"], json.loads(secret)["insights"]


def test_a_service_is_made_changed_and_destroyed(tmp_path):
    with serving(tmp_path / "data", "--healthy-after", "0.5") as server:
        terraform = initialise(server, tmp_path, "service/main.tf")
        ecs = server.client()
        terraform("apply", "-auto-approve")
        terraform("plan", "-detailed-exitcode")
        described = lambda: ecs.describe_services(cluster="services", services=["app"])["services"][0]
        assert (described()["runningCount"], described()["platformVersion"]) == (1, "LATEST")

        changed = {"TF_VAR_desired": "2", "TF_VAR_color": "green"}
        terraform("apply", "-auto-approve", **changed)
        terraform("plan", "-detailed-exitcode", **changed)
        assert described()["runningCount"] == 2 and described()["taskDefinition"].endswith("app:2")

        terraform("destroy", "-auto-approve", **changed)
        assert ecs.describe_clusters(clusters=["services"])["clusters"][0]["status"] == "INACTIVE"
