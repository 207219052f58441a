//! `eval "$(slipway env)"`: points the AWS CLI and SDKs of this shell at the server.

use super::say;
use crate::config::Config;

pub fn run(config: &Config) {
    let credentials = config.access_keys.first().map_or(("test", "test"), |key| (key.id.as_str(), key.secret.as_str()));
    say(format_args!("export AWS_ENDPOINT_URL=http://{}", config.listen));
    say(format_args!("export AWS_ACCESS_KEY_ID={}", quoted(credentials.0)));
    say(format_args!("export AWS_SECRET_ACCESS_KEY={}", quoted(credentials.1)));
    say(format_args!("export AWS_REGION={} AWS_DEFAULT_REGION={}", quoted(&config.region), quoted(&config.region)));
}

fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./+=".contains(&b);
    if text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
