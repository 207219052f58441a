//! Pages of a list. The token is opaque to clients and names the last item given, so a list may change in between.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A token that no answer of ours can have contained.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidToken;

/// Items behind `token`, at most `limit` of them, and the token of the next page if more follow. `items` must be in the
/// order of `name_of`, which must be unique.
pub fn page<T>(
    items: impl IntoIterator<Item = T>,
    name_of: impl Fn(&T) -> String,
    limit: usize,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), InvalidToken> {
    let after = token.map(decode).transpose()?;
    let mut rest = items.into_iter().filter(|item| after.as_ref().is_none_or(|after| name_of(item) > *after));
    let page: Vec<T> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|item| URL_SAFE_NO_PAD.encode(name_of(item)));
    Ok((page, next))
}

fn decode(token: &str) -> Result<String, InvalidToken> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidToken)?;
    String::from_utf8(bytes).map_err(|_| InvalidToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walking_the_pages_gives_each_item_once() {
        let items: Vec<String> = (0..7).map(|i| format!("task{i}")).collect();
        for limit in 1..9 {
            let (mut seen, mut token) = (Vec::new(), None);
            loop {
                let (page, next) = page(items.clone(), String::clone, limit, token.as_deref()).unwrap();
                seen.extend(page);
                token = next;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(seen, items, "limit {limit}");
        }
    }

    #[test]
    fn a_made_up_token_is_refused() {
        assert_eq!(page(["a"], |s| s.to_string(), 1, Some("%%%")), Err(InvalidToken));
    }
}
