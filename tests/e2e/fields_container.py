"""The members of a container definition, in the order of the developer guide."""

import socket

from conftest import quiet_port
from fields import EFFECTIVE, Ends, FailsToStart, Kept, Refused, Row, Says, Shows, Unplaced, health, limit, matches
from tasks import STAY, by_name, fetch, insist

SERVE = "mkdir /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www"
CAPABILITIES = "awk '/CapEff/ {print $2}' /proc/self/status"
DEPENDENCY = "CannotStartContainerError: dependency graph: "
ORDERING = DEPENDENCY + "failed to resolve container ordering dependency [first] for target [app] "
NO_DRIVER = (
    "InvalidParameterException: 1 validation error detected: Value 'none' at 'containerDefinitions.1.member.logConfiguration.logDriver'"
    " failed to satisfy constraint: Member must satisfy enum value set:"
    " [json-file, syslog, journald, gelf, fluentd, awslogs, splunk, awsfirelens]"
)
# Busybox has nothing that answers datagrams.
ECHO = """exec perl -e 'socket(S, 2, 2, 17); bind(S, pack("S n x12", 2, 5300)); while ($who = recv(S, $said, 99, 0)) { send(S, $said, 0, $who) }'"""
RECEIVE = r"""exec perl -e 'socket(S, 1, 1, 0); bind(S, pack("S Z*", 1, "/var/run/fluent.sock")); listen(S, 1); accept(C, S); $| = 1;
    while (sysread(C, $sent, 999)) { $sent =~ s/[^ -~]/ /g; print "$sent\n" }'"""
ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/execution"}
ENVIRONMENT_FILES = [{"type": "s3", "value": "arn:aws:s3:::bucket/one.env"}]
# Where a registry is that wants the user and the password of this secret.
PRIVATE_PORT = quiet_port()
LOGIN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:login"
UNBUILT = "UnsupportedFeatureException: {} are not supported by this server yet."
SHARED = {"mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared"}]}
VOLUME = {"volumes": [{"name": "shared"}]}


def other(name, script=STAY, **members):
    return {"name": name, "script": script, **members}


def after(condition):
    return [{"containerName": "first", "condition": condition}]


def linux(**members):
    return {"linuxParameters": members}


def tcp_answers(ran, task):
    port = by_name(task)["app"]["networkBindings"][0]["hostPort"]
    assert port >= 32768
    assert fetch(f"http://127.0.0.1:{port}/") == "served\n"


def static_port_answers(ran, task):
    assert by_name(task)["app"]["networkBindings"][0]["hostPort"] == 8471
    assert fetch("http://127.0.0.1:8471/") == "served\n"


def udp_answers(ran, task):
    port = by_name(task)["app"]["networkBindings"][0]["hostPort"]

    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(1)
            asking.connect(("127.0.0.1", port))
            asking.send(b"hello")
            assert asking.recv(100) == b"hello"

    insist(ask, OSError)


def range_answers(ran, task):
    [binding] = by_name(task)["app"]["networkBindings"]
    first, last = map(int, binding["hostPortRange"].split("-"))
    assert (binding["containerPortRange"], last - first, "hostPort" in binding) == ("8080-8081", 1, False)
    assert fetch(f"http://127.0.0.1:{last}/") == "served\n"


def kept_member(name, value):
    return Kept(lambda task, answer: answer["taskDefinition"]["containerDefinitions"][0][name] == value)


def rotated(ran, task):
    folder = ran.server.data_dir / "logs" / ran.task.rsplit("/")[-1]

    def check():
        sizes = [path.stat().st_size for path in folder.glob("app*")]
        assert len(sizes) == 2 and max(sizes) <= 50_000, sizes

    insist(check, AssertionError)


def delivered(ran, task):
    read = {"logGroupName": "fields", "logStreamName": f"p/app/{ran.task.rsplit('/')[-1]}"}

    def check():
        events = ran.server.client("logs").get_log_events(**read)["events"]
        assert [event["message"] for event in events] == ["sent"]

    insist(check, AssertionError)


def routed(ran, task):
    """What the router, which writes down all that comes to its socket, was sent."""

    def check():
        said = ran.server.slipway("logs", ran.task, "--container", "router").stdout
        assert "app-firelens-" in said and "sent" in said, said

    insist(check, AssertionError)


def router():
    return other("router", RECEIVE, image="fields-perl", firelensConfiguration={"type": "fluentbit"})


def configured(said):
    return "unix_path /var/run/fluent.sock" in said and "@INCLUDE /own.conf" in said and "ecs_cluster" not in said


PROCESS = [
    Row("name image", "the image's files are there", Says("seed"), "cat /data/seed", {"image": "fields"}),
    Row("image", "one that no registry has", FailsToStart(
        "CannotPullContainerError: "), app={"image": "127.0.0.1:1/nothing:here"}),
    Row("entryPoint", "takes the place of the image's, and with it of the image's command", Says("own"),
        app={"image": "fields-entry", "entryPoint": ["echo", "own"], "command": None}),
    Row("command", "follows the image's entry point", Says("entry own"), app={"image": "fields-entry", "command": ["own"]}),
    Row("command", "is the image's if none is given", Says("entry image"), app={"image": "fields-entry", "command": None}),
    Row("user", "a name, with the groups that the image gives it", Says("65534:65534"), "echo $(id -u):$(id -g)", {"user": "nobody"}),
    Row("user", "a number that the image need not know", Says("1234:0"), "echo $(id -u):$(id -g)", {"user": "1234"}),
    Row("user", "a user and a group", Says("1234:5678"), "echo $(id -u):$(id -g)", {"user": "1234:5678"}),
    Row("user", "a name and a group's name", Says("0:65534"), "echo $(id -u):$(id -g)", {"user": "root:nogroup"}),
    Row("user", "one that the image has not", FailsToStart(
        "CannotStartContainerError: Error response from daemon: unable to find user stranger: no matching entries in passwd file"),
        app={"user": "stranger"}),
    Row("workingDirectory", "is made if the image has none", Says("/not/there/yet"), "pwd", {"workingDirectory": "/not/there/yet"}),
    Row("environment", "values may be empty and contain `=`", Says("[a=b c] []"), 'echo "[$ONE] [$TWO]"',
        {"environment": [{"name": "ONE", "value": "a=b c"}, {"name": "TWO", "value": ""}]}),
    Row("environmentFiles", "from what `slipway up --s3` names, below `environment`", Says("own file"), "echo $ONE $TWO",
        {"environmentFiles": ENVIRONMENT_FILES, "environment": [{"name": "ONE", "value": "own"}]}),
    Row("environmentFiles", "one that is not there", FailsToStart("ResourceInitializationError: failed to download env files: "),
        app={"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/none.env"}]}),
    Row("secrets", "from Parameter Store and, with the key of a JSON object, from Secrets Manager", Says("stored me"), "echo $ONE $TWO",
        {"secrets": [{"name": "ONE", "valueFrom": "parameter"}, {"name": "TWO", "valueFrom": f"{LOGIN}:username::"}]}, task=ROLE),
    Row("secrets", "one that is not there", FailsToStart("ResourceInitializationError: unable to pull secrets or registry auth: "),
        app={"secrets": [{"name": "ONE", "valueFrom": "none"}]}, task=ROLE),
    Row("repositoryCredentials", "lead to the image of a registry that asks for them", Ends({"app": 5}), "exit 5",
        {"image": f"127.0.0.1:{PRIVATE_PORT}/private:latest", "repositoryCredentials": {"credentialsParameter": LOGIN}}, task=ROLE),
    Row("credentialSpecs", "are for Windows and Active Directory", Refused(UNBUILT.format("Credential specs")),
        app={"credentialSpecs": ["credentialspec:arn:aws:s3:::bucket/one"]}),
    Row("hostname", "also in the hosts file", Says("web\nweb"), "hostname; grep -ow web /etc/hosts", {"hostname": "web"}),
    Row("dnsServers", "in the resolver's file", Says("nameserver 192.0.2.53"), "grep nameserver /etc/resolv.conf", {"dnsServers": ["192.0.2.53"]}),
    Row("dnsSearchDomains", "in the resolver's file", Says("search one.test two.test"), "grep search /etc/resolv.conf",
        {"dnsSearchDomains": ["one.test", "two.test"]}),
    Row("extraHosts", "in the hosts file", Says("192.0.2.7\tapi.test"), "grep api.test /etc/hosts",
        {"extraHosts": [{"hostname": "api.test", "ipAddress": "192.0.2.7"}]}),
    Row("links", "the other container answers to its alias", Says("1 packets received"),
        "ping -c 1 -W 5 database | grep -o '1 packets received'", {"links": ["db:database"]}, (other("db", essential=False),)),
    Row("disableNetworking", "leaves the loopback alone", Says("lo"), "ls /sys/class/net", {"disableNetworking": True}),
    Row("interactive", "the input stays open", Says("waits"), "timeout 1 cat 2> /dev/null && echo end || echo waits", {"interactive": True}),
    Row("interactive", "the input is at its end otherwise", Says("end"), "timeout 1 cat && echo end || echo waits"),
    Row("pseudoTerminal", "all three are a terminal", Says("0 1 2 xterm"),
        'for fd in 0 1 2; do test -t $fd && printf "$fd "; done; echo $TERM', {"pseudoTerminal": True}),
    Row("readonlyRootFilesystem", "nothing can be written", Says("touch: /file: Read-only file system"), "touch /file || true",
        {"readonlyRootFilesystem": True}),
    Row("privileged", "may mount", Says("mounted"), "mount -t tmpfs none /tmp && echo mounted", {"privileged": True}),
    Row("privileged", "nobody else may", Says("mount: permission denied (are you root?)"), "mount -t tmpfs none /tmp || true"),
    Row("dockerLabels", "are described", kept_member("dockerLabels", {"one": "1"}), "exit 0", {"dockerLabels": {"one": "1"}}),
    Row("dockerLabels", "files in memory, which is [an extension](extensions.md)", Says("400 text stored"),
        "echo $(stat -c %a /etc/one) $(cat /etc/one /run/two)",
        {"dockerLabels": {"slipway.file./etc/one": "text\n", "slipway.secret-file./run/two": "parameter"}}, task=ROLE),
    Row("dockerSecurityOptions", "`no-new-privileges`", Says("1"), "awk '/NoNewPrivs/ {print $2}' /proc/self/status",
        {"dockerSecurityOptions": ["no-new-privileges"]}),
    Row("dockerSecurityOptions", "`label:` needs SELinux", Unplaced("ATTRIBUTE"), app={"dockerSecurityOptions": ["label:type:one"]}),
    Row("dockerSecurityOptions", "`apparmor:` needs AppArmor", Unplaced("ATTRIBUTE"), app={"dockerSecurityOptions": ["apparmor:one"]}),
    Row("systemControls", "of the container's own network", Says("512"), "cat /proc/sys/net/core/somaxconn",
        {"systemControls": [{"namespace": "net.core.somaxconn", "value": "512"}]}),
    Row("ulimits", "soft and hard", Says("1000 2000"), "echo $(ulimit -Sn) $(ulimit -Hn)",
        {"ulimits": [{"name": "nofile", "softLimit": 1000, "hardLimit": 2000}]}),
]

LINUX = [
    Row("linuxParameters.capabilities", "more than Docker gives", Says("00000000a80435fb"), CAPABILITIES, linux(capabilities={"add": ["NET_ADMIN"]})),
    Row("linuxParameters.capabilities", "less than Docker gives", Says("00000000a80425fa"), CAPABILITIES, linux(capabilities={"drop": ["CHOWN"]})),
    Row("linuxParameters.capabilities", "none but one", Says("0000000000000400"), CAPABILITIES,
        linux(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]})),
    Row("linuxParameters.devices", "under another name, and only to be read", Says("opens\nmay not be written"),
        ": < /dev/mine && echo opens; (: > /dev/mine) 2> /dev/null || echo may not be written",
        linux(devices=[{"hostPath": "/dev/fuse", "containerPath": "/dev/mine", "permissions": ["read"]}])),
    Row("linuxParameters.devices", "one that the host has not", FailsToStart("CannotStartContainerError: "),
        app=linux(devices=[{"hostPath": "/dev/no-such-device"}])),
    Row("linuxParameters.initProcessEnabled", "process 1 is not the program", Says("/dev/init"), "readlink /proc/1/exe; test $$ != 1",
        linux(initProcessEnabled=True)),
    Row("linuxParameters.sharedMemorySize", "in MiB", Says("100"), "df -m /dev/shm | awk 'END {print $2}'", linux(sharedMemorySize=100)),
    Row("linuxParameters.tmpfs", "with its size and its options", Says(matches("tmpfs .*mode=700.*")),
        "df -m /scratch | awk 'END {exit $2 != 7}' && awk '$2 == \"/scratch\" {print $3, $4}' /proc/mounts",
        linux(tmpfs=[{"containerPath": "/scratch", "size": 7, "mountOptions": ["mode=700"]}])),
    Row("linuxParameters.maxSwap", "beyond the memory", app={"memory": 16, **linux(maxSwap=8)},
        **limit("memory/memory.memsw.limit_in_bytes", 24 << 20, "memory.swap.max", 8 << 20)),
    Row("linuxParameters.swappiness", "where the kernel has it for groups (version 1)", app=linux(swappiness=33, maxSwap=8),
        **limit("memory/memory.swappiness", 33, "memory.swap.max", 8 << 20)),
]

LIMITS = [
    Row("cpu", "shares, 1024 for a core", app={"cpu": 64}, **limit("cpu/cpu.shares", 64, "cpu.weight", 3)),
    Row("memory", "the hard limit", app={"memory": 20}, **limit("memory/memory.limit_in_bytes", 20 << 20, "memory.max", 20 << 20)),
    Row("memory", "whoever exceeds it is killed, and others live on",
        Ends({"app": 0, "first": 137}, first="OutOfMemoryError: Container killed due to memory usage"), "exit 0",
        {"dependsOn": after("COMPLETE")}, (other("first", "exec tail /dev/zero", memory=16, essential=False),)),
    Row("memoryReservation", "the soft limit", app={"memory": 20, "memoryReservation": 10},
        **limit("memory/memory.soft_limit_in_bytes", 10 << 20, "memory.low", 10 << 20)),
    Row("resourceRequirements", "a GPU, which no node has", Unplaced("RESOURCE:GPU"),
        app={"resourceRequirements": [{"type": "GPU", "value": "1"}]}),
    Row("resourceRequirements", "all GPUs of a node, of which none has any", Unplaced("RESOURCE:GPU"),
        app={"resourceRequirements": [{"type": "GPU", "value": "ALL"}]}),
    Row("resourceRequirements.sharingStrategy", "a part of a GPU", Unplaced("RESOURCE:GPU"),
        app={"resourceRequirements": [{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1024, "maxComputePercent": 10}}}]}),
]

PORTS = [
    Row("portMappings", "a port that the node picks, from outside", Shows(tcp_answers), SERVE, {"portMappings": [{"containerPort": 80}]}),
    Row("portMappings.hostPort", "the port that is asked for, from outside", Shows(static_port_answers), SERVE,
        {"portMappings": [{"containerPort": 80, "hostPort": 8471}]}),
    Row("portMappings.protocol", "`udp`, from outside", Shows(udp_answers), ECHO,
        {"image": "fields-perl", "portMappings": [{"containerPort": 5300, "protocol": "udp"}]}),
    Row("portMappings.containerPortRange", "a port of the node for each of the range, from outside", Shows(range_answers), SERVE.replace("80 ", "8081 "),
        {"portMappings": [{"containerPortRange": "8080-8081"}]}),
    Row("portMappings.name portMappings.appProtocol", "are for Service Connect", Kept(
        lambda task, answer: answer["taskDefinition"]["containerDefinitions"][0]["portMappings"][0]["name"] == "web"), "exit 0",
        {"portMappings": [{"containerPort": 80, "name": "web", "appProtocol": "http"}]}),
]

ORDER = [
    Row("dependsOn", "`START`: the other runs", Says("1"), "ps | grep -c '[s]leep 577'", {"dependsOn": after("START")},
        (other("first", command=["sleep", "577"], essential=False),), {"pidMode": "task"}),
    Row("dependsOn", "`COMPLETE`: the other has ended, however", Says("done"), "cat /shared/flag", {"dependsOn": after("COMPLETE"), **SHARED},
        (other("first", "sleep 0.2; echo done > /shared/flag; exit 3", essential=False, **SHARED),), VOLUME),
    Row("dependsOn", "`SUCCESS`: the other has ended well", Says("done"), "cat /shared/flag", {"dependsOn": after("SUCCESS"), **SHARED},
        (other("first", "sleep 0.2; echo done > /shared/flag", essential=False, **SHARED),), VOLUME),
    Row("dependsOn", "`SUCCESS` of one that failed", FailsToStart(ORDERING + "as dependency did not exit successfully"), "exit 0",
        {"dependsOn": after("SUCCESS")}, (other("first", "exit 3", essential=False),)),
    Row("dependsOn", "`HEALTHY`: the other passed its check", Says("checked"), "cat /shared/flag", {"dependsOn": after("HEALTHY"), **SHARED},
        (other("first", essential=False, healthCheck={"command": ["CMD-SHELL", "echo checked > /shared/flag"], "interval": 5}, **SHARED),), VOLUME),
    Row("dependsOn", "`HEALTHY` of one that is not", FailsToStart(ORDERING + "as dependency is unhealthy"), "exit 0",
        {"dependsOn": after("HEALTHY")},
        (other("first", essential=False, healthCheck={"command": ["CMD", "false"], "interval": 5, "retries": 1}),)),
    Row("startTimeout", "of a dependency that takes too long",
        FailsToStart(DEPENDENCY + "container ordering dependency [first] for target [app] has timed out."), "exit 0",
        {"dependsOn": after("SUCCESS")}, (other("first", essential=False, startTimeout=2),)),
    Row("stopTimeout", "whoever does not go in time is killed", Shows(lambda ran, task: None, {"app": 137}),
        "trap '' TERM; while true; do sleep 1; done", {"stopTimeout": 2}),
    Row("stopTimeout", "whoever takes no longer is not", Shows(lambda ran, task: heard(ran, "ready"), {"app": 5}),
        "trap 'sleep 3; exit 5' TERM; echo ready; while true; do sleep 0.1; done", {"stopTimeout": 20}),
    Row("stopTimeout", "the signal is the image's STOPSIGNAL", Shows(lambda ran, task: heard(ran, "ready"), {"app": 7}),
        "trap 'exit 7' USR1; echo ready; while true; do sleep 0.1; done", {"image": "fields", "stopTimeout": 20}),
    Row("essential", "the task ends with it, and others are stopped", Ends({"app": 3, "first": 0}), "sleep 1; exit 3", {},
        (other("first"),)),
    Row("essential", "the task goes on without one that is not", Ends({"app": 0, "first": 3}), "exit 0", {"dependsOn": after("COMPLETE")},
        (other("first", "exit 3", essential=False),)),
    Row("healthCheck.command healthCheck.interval", "`CMD-SHELL`, passed", Shows(health("HEALTHY")), STAY,
        {"healthCheck": {"command": ["CMD-SHELL", "test -e /bin/sh && exit 0"], "interval": 5}}),
    Row("healthCheck.command", "`CMD`, passed", Shows(health("HEALTHY")), STAY, {"healthCheck": {"command": ["CMD", "true"], "interval": 5}}),
    Row("healthCheck.retries", "failed as often as it may", Shows(health("UNHEALTHY")), STAY,
        {"healthCheck": {"command": ["CMD", "false"], "interval": 5, "retries": 2}}),
    Row("healthCheck.timeout", "one that takes too long has failed", Shows(health("UNHEALTHY")), STAY,
        {"healthCheck": {"command": ["CMD", "sleep", "60"], "interval": 5, "timeout": 2, "retries": 1}}),
    Row("healthCheck.startPeriod", "two failures that do not count",
        Kept(lambda task, answer: by_name(task)["app"]["healthStatus"] == "UNKNOWN", EFFECTIVE),
        'until [ "$(wc -l < /tmp/probes)" = 2 ] 2> /dev/null; do sleep 0.2; done', {"healthCheck": {
            "command": ["CMD-SHELL", "echo >> /tmp/probes; exit 1"], "interval": 5, "retries": 1, "startPeriod": 60}}),
    Row("restartPolicy.enabled restartPolicy.restartAttemptPeriod", "runs again, with what it wrote, after a run that was long enough",
        Says("first\nagain", exit_code=4), "test -e /ran && echo again && exit 4; touch /ran; echo first; sleep 61; exit 3",
        {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}}),
    Row("restartPolicy.ignoredExitCodes", "a code after which it does not", Says("first", exit_code=3), "echo first; sleep 61; exit 3",
        {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 60, "ignoredExitCodes": [3]}}),
    Row("restartPolicy.restartAttemptPeriod", "a run that was not long enough is the last", Says("first", exit_code=3), "echo first; exit 3",
        {"restartPolicy": {"enabled": True}}),
]

FILES = [
    Row("mountPoints", "what one container writes another reads", Says("done"), "cat /shared/flag", {"dependsOn": after("SUCCESS"), **SHARED},
        (other("first", "echo done > /shared/flag", essential=False, **SHARED),), VOLUME),
    Row("mountPoints.readOnly", "cannot be written", Says("touch: /shared/file: Read-only file system"), "touch /shared/file || true",
        {"mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared", "readOnly": True}]}, (), VOLUME),
    Row("mountPoints", "an empty volume gets what the image has there", Says("seed"), "cat /data/seed",
        {"image": "fields", "mountPoints": [{"sourceVolume": "shared", "containerPath": "/data"}]}, (),
        {"volumes": [{"name": "shared", "dockerVolumeConfiguration": {"scope": "task"}}]}),
    Row("image", "a VOLUME of the image gets what the image has there", Says("seed /data"),
        "echo $(cat /data/seed) $(awk '$2 == \"/data\" {print $2}' /proc/mounts)", {"image": "fields"}),
    Row("volumesFrom.sourceContainer", "all that the other has mounted", Says("done"), "cat /shared/flag",
        {"dependsOn": after("SUCCESS"), "volumesFrom": [{"sourceContainer": "first"}]},
        (other("first", "echo done > /shared/flag", essential=False, **SHARED),), VOLUME),
    Row("volumesFrom.readOnly", "cannot be written", Says("touch: /shared/file: Read-only file system"), "touch /shared/file || true",
        {"volumesFrom": [{"sourceContainer": "first", "readOnly": True}]}, (other("first", essential=False, **SHARED),), VOLUME),
    Row("logConfiguration.logDriver", "`none`, which the API has not", Refused(NO_DRIVER), "exit 0",
        {"logConfiguration": {"logDriver": "none"}}),
    Row("logConfiguration.options", "`json-file` with `max-size` and `max-file`", Shows(rotated), "for i in $(seq 200); do seq 100; done; " + STAY,
        {"logConfiguration": {"logDriver": "json-file", "options": {"max-size": "50k", "max-file": "2"}}}),
    Row("logConfiguration.logDriver", "`awslogs`: what it writes is in CloudWatch Logs", Shows(delivered), f"echo sent; {STAY}",
        {"logConfiguration": {"logDriver": "awslogs", "options": {
            "awslogs-group": "fields", "awslogs-region": "us-east-1", "awslogs-create-group": "true", "awslogs-stream-prefix": "p"}}}),
    Row("logConfiguration.logDriver", "`awslogs` into a group that is missing", FailsToStart("ResourceInitializationError: failed to initialize logging driver"),
        app={"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "missing", "awslogs-region": "us-east-1"}}}),
    Row("logConfiguration.logDriver", "`syslog`, as no node has it", Unplaced("ATTRIBUTE"), app={"logConfiguration": {"logDriver": "syslog"}}),
    Row("logConfiguration.secretOptions", "in the router's environment, where its configuration looks for them", Says("stored\napikey ${apikey_1}"),
        "echo $apikey_1; grep -o 'apikey .*' /fluent-bit/etc/fluent-bit.conf", {"firelensConfiguration": {"type": "fluentbit"}},
        (other("sender", essential=False, logConfiguration={
            "logDriver": "awsfirelens", "options": {"Name": "null"}, "secretOptions": [{"name": "apikey", "valueFrom": "parameter"}]}),), ROLE),
    Row("logConfiguration.secretOptions", "of a driver that has no place for them",
        Refused(UNBUILT.format("Secret options of other log drivers than awsfirelens")),
        app={"logConfiguration": {"logDriver": "json-file", "secretOptions": [{"name": "tag", "valueFrom": "parameter"}]}}),
    Row("logConfiguration.logDriver firelensConfiguration.type", "`awsfirelens`: the router has what others write", Shows(routed), f"echo sent; {STAY}",
        {"logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "null"}}}, (router(),)),
    Row("firelensConfiguration.options", "a file of one's own and no metadata", Says(configured), "cat /fluent-bit/etc/fluent-bit.conf",
        {"firelensConfiguration": {"type": "fluentbit", "options": {
            "enable-ecs-log-metadata": "false", "config-file-type": "file", "config-file-value": "/own.conf"}}}),
    Row("firelensConfiguration.options", "a file from what `slipway up --s3` names", Says("ONE=file\nTWO=file\n@INCLUDE /fluent-bit/etc/external.conf"),
        "cat /fluent-bit/etc/external.conf; grep INCLUDE /fluent-bit/etc/fluent-bit.conf",
        {"firelensConfiguration": {"type": "fluentbit", "options": {
            "config-file-type": "s3", "config-file-value": "arn:aws:s3:::bucket/one.env"}}}),
    Row("versionConsistency", "is described", kept_member("versionConsistency", "disabled"), "exit 0", {"versionConsistency": "disabled"}),
]


def heard(ran, word):
    """The container is far enough to be told to go."""

    def check():
        files = (ran.server.data_dir / "logs" / ran.task.rsplit("/")[-1]).glob("app*")
        assert any(word in path.read_text() for path in files)

    insist(check, AssertionError)


ROWS = [*PROCESS, *LINUX, *LIMITS, *PORTS, *ORDER, *FILES]
