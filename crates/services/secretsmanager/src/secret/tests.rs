use super::Secret;
use crate::testing::{key, plane};
use crate::{Reference, Unresolved};
use expect_test::{Expect, expect};
use kernel::testing::{Plane, scope};
use serde_json::{Value, json};

const TOKEN: &str = "11111111-1111-1111-1111-111111111111";

fn check(plane: &mut Plane, operation: &str, body: Value, expected: Expect) {
    expected.assert_eq(&plane.call(operation, body));
}

fn token(n: usize) -> String {
    format!("token-{n:0>32}")
}

fn make(plane: &mut Plane, name: &str, text: &str) -> String {
    let made = plane.ok("CreateSecret", json!({"Name": name, "SecretString": text, "ClientRequestToken": token(1)}));
    made["ARN"].as_str().unwrap().to_owned()
}

fn put(plane: &mut Plane, name: &str, n: usize, stages: Value) -> Value {
    let body =
        json!({"SecretId": name, "SecretString": format!("v{n}"), "ClientRequestToken": token(n), "VersionStages": stages});
    plane.ok("PutSecretValue", body)["VersionStages"].clone()
}

/// `v1:AWSPREVIOUS v2:AWSCURRENT`
fn stages(plane: &mut Plane, name: &str) -> String {
    let versions = plane.ok("ListSecretVersionIds", json!({"SecretId": name, "IncludeDeprecated": true}))["Versions"].clone();
    let text = |version: &Value| {
        let id = version["VersionId"].as_str().unwrap().trim_start_matches("token-").trim_start_matches('0');
        let stages = version["VersionStages"].as_array().unwrap().iter().map(|stage| stage.as_str().unwrap()).collect::<Vec<_>>();
        format!("v{id}:{}", stages.join("+"))
    };
    versions.as_array().unwrap().iter().map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_secret_is_made_once_and_read_by_name_and_arn() {
    let mut plane = plane();
    let body = json!({"Name": "app/db", "SecretString": "hunter2", "ClientRequestToken": TOKEN, "Description": "d"});
    let made = plane.ok("CreateSecret", body.clone());
    let arn = made["ARN"].as_str().unwrap();
    let suffix = arn.strip_prefix("arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db-").unwrap();
    assert_eq!((suffix.len(), made["VersionId"].as_str().unwrap()), (6, TOKEN));
    assert_eq!(plane.ok("CreateSecret", body), made);
    check(
        &mut plane,
        "CreateSecret",
        json!({"Name": "app/db", "SecretString": "other", "ClientRequestToken": TOKEN}),
        expect!["ResourceExistsException: The operation failed because the secret app/db already exists."],
    );
    for id in ["app/db", arn, arn.strip_suffix(&format!("-{suffix}")).unwrap()] {
        assert_eq!(plane.ok("GetSecretValue", json!({"SecretId": id}))["SecretString"], "hunter2", "{id}");
    }
    check(
        &mut plane,
        "GetSecretValue",
        json!({"SecretId": format!("{}XXXXXX", arn.strip_suffix(suffix).unwrap())}),
        expect!["ResourceNotFoundException: Secrets Manager can't find the specified secret."],
    );
    let of_another_account = arn.replace("123456789012", "210987654321");
    assert!(plane.call("GetSecretValue", json!({"SecretId": of_another_account})).starts_with("ResourceNotFoundException"));
    let described = plane.ok("DescribeSecret", json!({"SecretId": "app/db"}));
    assert_eq!(described["VersionIdsToStages"], json!({TOKEN: ["AWSCURRENT"]}));
    assert!(!plane.dump::<Secret>().contains("hunter2"));
}

#[test]
fn bytes_are_given_back_and_both_kinds_at_once_are_refused() {
    let mut plane = plane();
    plane.ok("CreateSecret", json!({"Name": "b", "SecretBinary": "AAEC/w=="}));
    let value = plane.ok("GetSecretValue", json!({"SecretId": "b"}));
    assert_eq!((&value["SecretBinary"], &value["SecretString"]), (&json!("AAEC/w=="), &Value::Null));
    check(
        &mut plane,
        "CreateSecret",
        json!({"Name": "c", "SecretBinary": "AAEC/w==", "SecretString": "x"}),
        expect![
            "InvalidParameterException: You can't specify both a binary secret value and a string secret value in the same secret."
        ],
    );
    check(
        &mut plane,
        "CreateSecret",
        json!({"Name": "a b"}),
        expect![
            "InvalidParameterException: Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
        ],
    );
    plane.ok("CreateSecret", json!({"Name": "empty"}));
    check(
        &mut plane,
        "GetSecretValue",
        json!({"SecretId": "empty"}),
        expect!["ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"],
    );
}

#[test]
fn a_new_value_becomes_current_and_the_last_one_previous() {
    let mut plane = plane();
    make(&mut plane, "s", "v1");
    assert_eq!(put(&mut plane, "s", 2, Value::Null), json!(["AWSCURRENT"]));
    assert_eq!(put(&mut plane, "s", 2, Value::Null), json!(["AWSCURRENT"]));
    assert_eq!(put(&mut plane, "s", 3, Value::Null), json!(["AWSCURRENT"]));
    assert_eq!(stages(&mut plane, "s"), "v1: v2:AWSPREVIOUS v3:AWSCURRENT");
    assert_eq!(put(&mut plane, "s", 4, json!(["AWSPENDING"])), json!(["AWSPENDING"]));
    let mut read = |body: Value| {
        let mut all = json!({"SecretId": "s"});
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let answer = plane.call("GetSecretValue", all);
        serde_json::from_str::<Value>(&answer).map_or(answer, |answer| answer["SecretString"].as_str().unwrap().to_owned())
    };
    assert_eq!(read(json!({})), "v3");
    assert_eq!(read(json!({"VersionStage": "AWSPREVIOUS"})), "v2");
    assert_eq!(read(json!({"VersionId": token(1)})), "v1");
    expect!["InvalidRequestException: You provided a VersionStage that is not associated to the provided VersionId."]
        .assert_eq(&read(json!({"VersionId": token(1), "VersionStage": "AWSCURRENT"})));
    expect!["ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: none"]
        .assert_eq(&read(json!({"VersionStage": "none"})));
    check(
        &mut plane,
        "PutSecretValue",
        json!({"SecretId": "s", "SecretString": "different", "ClientRequestToken": token(2)}),
        expect![
            "ResourceExistsException: You can't use ClientRequestToken token-00000000000000000000000000000002 because that value is already in use for a version of secret arn:aws:secretsmanager:us-east-1:123456789012:secret:s-lxTLa8."
        ],
    );
}

#[test]
fn stages_move_between_versions() {
    let mut plane = plane();
    make(&mut plane, "s", "v1");
    put(&mut plane, "s", 2, json!(["AWSPENDING"]));
    let rest = |rest: Value| {
        let mut body = json!({"SecretId": "s"});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    check(
        &mut plane,
        "UpdateSecretVersionStage",
        rest(json!({"VersionStage": "AWSCURRENT", "MoveToVersionId": token(2)})),
        expect![
            "InvalidParameterException: The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version token-00000000000000000000000000000001, so you must explicitly reference that version in RemoveFromVersionId."
        ],
    );
    let moved = json!({"VersionStage": "AWSCURRENT", "MoveToVersionId": token(2), "RemoveFromVersionId": token(1)});
    plane.ok("UpdateSecretVersionStage", rest(moved));
    plane.ok("UpdateSecretVersionStage", rest(json!({"VersionStage": "AWSPENDING", "RemoveFromVersionId": token(2)})));
    plane.ok("UpdateSecretVersionStage", rest(json!({"VersionStage": "mine", "MoveToVersionId": token(1)})));
    assert_eq!(stages(&mut plane, "s"), "v1:AWSPREVIOUS+mine v2:AWSCURRENT");
    check(
        &mut plane,
        "UpdateSecretVersionStage",
        rest(json!({"VersionStage": "AWSCURRENT", "RemoveFromVersionId": token(2)})),
        expect![
            "InvalidParameterException: You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed."
        ],
    );
}

#[test]
fn a_deleted_secret_can_be_restored_until_its_window_is_over() {
    let mut plane = plane();
    make(&mut plane, "s", "v1");
    let named = json!({"SecretId": "s"});
    check(
        &mut plane,
        "DeleteSecret",
        json!({"SecretId": "s", "RecoveryWindowInDays": 6}),
        expect!["InvalidParameterException: The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."],
    );
    let deleted = plane.ok("DeleteSecret", json!({"SecretId": "s", "RecoveryWindowInDays": 7}));
    assert_eq!(deleted["DeletionDate"], 1_700_000_000 + 7 * 86400);
    check(
        &mut plane,
        "GetSecretValue",
        named.clone(),
        expect!["InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."],
    );
    check(
        &mut plane,
        "CreateSecret",
        json!({"Name": "s"}),
        expect![
            "InvalidRequestException: You can't create this secret because a secret with this name is already scheduled for deletion."
        ],
    );
    assert_eq!(plane.ok("ListSecrets", json!({}))["SecretList"], json!([]));
    plane.ok("RestoreSecret", named.clone());
    assert_eq!(plane.ok("GetSecretValue", named.clone())["SecretString"], "v1");
    plane.ok("DeleteSecret", json!({"SecretId": "s", "RecoveryWindowInDays": 7}));
    plane.now = base::Time(1_700_000_000_000 + 7 * 86_400_000);
    plane.look();
    check(
        &mut plane,
        "DescribeSecret",
        named,
        expect!["ResourceNotFoundException: Secrets Manager can't find the specified secret."],
    );
    make(&mut plane, "t", "v1");
    plane.ok("DeleteSecret", json!({"SecretId": "t", "ForceDeleteWithoutRecovery": true}));
    plane.ok("CreateSecret", json!({"Name": "t"}));
}

#[test]
fn secrets_are_listed_by_filters_and_in_pages() {
    let mut plane = plane();
    for name in ["prod/a", "prod/b", "test/a"] {
        let tags = json!([{"Key": "team", "Value": name}]);
        plane.ok("CreateSecret", json!({"Name": name, "SecretString": "v", "Description": format!("for {name}"), "Tags": tags}));
    }
    let mut names = |body: Value| {
        let (mut names, mut token) = (Vec::new(), Value::Null);
        loop {
            let mut body = body.clone();
            (body["MaxResults"], body["NextToken"]) = (json!(1), token);
            let page = plane.ok("ListSecrets", body);
            names.extend(page["SecretList"].as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap().to_owned()));
            token = page["NextToken"].clone();
            if token.is_null() {
                return names.join(" ");
            }
        }
    };
    let filter = |key: &str, value: &str| json!({"Filters": [{"Key": key, "Values": [value]}]});
    assert_eq!(names(json!({})), "prod/a prod/b test/a");
    assert_eq!(names(json!({"SortOrder": "desc"})), "test/a prod/b prod/a");
    assert_eq!(names(filter("name", "prod")), "prod/a prod/b");
    assert_eq!(names(filter("name", "!prod")), "test/a");
    assert_eq!(names(filter("tag-value", "test/")), "test/a");
    assert_eq!(names(filter("description", "PROD/B")), "prod/b");
    assert_eq!(names(filter("all", "b")), "prod/b");
    let batch = plane.ok("BatchGetSecretValue", json!({"SecretIdList": ["prod/a", "none"]}));
    assert_eq!(
        (&batch["SecretValues"][0]["SecretString"], &batch["Errors"][0]["ErrorCode"]),
        (&json!("v"), &json!("ResourceNotFoundException"))
    );
}

#[test]
fn policies_and_tags_are_kept() {
    let mut plane = plane();
    make(&mut plane, "s", "v");
    plane.ok("PutResourcePolicy", json!({"SecretId": "s", "ResourcePolicy": "{}"}));
    assert_eq!(plane.ok("GetResourcePolicy", json!({"SecretId": "s"}))["ResourcePolicy"], "{}");
    plane.ok("DeleteResourcePolicy", json!({"SecretId": "s"}));
    assert_eq!(plane.ok("GetResourcePolicy", json!({"SecretId": "s"}))["ResourcePolicy"], Value::Null);
    plane.ok("TagResource", json!({"SecretId": "s", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}));
    plane.ok("UntagResource", json!({"SecretId": "s", "TagKeys": ["a"]}));
    assert_eq!(plane.ok("DescribeSecret", json!({"SecretId": "s"}))["Tags"], json!([{"Key": "b", "Value": "2"}]));
}

#[test]
fn a_password_has_of_each_kind_and_nothing_that_is_excluded() {
    let mut plane = plane();
    let mut drawn = |body: Value| plane.ok("GetRandomPassword", body)["RandomPassword"].as_str().unwrap().to_owned();
    assert_eq!(drawn(json!({})).len(), 32);
    let four = drawn(json!({"PasswordLength": 4}));
    assert!(four.contains(|c: char| c.is_ascii_lowercase()) && four.contains(|c: char| c.is_ascii_digit()), "{four}");
    let digits =
        drawn(json!({"ExcludeLowercase": true, "ExcludeUppercase": true, "ExcludePunctuation": true, "ExcludeCharacters": "01"}));
    assert!(digits.chars().all(|c| ('2'..='9').contains(&c)), "{digits}");
}

#[test]
fn a_reference_names_member_stage_and_version() {
    let check =
        |text: &str, expected: Expect| {
            let reference = text.parse::<Reference>();
            expected.assert_eq(&reference.map_or("no reference".into(), |r| {
                format!("{} {:?} {:?} {:?}", r.arn, r.json_key, r.version_stage, r.version_id)
            }));
        };
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-AbCdEf";
    check(arn, expect!["arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-AbCdEf None None None"]);
    check(
        &format!("{arn}:key:AWSPREVIOUS:"),
        expect![[r#"arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-AbCdEf Some("key") Some("AWSPREVIOUS") None"#]],
    );
    check(
        &format!("{arn}:::id"),
        expect![[r#"arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-AbCdEf None None Some("id")"#]],
    );
    check("arn:aws:ssm:us-east-1:123456789012:parameter/a", expect!["no reference"]);
    check("a", expect!["no reference"]);
}

#[test]
fn a_reference_is_resolved_to_text_or_to_a_member_of_a_json_object() {
    let mut plane = plane();
    let arn = make(&mut plane, "s", r#"{"user":"u","port":5432}"#);
    plane.ok("CreateSecret", json!({"Name": "text", "SecretString": "t"}));
    let text = arn.replace(&arn[arn.rfind(":s-").unwrap()..], ":text");
    let resolve = |reference: &str| crate::resolve(&key(), plane.image(), &scope(), &reference.parse().unwrap());
    assert_eq!(resolve(&arn).unwrap(), r#"{"user":"u","port":5432}"#);
    assert_eq!(resolve(&format!("{arn}:user::")).unwrap(), "u");
    assert_eq!(resolve(&format!("{arn}:port")).unwrap(), "5432");
    assert_eq!(resolve(&text).unwrap(), "t");
    assert_eq!(resolve(&format!("{arn}:none::")), Err(Unresolved::NoMember { json_key: "none".into() }));
    assert_eq!(resolve(&format!("{text}:none::")), Err(Unresolved::NoJson));
    let message = "Secrets Manager can't find the specified secret.".to_owned();
    let missing = Unresolved::Refused { code: "ResourceNotFoundException", message };
    assert_eq!(resolve(&arn.replace(":s-", ":q-")), Err(missing));
}
