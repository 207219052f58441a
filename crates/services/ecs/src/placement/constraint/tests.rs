use super::*;
use expect_test::{Expect, expect};

/// An instance with something of everything.
struct Instance;

impl Facts for Instance {
    fn agent_connected(&self) -> bool {
        true
    }

    fn agent_version(&self) -> &str {
        "1.14.5"
    }

    fn ec2_instance_id(&self) -> Option<&str> {
        Some("i-abcd1234")
    }

    fn registered_at(&self) -> Time {
        // 2018-06-18T22:28:28.500Z
        Time(1_529_360_908_500)
    }

    fn running_tasks_count(&self) -> u64 {
        10
    }

    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        match name {
            "ecs.instance-type" => Some(Some("t2.small")),
            "ecs.availability-zone" => Some(Some("us-east-1c")),
            "stack" => Some(Some("my stack")),
            "disks" => Some(Some("10")),
            "gpu" => Some(None),
            _ => None,
        }
    }

    fn any_group(&self, is_such: &mut dyn FnMut(&str) -> bool) -> bool {
        ["service:production", "database"].into_iter().any(is_such)
    }
}

fn holds(expression: &str) -> bool {
    parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}")).eval(&Instance)
}

#[test]
fn what_holds_and_what_does_not() {
    let cases = [
        // The examples of AWS's documentation.
        ("attribute:ecs.instance-type == t2.small", true),
        ("attribute:ecs.availability-zone in [us-east-1a, us-east-1b]", false),
        ("attribute:ecs.availability-zone in [us-east-1a, us-east-1c]", true),
        ("task:group == service:production", true),
        ("not(task:group == database)", false),
        ("runningTasksCount == 1", false),
        ("agentVersion < 1.14.5", false),
        ("registeredAt < 2018-02-26T12:30:00Z", false),
        ("ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']", true),
        ("attribute:ecs.instance-type =~ t2.* and attribute:ecs.availability-zone != us-east-1d", true),
        // Each operator in both spellings.
        ("runningTasksCount equals 10", true),
        ("runningTasksCount not_equals 10", false),
        ("runningTasksCount greater_than 9", true),
        ("runningTasksCount greater_than_equal 10", true),
        ("runningTasksCount less_than 10", false),
        ("runningTasksCount less_than_equal 10", true),
        ("runningTasksCount>9&&runningTasksCount<=10", true),
        ("attribute:gpu exists", true),
        ("attribute:gpu !exists", false),
        ("attribute:fpga not_exists", true),
        ("attribute:stack not_in [a, 'my stack']", false),
        ("attribute:stack !in [a]", true),
        ("attribute:ecs.instance-type matches 2.sm", true),
        ("attribute:ecs.instance-type not_matches ^2", true),
        ("attribute:ecs.instance-type !~ small$", false),
        // Numbers are not text, versions neither.
        ("attribute:disks > 9", true),
        ("agentVersion > 1.9", true),
        ("agentVersion >= 1.14", true),
        ("agentVersion == v1.14.5.0", true),
        ("agentVersion == 1.14.5-beta", true),
        // What is absent is different from everything and like nothing.
        ("attribute:none == x", false),
        ("attribute:none != x", true),
        ("attribute:none in [x]", false),
        ("attribute:none =~ .*", false),
        ("attribute:none !~ .*", true),
        ("attribute:none < 5", false),
        // Values.
        ("agentConnected == true", true),
        ("agentConnected != true", false),
        ("attribute:stack == 'my stack'", true),
        ("attribute:stack == \"my stack\"", true),
        ("attribute:stack in ['a', my stack ]", true),
        ("ec2InstanceId =~ ^i-(abcd|wxyz)[0-9()]+$", true),
        ("(ec2InstanceId =~ ^i-[)a]b)", true),
        ("ec2InstanceId =~ 'i-.* x'", false),
        ("task:group =~ ^service:", true),
        ("task:group !~ ^service:", false),
        ("task:group in [database]", true),
        // Dates: a second, a day; no zone is UTC.
        ("registeredAt == 2018-06-18T22:28:28+00:00", true),
        ("registeredAt == 2018-06-18T22:28:28", true),
        ("registeredAt == 2018-06-19T00:28:28+02:00", true),
        ("registeredAt == 2018-06-18", true),
        ("registeredAt != 2018-06-19", true),
        ("registeredAt > 2018-06-18", false),
        ("registeredAt >= 2018-06-18", true),
        ("registeredAt < 2018-06-18T22:28:29Z", true),
        ("registeredAt <= 2018-06-17", false),
        // not binds closer than and, and closer than or.
        ("runningTasksCount == 10 or runningTasksCount == 1 and runningTasksCount == 2", true),
        ("(runningTasksCount == 10 or runningTasksCount == 1) and runningTasksCount == 2", false),
        ("not runningTasksCount == 1 and runningTasksCount == 2", false),
        ("not (runningTasksCount == 1 and runningTasksCount == 2)", true),
        ("!!(!runningTasksCount == 1) || runningTasksCount == 2", true),
        ("not not not agentConnected == true", false),
    ];
    for (expression, expected) in cases {
        assert_eq!(holds(expression), expected, "{expression}");
    }
}

fn refused(expression: &str, expected: Expect) {
    expected.assert_eq(&parse(expression).expect_err(expression).to_string());
}

#[test]
fn what_is_no_expression_is_told_why() {
    refused("", expect!["expected a subject at character 1"]);
    refused("cpu > 5", expect!["cpu is not a subject"]);
    refused("attribute: == x", expect!["attribute: is not a subject"]);
    refused("runningTasksCount", expect!["expected an operator at character 18"]);
    refused("runningTasksCount is 5", expect!["is is not an operator"]);
    refused("runningTasksCount >", expect!["expected a value at character 20"]);
    refused("runningTasksCount > many", expect!["many is not a number"]);
    refused("runningTasksCount in [1]", expect!["the subject runningTasksCount does not take the operator in"]);
    refused("agentConnected > true", expect!["the subject agentConnected does not take the operator >"]);
    refused("task:group exists", expect!["the subject task:group does not take the operator exists"]);
    refused("registeredAt == yesterday", expect!["yesterday is not a date"]);
    refused("registeredAt == 2018-02-30", expect!["2018-02-30 is not a date"]);
    refused("agentConnected == true and", expect!["expected a subject at character 27"]);
    refused("agentConnected == true agentConnected == true", expect!["expected and, or or the end at character 24"]);
    refused("(agentConnected == true", expect!["expected a closing parenthesis at character 24"]);
    refused("agentConnected == true)", expect!["expected an operator at character 24"]);
    refused("()", expect!["expected a subject at character 2"]);
    refused("ec2InstanceId in a", expect!["expected a list in brackets at character 18"]);
    refused("ec2InstanceId in [a", expect!["expected a comma or a closing bracket at character 20"]);
    refused("ec2InstanceId in ['a' 'b']", expect!["expected a comma or a closing bracket at character 23"]);
    refused("ec2InstanceId == 'a", expect!["expected a closing quote at character 19"]);
    refused("ec2InstanceId =~ *", expect!["* is not a regular expression"]);
    refused("ec2InstanceId =~ (?<=a)b", expect!["(?<=a)b is not a regular expression"]);
    refused("ec2InstanceId =~ ((a{99}){99}){99}", expect!["((a{99}){99}){99} is not a regular expression"]);
    refused(&"(".repeat(2001), expect!["the expression is longer than 2000 characters"]);
}

#[test]
fn however_deep_it_is_nested_it_ends() {
    let test = "runningTasksCount==10";
    let depth = (EXPRESSION_CHARS - test.len()) / 2;
    assert!(holds(&format!("{}{test}{}", "(".repeat(depth), ")".repeat(depth))));
    assert!(holds(&format!("{}{test}", "!".repeat(depth / 2 * 2))));
    assert!(parse(&"(".repeat(EXPRESSION_CHARS)).is_err());
}

/// Anything that can be typed is read or refused, and what is read can be asked.
#[test]
fn no_text_is_too_strange() {
    let words = [
        "(",
        ")",
        "!",
        "not",
        "and",
        "or",
        "&&",
        "||",
        "attribute:a",
        "task:group",
        "agentVersion",
        "registeredAt",
        "==",
        "!=",
        "=~",
        "in",
        "!in",
        "exists",
        "[",
        "]",
        ",",
        "'",
        "\"",
        "a b",
        "ä",
        "\\",
        "2018-06-18",
        "1.2",
        "5",
        " ",
        "\u{a0}",
        "{1,2}",
    ];
    let mut rng = base::Rng::from_seed(5);
    let mut read = 0;
    for _ in 0..20_000 {
        let text: String = (0..rng.below(8)).filter_map(|_| rng.pick(&words).copied()).collect();
        if let Ok(expression) = parse(&text) {
            expression.eval(&Instance);
            read += 1;
        }
    }
    assert!(read > 10, "{read}");
}

#[test]
fn it_is_known_which_expressions_a_placement_can_change() {
    let asks = |text: &str| parse(text).map(|expr| (expr.looks_at_groups(), expr.looks_at_running_tasks())).unwrap();
    assert_eq!(asks("not(task:group == a)"), (true, false));
    assert_eq!(asks("attribute:a exists or runningTasksCount < 5"), (false, true));
}
