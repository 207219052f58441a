//! The temporary credentials of a task's role: the stock agent's `/v2/credentials/ID`, from which every SDK and the AWS CLI have
//! theirs inside a container. Whoever knows the id may ask; nobody else learns it.

use super::document::time;
use crate::sessions::{Credentials, Sessions};
use base::{Arn, Time};
use hyper::StatusCode;
use serde::Serialize;
use workload::TaskSpec;

#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer {
    #[serde(rename_all = "PascalCase")]
    Given { role_arn: String, access_key_id: String, secret_access_key: String, token: String, expiration: String },
    Refused {
        code: &'static str,
        message: &'static str,
        #[serde(rename = "HTTPErrorCode")]
        status: u16,
    },
}

/// `task` is `None` for an id that is nobody's.
pub fn answer(sessions: &Sessions, id: &str, task: Option<&TaskSpec>, now: Time) -> (StatusCode, Answer) {
    match task.and_then(|task| given(sessions, task, now)) {
        Some(given) => (StatusCode::OK, given),
        None if id.is_empty() => refused("NoIdInRequest", "CredentialsV2Request: No Credential ID in the request"),
        None => refused("InvalidIdInRequest", "CredentialsV2Request: Credentials not found"),
    }
}

fn given(sessions: &Sessions, task: &TaskSpec, now: Time) -> Option<Answer> {
    let (role_arn, arn) = (task.task_role.as_ref()?, task.arn.parse::<Arn>().ok()?);
    let Credentials { access_key, secret, token, expires_at } = sessions.credentials(&arn.account, role_arn, &task.id, now);
    Some(Answer::Given {
        role_arn: role_arn.clone(),
        access_key_id: access_key,
        secret_access_key: secret.reveal().to_owned(),
        token: token.reveal().to_owned(),
        expiration: time(expires_at),
    })
}

fn refused(code: &'static str, message: &'static str) -> (StatusCode, Answer) {
    let status = StatusCode::BAD_REQUEST;
    (status, Answer::Refused { code, message, status: status.as_u16() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(id: &str, task: Option<&TaskSpec>, expected: Expect) {
        let sessions = Sessions::new(seal::Key::new(&[1; seal::KEY_BYTES]));
        let (status, answer) = answer(&sessions, id, task, Time(1_795_000_000_000));
        let mut text = serde_json::to_string(&answer).unwrap();
        if let Answer::Given { access_key_id, secret_access_key, token, .. } = &answer {
            assert!(access_key_id.starts_with("ASIA") && secret_access_key.len() == 40 && token.len() > 100);
            text = text.replace(access_key_id, "KEY").replace(secret_access_key, "SECRET").replace(token, "TOKEN");
        }
        expected.assert_eq(&format!("{} {text}", status.as_u16()));
    }

    #[test]
    fn answers_are_the_stock_agents() {
        let arn = "arn:aws:ecs:us-east-1:123456789012:task/default/0f3a".to_owned();
        let without = TaskSpec { id: "0f3a".into(), arn, ..TaskSpec::default() };
        let role = "arn:aws:iam::123456789012:role/web".to_owned();
        let with = TaskSpec { task_role: Some(role), ..without.clone() };
        check(
            "ID",
            Some(&with),
            expect![[
                r#"200 {"RoleArn":"arn:aws:iam::123456789012:role/web","AccessKeyId":"KEY","SecretAccessKey":"SECRET","Token":"TOKEN","Expiration":"2026-11-18T17:00:00Z"}"#
            ]],
        );
        for nobody in [Some(&without), None] {
            let expected = expect![[
                r#"400 {"code":"InvalidIdInRequest","message":"CredentialsV2Request: Credentials not found","HTTPErrorCode":400}"#
            ]];
            check("ID", nobody, expected);
        }
        check(
            "",
            None,
            expect![[
                r#"400 {"code":"NoIdInRequest","message":"CredentialsV2Request: No Credential ID in the request","HTTPErrorCode":400}"#
            ]],
        );
    }
}
