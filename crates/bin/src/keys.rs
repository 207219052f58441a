//! Who may call, and whose account a key stands for.

use crate::config::{Config, TEST_KEYS};
use crate::sessions::Sessions;
use base::{Scope, Time};
use hyper::http::request::Parts;
use kernel::Caller;
use std::collections::BTreeMap;
use wire::Error;
use wire::sigv4::{self, Identity, Secret, unknown_key};

pub struct Keys {
    keys: BTreeMap<String, (Secret, String)>,
    /// Twelve digits used as a key are that account, as local AWS tools have it.
    account_ids_are_keys: bool,
    sessions: Sessions,
}

/// Who signed a request, and whose resources it is about.
pub struct Signer {
    pub identity: Identity,
    pub scope: Scope,
    pub caller: Caller,
    /// A task with the temporary keys of its role.
    pub is_task: bool,
}

/// Whom an access key stands for.
struct Holder {
    secret: Secret,
    account: String,
    arn: String,
    is_task: bool,
}

impl Keys {
    pub fn new(config: &Config, sessions: Sessions) -> Keys {
        let own = config.access_keys.iter().map(|key| {
            let account = key.account.clone().unwrap_or_else(|| config.account.clone());
            (key.id.clone(), (Secret::new(key.secret.clone()), account))
        });
        let mut keys: BTreeMap<_, _> = own.collect();
        if config.accepts_test_keys() {
            let test = |(id, secret): &(&str, &str)| (id.to_string(), (Secret::new(*secret), config.account.clone()));
            keys.extend(TEST_KEYS.iter().map(test));
        }
        Keys { keys, account_ids_are_keys: config.accepts_test_keys(), sessions }
    }

    /// The signer of a request, or why it is not believed.
    pub fn verify(&self, head: &Parts, body: &[u8], now: Time) -> Result<Signer, Error> {
        let holder = |key: &str, token: Option<&Secret>| self.holder(key, token, now);
        let identity = sigv4::verify(head, body, now, |key, token| holder(key, token).map(|holder| holder.secret))?;
        let Holder { account, arn, is_task, .. } = holder(&identity.access_key, identity.session_token.as_ref())?;
        let scope = Scope::new(account, identity.region.clone());
        let caller = Caller { access_key: identity.access_key.clone(), arn };
        Ok(Signer { identity, scope, caller, is_task })
    }

    /// A token that comes along with a key of the configuration says nothing about it.
    fn holder(&self, access_key: &str, token: Option<&Secret>, now: Time) -> Result<Holder, Error> {
        if let Some((secret, account)) = self.keys.get(access_key) {
            return Ok(Holder::account(secret.clone(), account));
        }
        if self.account_ids_are_keys && is_account(access_key) {
            return Ok(Holder::account(Secret::new("test"), access_key));
        }
        let (secret, session) = self.sessions.open(access_key, token.ok_or_else(unknown_key)?, now)?;
        Ok(Holder { secret, arn: session.arn(), account: session.account, is_task: true })
    }
}

impl Holder {
    fn account(secret: Secret, account: &str) -> Holder {
        Holder { secret, account: account.to_owned(), arn: format!("arn:aws:iam::{account}:root"), is_task: false }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;
    use hyper::Request;
    use seal::{KEY_BYTES, Key};

    const NOW: Time = Time(1_795_000_000_000);
    const ROLE: &str = "arn:aws:iam::123456789012:role/web";

    fn sessions() -> Sessions {
        Sessions::new(Key::new(&[1; KEY_BYTES]))
    }

    /// Who is believed to have signed with this key, secret and token.
    fn signer(access_key: &str, secret: &str, token: Option<&str>, at: Time) -> String {
        let keys = Keys::new(&Config::load(&Flags::default()).unwrap(), sessions());
        let request = Request::post("http://127.0.0.1:4566/").header("host", "127.0.0.1:4566");
        let request = token.iter().fold(request, |request, token| request.header("x-amz-security-token", *token));
        let mut head = request.body(()).unwrap().into_parts().0;
        let secret = Secret::new(secret);
        let key = sigv4::Key { access_key, secret: &secret, region: "eu-west-1", service: "ecs" };
        sigv4::sign(&mut head, b"{}", at, &key).unwrap();
        match keys.verify(&head, b"{}", at) {
            Ok(signer) => format!("{} {} task: {}", signer.caller.arn, signer.scope.account, signer.is_task),
            Err(error) => error.code,
        }
    }

    #[test]
    fn a_task_signs_as_its_role_for_as_long_as_its_keys_last() {
        let given = sessions().credentials("000000000001", ROLE, "0f3a", NOW);
        let (key, secret, token) = (given.access_key.as_str(), given.secret.reveal(), Some(given.token.reveal()));
        let last = Time(given.expires_at.millis() - 1);
        let task = "arn:aws:sts::000000000001:assumed-role/web/0f3a 000000000001 task: true";
        let cases = [
            (signer(key, secret, token, NOW), task),
            (signer(key, secret, token, last), task),
            (signer(key, secret, token, given.expires_at), "ExpiredTokenException"),
            (signer(key, "test", token, NOW), "InvalidSignatureException"),
            (signer(key, secret, None, NOW), "UnrecognizedClientException"),
            (signer(key, secret, Some("bad"), NOW), "UnrecognizedClientException"),
            (signer("ASIAAAAAAAAAAAAAAAAA", secret, token, NOW), "UnrecognizedClientException"),
            (signer("test", "test", None, NOW), "arn:aws:iam::123456789012:root 123456789012 task: false"),
            (signer("test", "test", token, NOW), "arn:aws:iam::123456789012:root 123456789012 task: false"),
            (signer("000000000002", "test", None, NOW), "arn:aws:iam::000000000002:root 000000000002 task: false"),
        ];
        for (at, (found, expected)) in cases.into_iter().enumerate() {
            assert_eq!(found, expected, "case {at}");
        }
    }
}
