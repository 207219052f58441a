//! Scale-in protection, asked for by a container of its own task: the stock agent's endpoint over ECS's two operations.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html

use super::asks::{Asks, Refusal};
use super::document::time;
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};
use workload::TaskSpec;

type Answer = (StatusCode, Value);

/// What a PUT says.
#[derive(Debug, PartialEq)]
struct Wish {
    enabled: Option<bool>,
    expires_in_minutes: Option<i64>,
}

/// `None` for a method that is not answered. `task` is `None` for an id that is nobody's.
pub async fn answer(plane: &dyn Asks, task: Option<&TaskSpec>, method: &Method, body: &[u8]) -> Option<Answer> {
    match *method {
        Method::GET => Some(get(plane, task).await),
        Method::PUT => Some(put(plane, task, body).await),
        _ => None,
    }
}

async fn get(plane: &dyn Asks, task: Option<&TaskSpec>) -> Answer {
    let Some(task) = task else { return nobody() };
    let input = json!({ "cluster": task.cluster, "tasks": [task.arn] });
    said(task, plane.ask(task, "GetTaskProtection", input).await)
}

/// In the stock agent's order: what it cannot read it refuses before it looks who asks.
async fn put(plane: &dyn Asks, task: Option<&TaskSpec>, body: &[u8]) -> Answer {
    let Some(wish) = wish(body) else { return invalid(None, "UpdateTaskProtection: failed to decode request") };
    let Some(task) = task else { return nobody() };
    let Some(enabled) = wish.enabled else {
        return invalid(Some(task), "Invalid request: does not contain 'ProtectionEnabled' field");
    };
    let mut input = json!({ "cluster": task.cluster, "tasks": [task.arn], "protectionEnabled": enabled });
    if let Some(minutes) = wish.expires_in_minutes {
        input["expiresInMinutes"] = minutes.into();
    }
    said(task, plane.ask(task, "UpdateTaskProtection", input).await)
}

/// Members without regard to case, as Go reads them; none that are not known.
fn wish(body: &[u8]) -> Option<Wish> {
    let members: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut wish = Wish { enabled: None, expires_in_minutes: None };
    for (name, value) in members {
        match (name.to_ascii_lowercase().as_str(), value) {
            ("protectionenabled", value) => wish.enabled = null_or(value, |value| value.as_bool())?,
            ("expiresinminutes", value) => wish.expires_in_minutes = null_or(value, |value| value.as_i64())?,
            _ => return None,
        }
    }
    Some(wish)
}

fn null_or<T>(value: Value, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    if value.is_null() { Some(None) } else { read(&value).map(Some) }
}

fn said(task: &TaskSpec, answer: Result<Value, Refusal>) -> Answer {
    match answer {
        Err(refusal) => refused(task, refusal),
        Ok(answer) => match (&answer["failures"][0], &answer["protectedTasks"][0]) {
            (Value::Null, Value::Null) => error(StatusCode::INTERNAL_SERVER_ERROR, Some(task), "ServerException", UNEXPECTED),
            (Value::Null, protected) => (StatusCode::OK, json!({ "protection": protection(protected) })),
            (failure, _) => (StatusCode::OK, json!({ "failure": self::failure(failure) })),
        },
    }
}

const UNEXPECTED: &str = "Unexpected error occurred";

fn protection(protected: &Value) -> Value {
    let expires_at = protected["expirationDate"].as_f64().map(|seconds| time(wire::Timestamp(seconds).into()));
    json!({
        "ExpirationDate": expires_at,
        "ProtectionEnabled": protected["protectionEnabled"],
        "TaskArn": protected["taskArn"],
    })
}

fn failure(failure: &Value) -> Value {
    json!({ "Arn": failure["arn"], "Detail": failure["detail"], "Reason": failure["reason"] })
}

fn refused(task: &TaskSpec, Refusal { error: refused, request_id }: Refusal) -> Answer {
    let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (status, mut document) = error(status, Some(task), &refused.code, &refused.message);
    document["requestID"] = request_id.into();
    (status, document)
}

fn nobody() -> Answer {
    error(StatusCode::NOT_FOUND, None, "ResourceNotFoundException", "Failed to find a task for the request")
}

fn invalid(task: Option<&TaskSpec>, message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, task, "InvalidParameterException", message)
}

fn error(status: StatusCode, task: Option<&TaskSpec>, code: &str, message: &str) -> Answer {
    let mut error = json!({ "Code": code, "Message": message });
    if let Some(task) = task {
        error["Arn"] = task.arn.clone().into();
    }
    (status, json!({ "error": error }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::sync::Mutex;

    /// Says what it was prepared to, and keeps what it was asked.
    struct Prepared(Mutex<Option<Result<Value, Refusal>>>, Mutex<String>);

    #[async_trait::async_trait]
    impl Asks for Prepared {
        async fn ask(&self, _: &TaskSpec, operation: &str, input: Value) -> Result<Value, Refusal> {
            *self.1.lock().unwrap() = format!("{operation} {input}\n");
            self.0.lock().unwrap().take().unwrap()
        }
    }

    fn check(method: Method, body: &str, known: bool, plane: Result<Value, Refusal>, expected: Expect) {
        let plane = Prepared(Mutex::new(Some(plane)), Mutex::default());
        let spec = TaskSpec { arn: "arn:task/1".into(), cluster: "default".into(), ..TaskSpec::default() };
        let task = known.then_some(&spec);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (status, document) = runtime.block_on(answer(&plane, task, &method, body.as_bytes())).unwrap();
        expected.assert_eq(&format!("{}{} {document}", plane.1.lock().unwrap(), status.as_u16()));
    }

    #[test]
    fn what_the_plane_says_is_told_in_the_agents_shape() {
        let protected = json!({ "taskArn": "arn:task/1", "protectionEnabled": true, "expirationDate": 1795178078.428 });
        let failure = json!({ "arn": "arn:task/1", "reason": "TASK_NOT_VALID" });
        let ok = |protected: Value, failures: Value| Ok(json!({ "protectedTasks": protected, "failures": failures }));
        check(
            Method::GET,
            "",
            true,
            ok(json!([protected]), json!([])),
            expect![[r#"
            GetTaskProtection {"cluster":"default","tasks":["arn:task/1"]}
            200 {"protection":{"ExpirationDate":"2026-11-20T12:34:38.428Z","ProtectionEnabled":true,"TaskArn":"arn:task/1"}}"#]],
        );
        let body = r#"{"ProtectionEnabled":true,"ExpiresInMinutes":60}"#;
        check(
            Method::PUT,
            body,
            true,
            ok(json!([]), json!([failure])),
            expect![[r#"
            UpdateTaskProtection {"cluster":"default","tasks":["arn:task/1"],"protectionEnabled":true,"expiresInMinutes":60}
            200 {"failure":{"Arn":"arn:task/1","Detail":null,"Reason":"TASK_NOT_VALID"}}"#]],
        );
        let error = wire::Error::sender("ClusterNotFoundException", "Cluster not found.");
        let refusal = Err(Refusal { error, request_id: "r".into() });
        check(
            Method::PUT,
            r#"{"protectionEnabled":false}"#,
            true,
            refusal,
            expect![[r#"
            UpdateTaskProtection {"cluster":"default","tasks":["arn:task/1"],"protectionEnabled":false}
            400 {"error":{"Code":"ClusterNotFoundException","Message":"Cluster not found.","Arn":"arn:task/1"},"requestID":"r"}"#]],
        );
    }

    #[test]
    fn what_cannot_be_asked_is_refused_here() {
        let never = || Ok(Value::Null);
        for body in ["", "[]", r#"{"Protected":true}"#, r#"{"ProtectionEnabled":"yes"}"#] {
            let expected = expect![[
                r#"400 {"error":{"Code":"InvalidParameterException","Message":"UpdateTaskProtection: failed to decode request"}}"#
            ]];
            check(Method::PUT, body, true, never(), expected);
        }
        check(
            Method::PUT,
            r#"{"ExpiresInMinutes":60}"#,
            true,
            never(),
            expect![[
                r#"400 {"error":{"Code":"InvalidParameterException","Message":"Invalid request: does not contain 'ProtectionEnabled' field","Arn":"arn:task/1"}}"#
            ]],
        );
        check(
            Method::GET,
            "",
            false,
            never(),
            expect![[r#"404 {"error":{"Code":"ResourceNotFoundException","Message":"Failed to find a task for the request"}}"#]],
        );
    }
}
