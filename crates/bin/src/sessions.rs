//! Temporary keys of tasks' roles, as AWS's STS hands them out: an access key that begins with `ASIA`, a secret and a token. They
//! follow from the server's own key, and the token, sealed, says whom they stand for: nothing is kept, so a server that was killed
//! knows all of them again. What a role may do is not asked here.

use base::{Rng, Time};
use seal::{Key, Sealed};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wire::Error;
use wire::sigv4::{Secret, expired_token, unknown_key};

/// As long as ECS's are good for.
const LIFE: Duration = Duration::from_secs(6 * 3600);
/// Whoever asks gets the same ones for so long; five hours at least are left of them then.
const RENEWED_EVERY_MS: u64 = 3600 * 1000;
/// Of base32, which AWS's keys are written in.
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const KEY_DIGITS: usize = 16;
/// AWS's secrets are forty characters long.
const SECRET_BYTES: usize = 20;

#[derive(Clone)]
pub struct Sessions(Key);

/// Whom temporary keys stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose resources they are for: the task's own, whatever account the role's ARN says. Nobody gets at another account by
    /// writing its number into a definition.
    pub account: String,
    pub role_arn: String,
    /// The task's id.
    pub name: String,
    pub expires_at: Time,
}

pub struct Credentials {
    pub access_key: String,
    pub secret: Secret,
    pub token: Secret,
    pub expires_at: Time,
}

impl Sessions {
    pub fn new(key: Key) -> Sessions {
        Sessions(key)
    }

    pub fn credentials(&self, account: &str, role_arn: &str, name: &str, now: Time) -> Credentials {
        let since = Time(now.millis() - now.millis() % RENEWED_EVERY_MS);
        let (account, role_arn, name) = (account.to_owned(), role_arn.to_owned(), name.to_owned());
        let session = Session { account, role_arn, name, expires_at: since + LIFE };
        let text = serde_json::to_string(&session).expect("strings and a number are JSON");
        let access_key = self.access_key(&text);
        // What is drawn may be the same each time: the nonce follows from key and session, too.
        let token = self.0.seal(&mut Rng::from_seed(0), &access_key, &text);
        let secret = self.secret(&access_key);
        Credentials { access_key, secret, token: Secret::new(token.as_str()), expires_at: session.expires_at }
    }

    /// The secret that belongs to an access key, and whom it stands for, if the token is the one that was handed out with it.
    pub fn open(&self, access_key: &str, token: &Secret, now: Time) -> Result<(Secret, Session), Error> {
        let text = self.0.open(access_key, &Sealed::from_text(token.reveal())).map_err(|_| unknown_key())?;
        let session: Session = serde_json::from_str(&text).map_err(|_| unknown_key())?;
        if session.expires_at <= now {
            return Err(expired_token());
        }
        Ok((self.secret(access_key), session))
    }

    fn access_key(&self, session: &str) -> String {
        let bytes = self.0.derived(&format!("access key {session}"));
        let digits = bytes.iter().take(KEY_DIGITS).map(|byte| char::from(DIGITS[usize::from(byte % 32)]));
        format!("ASIA{}", digits.collect::<String>())
    }

    fn secret(&self, access_key: &str) -> Secret {
        let bytes = self.0.derived(&format!("secret {access_key}"));
        Secret::new(bytes.iter().take(SECRET_BYTES).map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

impl Session {
    /// A role's path is not part of it.
    pub fn arn(&self) -> String {
        let partition = self.role_arn.split(':').nth(1).unwrap_or("aws");
        let role = self.role_arn.rsplit('/').next().unwrap_or_default();
        format!("arn:{partition}:sts::{}:assumed-role/{role}/{}", self.account, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "123456789012";
    const ROLE: &str = "arn:aws:iam::123456789012:role/team/web";
    const NOW: Time = Time(1_795_000_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn sessions(byte: u8) -> Sessions {
        Sessions::new(Key::new(&[byte; seal::KEY_BYTES]))
    }

    fn handed_out(sessions: &Sessions, now: Time) -> Credentials {
        sessions.credentials(ACCOUNT, ROLE, "0f3a", now)
    }

    #[test]
    fn what_was_handed_out_stands_for_its_task_also_after_a_restart() {
        let given = handed_out(&sessions(1), NOW);
        let (secret, session) = sessions(1).open(&given.access_key, &given.token, NOW).unwrap();
        assert!(secret == given.secret && session.expires_at == given.expires_at);
        assert_eq!(session.arn(), "arn:aws:sts::123456789012:assumed-role/web/0f3a");
        assert_eq!((given.access_key.len(), &given.access_key[..4]), (20, "ASIA"));
    }

    #[test]
    fn credentials_are_renewed_every_hour_and_good_for_five_at_least() {
        let at = |now| handed_out(&sessions(1), now);
        let first = at(NOW).expires_at - LIFE;
        let (last, next) = (Time(first.millis() + RENEWED_EVERY_MS - 1), Time(first.millis() + RENEWED_EVERY_MS));
        assert_eq!(at(first).access_key, at(last).access_key);
        assert_ne!(at(first).access_key, at(next).access_key);
        assert!(at(last).expires_at.since(last) >= 5 * HOUR && at(first).expires_at.since(first) == LIFE);
    }

    #[test]
    fn nothing_else_is_believed() {
        let given = handed_out(&sessions(1), NOW);
        let other = sessions(1).credentials(ACCOUNT, ROLE, "another", NOW);
        let open = |by: u8, key: &str, token: &Secret, now| sessions(by).open(key, token, now).map(drop).map_err(|e| e.code);
        let (unknown, expired) = (Err("UnrecognizedClientException".to_owned()), Err("ExpiredTokenException".to_owned()));
        let cases = [
            ("as it is", open(1, &given.access_key, &given.token, NOW), Ok(())),
            ("just before its end", open(1, &given.access_key, &given.token, Time(given.expires_at.millis() - 1)), Ok(())),
            ("at its end", open(1, &given.access_key, &given.token, given.expires_at), expired),
            ("by another server", open(2, &given.access_key, &given.token, NOW), unknown.clone()),
            ("another's token", open(1, &given.access_key, &other.token, NOW), unknown.clone()),
            ("another's key", open(1, &other.access_key, &given.token, NOW), unknown.clone()),
            ("no token", open(1, &given.access_key, &Secret::new(""), NOW), unknown.clone()),
            ("not one", open(1, &given.access_key, &Secret::new("bad"), NOW), unknown.clone()),
        ];
        for (what, found, expected) in cases {
            assert_eq!(found, expected, "{what}");
        }
        let token = given.token.reveal();
        for at in 0..token.len() {
            let changed = if &token[at..=at] == "A" { "B" } else { "A" };
            let token = Secret::new(format!("{}{changed}{}", &token[..at], &token[at + 1..]));
            assert_eq!(open(1, &given.access_key, &token, NOW), unknown, "byte {at}");
        }
    }

    #[test]
    fn no_two_tasks_roles_or_accounts_share_a_key() {
        let key = |account, role, task| sessions(1).credentials(account, role, task, NOW).access_key;
        let mut keys = vec![key(ACCOUNT, ROLE, "1"), key(ACCOUNT, ROLE, "2"), key(ACCOUNT, "role/web", "1"), key("2", ROLE, "1")];
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 4);
    }
}
