use super::*;
use expect_test::{Expect, expect};
use workload::LogSpec;

fn options(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn sender(name: &str, text: &str) -> ContainerSpec {
    let log = LogSpec { driver: "awsfirelens".into(), options: options(text) };
    ContainerSpec { name: name.into(), log, ..ContainerSpec::default() }
}

fn check(mode: NetworkMode, firelens: FirelensSpec, containers: Vec<ContainerSpec>, expected: Expect) {
    let router =
        ContainerSpec { name: "router".into(), memory_mib: Some(100), firelens: Some(firelens), ..ContainerSpec::default() };
    let task = TaskSpec {
        arn: "arn:aws:ecs:us-east-2:012345678910:task/mycluster/3de392df".into(),
        cluster: "mycluster".into(),
        family: "web".into(),
        revision: 1,
        network_mode: mode,
        containers: [vec![router], containers].concat(),
        ..TaskSpec::default()
    };
    let (router, firelens) = (&task.containers[0], task.containers[0].firelens.as_ref().unwrap());
    expected.assert_eq(&generate(&task, router, firelens).unwrap_or_else(|error| error.to_string()));
}

fn firelens(kind: FirelensKind, config_file: Option<FirelensFile>) -> FirelensSpec {
    FirelensSpec { kind, ecs_metadata: true, config_file }
}

const ROUTE: &str = "region=us-west-2 delivery_stream=my-stream include-pattern=*failure* exclude-pattern=*success*";

/// As in `firelensconfig_unix_test.go`, but for the EC2 instance that is none here.
#[test]
fn fluent_bit_is_configured_as_by_the_stock_agent() {
    check(
        NetworkMode::Bridge,
        firelens(FirelensKind::Fluentbit, Some(FirelensFile::S3("arn:aws:s3:::bucket/fluent.conf".into()))),
        vec![sender("container", &format!("Name=kinesis_firehose log-driver-buffer-limit=9 {ROUTE}"))],
        expect![[r#"

            [INPUT]
                Name forward
                Mem_Buf_Limit 50MB
                unix_path /var/run/fluent.sock

            [INPUT]
                Name forward
                Listen 0.0.0.0
                Port 24224

            [INPUT]
                Name tcp
                Tag firelens-healthcheck
                Listen 127.0.0.1
                Port 8877

            [FILTER]
                Name   grep
                Match container-firelens*
                Regex  log *failure*

            [FILTER]
                Name   grep
                Match container-firelens*
                Exclude log *success*

            [FILTER]
                Name record_modifier
                Match *
                Record ecs_cluster mycluster
                Record ecs_task_arn arn:aws:ecs:us-east-2:012345678910:task/mycluster/3de392df
                Record ecs_task_definition web:1

            @INCLUDE /fluent-bit/etc/external.conf

            [OUTPUT]
                Name null
                Match firelens-healthcheck

            [OUTPUT]
                Name kinesis_firehose
                Match container-firelens*
                delivery_stream my-stream
                region us-west-2
        "#]],
    );
}

#[test]
fn fluentd_is_configured_as_by_the_stock_agent() {
    check(
        NetworkMode::Awsvpc,
        firelens(FirelensKind::Fluentd, Some(FirelensFile::Path("/tmp/dummy.conf".into()))),
        vec![sender("container", &format!("@type=kinesis_firehose {ROUTE}"))],
        expect![[r#"

            <source>
                @type unix
                path /var/run/fluent.sock
            </source>

            <source>
                @type forward
                bind 127.0.0.1
                port 24224
            </source>

            <filter container-firelens**>
                @type  grep
                <regexp>
                    key log
                    pattern *failure*
                </regexp>
            </filter>

            <filter container-firelens**>
                @type  grep
                <exclude>
                    key log
                    pattern *success*
                </exclude>
            </filter>

            <filter **>
                @type record_transformer
                <record>
                    ecs_cluster mycluster
                    ecs_task_arn arn:aws:ecs:us-east-2:012345678910:task/mycluster/3de392df
                    ecs_task_definition web:1
                </record>
            </filter>

            @include /tmp/dummy.conf

            <match container-firelens**>
                @type kinesis_firehose
                delivery_stream my-stream
                region us-west-2
            </match>
        "#]],
    );
}

#[test]
fn in_host_mode_there_is_the_socket_alone_and_routes_are_optional() {
    let plain = FirelensSpec { ecs_metadata: false, ..firelens(FirelensKind::Fluentbit, None) };
    check(
        NetworkMode::Host,
        plain,
        vec![sender("a", "Name=stdout"), sender("b", ""), ContainerSpec { name: "c".into(), ..ContainerSpec::default() }],
        expect![[r#"

            [INPUT]
                Name forward
                Mem_Buf_Limit 50MB
                unix_path /var/run/fluent.sock

            [OUTPUT]
                Name stdout
                Match a-firelens*
        "#]],
    );
}

#[test]
fn options_without_an_output_to_take_them_are_refused() {
    check(
        NetworkMode::Bridge,
        firelens(FirelensKind::Fluentbit, None),
        vec![sender("app", "region=eu-west-1")],
        expect![
            "unable to generate firelens config file: unable to apply log options of container app to firelens config: missing output key Name which is required for firelens configuration of type fluentbit"
        ],
    );
}
