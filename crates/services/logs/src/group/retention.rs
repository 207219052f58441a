//! How long a group keeps its events.

use super::{LogGroup, find, key};
use api_logs as api;
use api_logs::Error;
use kernel::Call;
use std::time::Duration;
use store::Tx;
use wire::Empty;

/// The periods CloudWatch Logs has, in days. The model only says that they are numbers.
const PERIODS: [i32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

pub fn put_retention_policy(call: &mut Call, tx: &mut Tx, input: api::PutRetentionPolicyRequest) -> Result<Empty, Error> {
    // The wire has refused a request without days.
    let days = input.retention_in_days.unwrap_or_default();
    if !PERIODS.contains(&days) {
        let set = PERIODS.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
        return Err(Error::invalid_parameter(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: \
             Member must satisfy enum value set: [{set}]"
        )));
    }
    set(call, tx, input.log_group_name.as_deref(), Some(days))
}

pub fn delete_retention_policy(call: &mut Call, tx: &mut Tx, input: api::DeleteRetentionPolicyRequest) -> Result<Empty, Error> {
    set(call, tx, input.log_group_name.as_deref(), None)
}

fn set(call: &mut Call, tx: &mut Tx, name: Option<&str>, days: Option<i32>) -> Result<Empty, Error> {
    let key = key(&call.scope, &find(tx, &call.scope, name.unwrap_or_default())?.name);
    tx.update::<LogGroup>(key.as_str(), |group| group.retention_in_days = days);
    Ok(Empty {})
}

pub fn days_long(days: i32) -> Duration {
    Duration::from_secs(u64::try_from(days).unwrap_or(0) * SECONDS_PER_DAY)
}
