"""Real task definitions by other people, through real clients: registered or refused as the cases' index says, and where that is
unsure, as docs/decisions/task-definitions.md decides."""

import json
import re

import pytest
import wire
from botocore.exceptions import ClientError, ParamValidationError
from conftest import CASES, ROOT, needs_root

FOLDER = CASES / "task-definitions"
DECISIONS = ROOT / "docs/decisions/task-definitions.md"
# A rule that is broken, a constraint of the model, a type that no client would send.
REFUSALS = ("ClientException", "InvalidParameterException", "SerializationException")
VERDICTS = {"accept": True, "reject": False, "client-invalid": False}

pytestmark = [
    needs_root,
    pytest.mark.skipif(not FOLDER.exists(), reason=f"no cases: SLIPWAY_CASES or {CASES} has no task-definitions"),
]


def cases():
    index = json.loads((FOLDER / "index.json").read_text()) if FOLDER.exists() else []
    return [pytest.param(case, id=case["file"].removesuffix(".json")) for case in index]


def decided():
    """`file -> registers`, from the first two columns of the page's tables."""
    rows = re.findall(r"^\| ([\d ]+) \| (registers|refused) \|", DECISIONS.read_text(), re.MULTILINE)
    return {f"{number}.json": verdict == "registers" for numbers, verdict in rows for number in numbers.split()}


DECIDED = decided()


@pytest.mark.parametrize("case", cases())
def test_a_definition_gets_its_verdict(ecs, case):
    registers = DECIDED.get(case["file"], VERDICTS.get(case["verdict"]))
    assert registers is not None, f"{case['file']} is neither sure nor decided"
    definition = json.loads((FOLDER / case["file"]).read_text())
    outcomes = {"boto3": through_boto3(ecs, definition), "the wire": over_the_wire(ecs, definition)}
    # A client refuses members and types that it does not know, by itself; the server must give the verdict alone.
    assert outcomes["the wire"] == registers and outcomes["boto3"] in (registers, None), (case["rules"], outcomes)


def through_boto3(ecs, definition):
    """None if the client does not send it."""
    try:
        registered = ecs.register_task_definition(**definition)["taskDefinition"]
        described = ecs.describe_task_definition(taskDefinition=registered["taskDefinitionArn"])["taskDefinition"]
        assert described == registered
        return True
    except ParamValidationError:
        return None
    except ClientError as error:
        assert error.response["Error"]["Code"] in REFUSALS, error
        return False


def over_the_wire(ecs, definition):
    answer = wire.call(ecs.meta.endpoint_url, "RegisterTaskDefinition", definition)
    assert answer.status == 200 or answer.error in [(400, code) for code in REFUSALS], answer
    return answer.status == 200
