//! Who may call, and whose account a key stands for.

use crate::config::{Config, TEST_KEYS};
use base::Scope;
use kernel::Caller;
use std::collections::BTreeMap;
use wire::sigv4::{Identity, Secret};

pub struct Keys {
    keys: BTreeMap<String, (Secret, String)>,
    /// Twelve digits used as a key are that account, as local AWS tools have it.
    account_ids_are_keys: bool,
    default_account: String,
}

impl Keys {
    pub fn new(config: &Config) -> Keys {
        let own = config.access_keys.iter().map(|key| {
            let account = key.account.clone().unwrap_or_else(|| config.account.clone());
            (key.id.clone(), (Secret::new(key.secret.clone()), account))
        });
        let mut keys: BTreeMap<_, _> = own.collect();
        if config.accepts_test_keys() {
            let test = |(id, secret): &(&str, &str)| (id.to_string(), (Secret::new(*secret), config.account.clone()));
            keys.extend(TEST_KEYS.iter().map(test));
        }
        Keys { keys, account_ids_are_keys: config.accepts_test_keys(), default_account: config.account.clone() }
    }

    pub fn secret(&self, access_key: &str) -> Option<Secret> {
        if let Some((secret, _)) = self.keys.get(access_key) {
            return Some(secret.clone());
        }
        (self.account_ids_are_keys && is_account(access_key)).then(|| Secret::new("test"))
    }

    pub fn scope(&self, identity: &Identity) -> Scope {
        Scope::new(self.account(&identity.access_key), identity.region.clone())
    }

    pub fn caller(&self, identity: &Identity) -> Caller {
        let arn = format!("arn:aws:iam::{}:root", self.account(&identity.access_key));
        Caller { access_key: identity.access_key.clone(), arn }
    }

    fn account<'a>(&'a self, access_key: &'a str) -> &'a str {
        match self.keys.get(access_key) {
            Some((_, account)) => account,
            None if is_account(access_key) => access_key,
            None => &self.default_account,
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}
