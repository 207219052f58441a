//! Pages of lists in an order of their own. The token is opaque to clients and names the last item given.

use api_logs::Error;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub struct Page<T> {
    pub items: Vec<T>,
    pub next_token: Option<String>,
}

/// Unlike ECS's, these lists may be in an order in which a name does not say where it stood: an item that is gone ends the
/// walk with an error.
pub fn page<'a, T: 'a>(
    items: impl IntoIterator<Item = &'a T>,
    name_of: impl Fn(&'a T) -> &'a str,
    limit: i32,
    token: Option<&str>,
) -> Result<Page<&'a T>, Error> {
    let mut items = items.into_iter();
    if let Some(token) = token {
        let last = decode(token).ok_or_else(invalid)?;
        items.find(|item| name_of(item) == last).ok_or_else(invalid)?;
    }
    let page: Vec<&T> = items.by_ref().take(usize::try_from(limit).unwrap_or(0)).collect();
    let more = items.next().is_some();
    let next_token = page.last().filter(|_| more).map(|item| URL_SAFE_NO_PAD.encode(name_of(item)));
    Ok(Page { items: page, next_token })
}

fn decode(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

pub fn invalid() -> Error {
    Error::invalid_parameter("The specified nextToken is invalid.")
}
