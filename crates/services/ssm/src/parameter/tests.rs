use super::Parameter;
use crate::testing::plane;
use expect_test::{Expect, expect};
use kernel::testing::Plane;
use serde_json::{Value, json};

fn check(plane: &mut Plane, operation: &str, body: Value, expected: Expect) {
    expected.assert_eq(&plane.call(operation, body));
}

fn put(plane: &mut Plane, name: &str, value: &str) -> Value {
    plane.ok("PutParameter", json!({"Name": name, "Value": value, "Type": "String", "Overwrite": true}))
}

fn value(plane: &mut Plane, name: &str) -> String {
    let answer = plane.call("GetParameter", json!({"Name": name, "WithDecryption": true}));
    let answer: Result<Value, _> = serde_json::from_str(&answer).map_err(|_| answer);
    answer.map_or_else(|error| error, |answer| answer["Parameter"]["Value"].as_str().unwrap().to_owned())
}

#[test]
fn a_parameter_is_made_overwritten_and_deleted() {
    let mut plane = plane();
    let body = json!({"Name": "/app/url", "Value": "one", "Type": "String", "Description": "where"});
    check(&mut plane, "PutParameter", body.clone(), expect![[r#"{"Version":1,"Tier":"Standard"}"#]]);
    check(
        &mut plane,
        "PutParameter",
        body,
        expect![
            "ParameterAlreadyExists: The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
        ],
    );
    check(
        &mut plane,
        "PutParameter",
        json!({"Name": "/app/url", "Value": "two", "Overwrite": true}),
        expect![[r#"{"Version":2,"Tier":"Standard"}"#]],
    );
    check(
        &mut plane,
        "GetParameter",
        json!({"Name": "/app/url"}),
        expect![[
            r#"{"Parameter":{"Name":"/app/url","Type":"String","Value":"two","Version":2,"LastModifiedDate":1700000000,"ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/app/url","DataType":"text"}}"#
        ]],
    );
    check(
        &mut plane,
        "DescribeParameters",
        json!({}),
        expect![[
            r#"{"Parameters":[{"Name":"/app/url","ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/app/url","Type":"String","LastModifiedDate":1700000000,"LastModifiedUser":"","Description":"where","Version":2,"Tier":"Standard","Policies":[],"DataType":"text"}]}"#
        ]],
    );
    check(&mut plane, "DeleteParameter", json!({"Name": "/app/url"}), expect!["{}"]);
    check(
        &mut plane,
        "DeleteParameter",
        json!({"Name": "/app/url"}),
        expect!["ParameterNotFound: Parameter /app/url not found."],
    );
    put(&mut plane, "a", "1");
    check(
        &mut plane,
        "DeleteParameters",
        json!({"Names": ["a", "b"]}),
        expect![[r#"{"DeletedParameters":["a"],"InvalidParameters":["b"]}"#]],
    );
}

#[test]
fn a_secure_string_is_shown_to_those_who_ask_for_it_to_be_decrypted() {
    let mut plane = plane();
    plane.ok("PutParameter", json!({"Name": "pw", "Value": "hunter2", "Type": "SecureString"}));
    let sealed = plane.ok("GetParameter", json!({"Name": "pw"}))["Parameter"]["Value"].as_str().unwrap().to_owned();
    assert!(!sealed.contains("hunter2") && sealed.len() > 30, "{sealed}");
    assert_eq!(value(&mut plane, "pw"), "hunter2");
    let described = plane.ok("DescribeParameters", json!({}));
    assert_eq!(described["Parameters"][0]["KeyId"], "alias/aws/ssm");
    assert!(!plane.dump::<Parameter>().contains("hunter2"));
}

#[test]
fn versions_and_labels_select() {
    let mut plane = plane();
    for number in ["one", "two", "three"] {
        put(&mut plane, "/a/b", number);
    }
    check(
        &mut plane,
        "LabelParameterVersion",
        json!({"Name": "/a/b", "ParameterVersion": 1, "Labels": ["prod", "1st", "aws.x"]}),
        expect![[r#"{"InvalidLabels":["1st","aws.x"],"ParameterVersion":1}"#]],
    );
    let arn = "arn:aws:ssm:us-east-1:123456789012:parameter/a/b";
    let mut values = |names: &[&str]| names.iter().map(|name| value(&mut plane, name)).collect::<Vec<_>>().join("\n");
    expect![[r#"
        three
        two
        one
        three
        one
        ParameterVersionNotFound: Systems Manager could not find version 9 of /a/b. Verify the version and try again.
        ParameterVersionNotFound: Systems Manager could not find label test of /a/b. Verify the version and try again.
        ParameterNotFound: Parameter /a/c not found."#]]
    .assert_eq(&values(&["/a/b", "/a/b:2", "/a/b:prod", arn, &format!("{arn}:1"), "/a/b:9", "/a/b:test", "/a/c"]));
    plane.ok("LabelParameterVersion", json!({"Name": "/a/b", "Labels": ["prod"]}));
    assert_eq!(value(&mut plane, "/a/b:prod"), "three");
    check(
        &mut plane,
        "UnlabelParameterVersion",
        json!({"Name": "/a/b", "ParameterVersion": 3, "Labels": ["prod", "none"]}),
        expect![[r#"{"RemovedLabels":["prod"],"InvalidLabels":["none"]}"#]],
    );
    let first = plane.ok("GetParameterHistory", json!({"Name": "/a/b", "MaxResults": 2}));
    let second = plane.ok("GetParameterHistory", json!({"Name": "/a/b", "NextToken": first["NextToken"]}));
    let numbers =
        |page: &Value| page["Parameters"].as_array().unwrap().iter().map(|one| one["Version"].to_string()).collect::<Vec<_>>();
    assert_eq!((numbers(&first), numbers(&second)), (vec!["1".to_owned(), "2".into()], vec!["3".to_owned()]));
    check(
        &mut plane,
        "GetParameters",
        json!({"Names": ["/a/b:2", "/a/b:9", "none"]}),
        expect![[
            r#"{"Parameters":[{"Name":"/a/b","Type":"String","Value":"two","Version":2,"Selector":":2","LastModifiedDate":1700000000,"ARN":"arn:aws:ssm:us-east-1:123456789012:parameter/a/b","DataType":"text"}],"InvalidParameters":["/a/b:9","none"]}"#
        ]],
    );
}

#[test]
fn the_oldest_of_a_hundred_versions_goes_unless_it_is_labelled() {
    let mut plane = plane();
    for number in 1..=101 {
        put(&mut plane, "p", &number.to_string());
    }
    assert_eq!(value(&mut plane, "p:2"), "2");
    assert!(value(&mut plane, "p:1").starts_with("ParameterVersionNotFound"));
    plane.ok("LabelParameterVersion", json!({"Name": "p", "ParameterVersion": 2, "Labels": ["kept"]}));
    check(
        &mut plane,
        "PutParameter",
        json!({"Name": "p", "Value": "x", "Overwrite": true}),
        expect![
            "ParameterMaxVersionLimitExceeded: You attempted to create a new version of p by calling the PutParameter API with the overwrite flag. Version 2, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again."
        ],
    );
}

#[test]
fn parameters_are_found_below_a_path_and_by_filters() {
    let mut plane = plane();
    for name in ["/a/b", "/a/b/c", "/a/d", "/ab", "e"] {
        put(&mut plane, name, "v");
    }
    plane.ok(
        "PutParameter",
        json!({"Name": "/a/s", "Value": "v", "Type": "SecureString", "Tags": [{"Key": "team", "Value": "web"}]}),
    );
    let mut names = |operation: &str, body: Value| {
        let (mut names, mut token) = (Vec::new(), Value::Null);
        loop {
            let mut body = body.clone();
            (body["MaxResults"], body["NextToken"]) = (json!(2), token);
            let page = plane.ok(operation, body);
            names.extend(page["Parameters"].as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap().to_owned()));
            token = page["NextToken"].clone();
            if token.is_null() {
                return names.join(" ");
            }
        }
    };
    let mut below = |path: &str, recursive: bool| names("GetParametersByPath", json!({"Path": path, "Recursive": recursive}));
    assert_eq!(below("/a", false), "/a/b /a/d /a/s");
    assert_eq!(below("/a/", true), "/a/b /a/b/c /a/d /a/s");
    assert_eq!(below("/", false), "/ab e");
    let mut filtered = |filter: Value| names("DescribeParameters", json!({"ParameterFilters": [filter]}));
    assert_eq!(filtered(json!({"Key": "Name", "Values": ["e", "/ab"]})), "/ab e");
    assert_eq!(filtered(json!({"Key": "Name", "Option": "Contains", "Values": ["b"]})), "/a/b /a/b/c /ab");
    assert_eq!(filtered(json!({"Key": "Path", "Option": "Recursive", "Values": ["/a/b"]})), "/a/b/c");
    assert_eq!(filtered(json!({"Key": "Type", "Values": ["SecureString"]})), "/a/s");
    assert_eq!(filtered(json!({"Key": "tag:team", "Values": ["web"]})), "/a/s");
    assert_eq!(names("DescribeParameters", json!({"Filters": [{"Key": "Name", "Values": ["/a/"]}]})), "/a/b /a/b/c /a/d /a/s");
    check(
        &mut plane,
        "DescribeParameters",
        json!({"ParameterFilters": [{"Key": "Type", "Option": "Near", "Values": ["x"]}]}),
        expect![
            "InvalidFilterOption: The following filter option is not valid: Near. Valid options include: [Equals, BeginsWith]."
        ],
    );
    check(
        &mut plane,
        "DescribeParameters",
        json!({"NextToken": "%"}),
        expect!["InvalidNextToken: The specified token isn't valid."],
    );
}

#[test]
fn what_cannot_be_a_parameter_is_refused_without_its_value() {
    let mut plane = plane();
    put(&mut plane, "there", "v");
    let mut refused = |body: Value| {
        let said = plane.call("PutParameter", body);
        assert!(!said.contains("s3cret"), "{said}");
        said.split(':').next().unwrap().to_owned()
    };
    assert_eq!(refused(json!({"Name": "a b", "Value": "s3cret", "Type": "String"})), "ValidationException");
    assert_eq!(refused(json!({"Name": "/aws/x", "Value": "s3cret", "Type": "String"})), "ValidationException");
    assert_eq!(refused(json!({"Name": "a/b", "Value": "s3cret", "Type": "String"})), "ValidationException");
    assert_eq!(
        refused(json!({"Name": "/a".repeat(16), "Value": "s3cret", "Type": "String"})),
        "HierarchyLevelLimitExceededException"
    );
    assert_eq!(refused(json!({"Name": "x", "Value": "s3cret"})), "ValidationException");
    assert_eq!(refused(json!({"Name": "x", "Value": "s3cret".repeat(1000), "Type": "String"})), "ValidationException");
    assert_eq!(
        refused(json!({"Name": "x", "Value": "s3cret", "Type": "String", "AllowedPattern": "\\d+"})),
        "ParameterPatternMismatchException"
    );
    assert_eq!(
        refused(json!({"Name": "x", "Value": "s3cret", "Type": "String", "AllowedPattern": "("})),
        "InvalidAllowedPatternException"
    );
    assert_eq!(
        refused(json!({"Name": "there", "Value": "s3cret", "Type": "SecureString", "Overwrite": true})),
        "HierarchyTypeMismatchException"
    );
}

#[test]
fn parameters_are_tagged() {
    let mut plane = plane();
    put(&mut plane, "p", "v");
    let of = |rest: Value| {
        let mut body = json!({"ResourceType": "Parameter", "ResourceId": "p"});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    plane.ok("AddTagsToResource", of(json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]})));
    plane.ok("RemoveTagsFromResource", of(json!({"TagKeys": ["a", "none"]})));
    check(&mut plane, "ListTagsForResource", of(json!({})), expect![[r#"{"TagList":[{"Key":"b","Value":"2"}]}"#]]);
    check(
        &mut plane,
        "ListTagsForResource",
        json!({"ResourceType": "Parameter", "ResourceId": "q"}),
        expect!["InvalidResourceId: The resource ID is not valid. Verify that you entered the correct ID and try again."],
    );
}
