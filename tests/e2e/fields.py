"""What a row of the table of fields is: what a definition says, and what must come of it. Rows say nothing of how they are run,
and the page of docs/fields.md says nothing that a run has not shown."""

import pathlib
import re
from typing import NamedTuple

from tasks import STAY, by_name, insist

EFFECTIVE, KEPT, REFUSED, NOT_HERE = "effective", "kept", "refused", "not here"


class Row(NamedTuple):
    """`fields` are paths as in the API, with dots; `app` the members of the container that is looked at, of which None takes
    away what it has otherwise; `others` further containers, `task` and `run` further members of definition and RunTask."""

    fields: str
    note: str
    expected: object
    script: str = STAY
    app: dict = {}
    others: tuple = ()
    task: dict = {}
    run: dict = {}


class Ran(NamedTuple):
    """A row as it was tried. One of task, refusal and failure is there."""

    server: object
    ecs: object
    task: str = None
    refusal: str = None
    failure: str = None


class Says:
    """The container itself tells, and all that it tells is this: a text, or what a function makes of it."""

    state = EFFECTIVE

    def __init__(self, expected, exit_code=0):
        self.expected, self.exit_code = expected, exit_code

    def check(self, ran, lives):
        task = lives.stopped(ran)
        said = lives.said(ran, "app")
        if callable(self.expected):
            assert self.expected(said), (said, task)
        else:
            assert said == self.expected, (said, task)
        assert by_name(task)["app"].get("exitCode") == self.exit_code, task


class Ends:
    """How containers end: their exit codes, None for one that never ran, and the reasons they are given."""

    state = EFFECTIVE

    def __init__(self, codes, stopped="Essential container in task exited", **reasons):
        self.codes, self.stopped, self.reasons = codes, stopped, reasons

    def check(self, ran, lives):
        task = lives.stopped(ran)
        containers = by_name(task)
        assert {name: containers[name].get("exitCode") for name in self.codes} == self.codes, task
        assert {name: containers[name].get("reason") for name in self.reasons} == self.reasons, task
        assert task["stoppedReason"] == self.stopped, task


class FailsToStart:
    """The task's reason begins so."""

    def __init__(self, reason, state=EFFECTIVE):
        self.reason, self.state = reason, state

    def check(self, ran, lives):
        task = lives.stopped(ran)
        assert task["stopCode"] == "TaskFailedToStart", task
        assert task["stoppedReason"].startswith(self.reason), task["stoppedReason"]


class Shows:
    """While the task runs, a function looks at it: it gets what was run and the task as described."""

    state = EFFECTIVE

    def __init__(self, look, codes=None):
        self.look, self.codes = look, codes

    def check(self, ran, lives):
        self.look(ran, lives.running(ran))
        task = lives.stop(ran)
        if self.codes:
            assert {name: by_name(task)[name].get("exitCode") for name in self.codes} == self.codes, task


class Kept:
    """Taken and described, and nothing that a container could see depends on it: by a function of the described task and its
    definition. Where the description itself is the effect, the state says so."""

    def __init__(self, described, state=KEPT):
        self.described, self.state = described, state

    def check(self, ran, lives):
        task = lives.stopped(ran)
        answer = ran.ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"], include=["TAGS"])
        assert self.described(task, answer), (task, answer)


class Refused:
    """Registering or running it fails with this error."""

    state = REFUSED

    def __init__(self, sentence):
        self.sentence = sentence

    def check(self, ran, lives):
        assert ran.refusal == self.sentence, ran


class Unplaced:
    """RunTask finds no place for it and says why."""

    state = NOT_HERE

    def __init__(self, reason):
        self.reason = reason

    def check(self, ran, lives):
        assert ran.failure == self.reason, ran


def health(status):
    """The container's and, as the others have no check, the task's."""

    def look(ran, task):
        def check():
            seen = ran.ecs.describe_tasks(tasks=[ran.task])["tasks"][0]
            assert (by_name(seen)["app"]["healthStatus"], seen["healthStatus"]) == (status, status), seen

        insist(check, AssertionError, seconds=30)

    return look


CGROUP_V2 = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()


def limit(v1, v1_value, v2, v2_value):
    """Script and answer of a container that reads a limit of its own group."""
    file, value = (v2, v2_value) if CGROUP_V2 else (v1, v1_value)
    return {"script": f"cat /sys/fs/cgroup/{file}", "expected": Says(str(value))}


def key(title, row):
    return title, row.fields, row.note


def page(tables, states):
    """The page of docs; `states` are what the rows came to, by their keys."""
    lines = [HEAD]
    for title, rows in tables.items():
        lines += [f"\n## {title}\n", "| field | here | what was seen |", "|---|---|---|"]
        for row in rows:
            fields = ", ".join(f"`{field}`" for field in row.fields.split())
            lines.append(f"| {fields} | {states[key(title, row)]} | {cell(row)} |")
    return "\n".join(lines) + "\n"


def cell(row):
    said = getattr(row.expected, "sentence", None) or getattr(row.expected, "reason", "").strip()
    note = row.note[0].upper() + row.note[1:]
    return (f"{note}: `{said}`" if said else note).replace("|", "\\|")


HEAD = """# Every field of a task definition, and what it does here

Written by `tests/e2e/test_fields.py`, which runs a task for each line and fails when this page says anything else
(`UPDATE_FIELDS=1` writes it anew). A field is **effective** when a container was seen to have what its definition says; **kept**
when it is described as it was registered and nothing in a container depends on it; **refused** when registering or running it
fails with the error shown; **not here** when the task finds no place, or does not start, because this host or this release
cannot do it, with the reason that users get."""


def leaves(shape, path=(), seen=()):
    """All paths of a model that lead to a value."""
    if shape.type_name == "list":
        yield from leaves(shape.member, path, seen)
    elif shape.type_name == "structure" and shape.name not in seen:
        for name, member in shape.members.items():
            yield from leaves(member, (*path, name), (*seen, shape.name))
    else:
        yield ".".join(path)


def matches(pattern):
    return lambda said: re.fullmatch(pattern, said, re.DOTALL) is not None
