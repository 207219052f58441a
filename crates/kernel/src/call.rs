//! Who asks, for which account and region, and when: the only way time and entropy reach a handler.

use base::{Rng, Scope, Time};

pub struct Call {
    pub scope: Scope,
    pub caller: Caller,
    pub now: Time,
    pub rng: Rng,
    pub request_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    pub access_key: String,
    /// `arn:aws:iam::123456789012:root` until identities are kept.
    pub arn: String,
}

impl Call {
    /// What reconcilers and node reports run under: rows say themselves whose they are.
    pub fn internal(now: Time, rng: Rng) -> Call {
        let scope = Scope::new("", "");
        Call { scope, caller: Caller::default(), now, rng, request_id: String::new() }
    }
}
