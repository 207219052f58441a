//! Pages as ECS's list operations take them: `maxResults` of 1 to 100, 100 if none is given.

use api_ecs::Error;

const MOST: i32 = 100;

pub struct Page<T> {
    pub items: Vec<T>,
    pub next_token: Option<String>,
}

/// `items` must be in the order of `name_of`, which must be unique.
pub fn page<T>(
    items: impl IntoIterator<Item = T>,
    name_of: impl Fn(&T) -> String,
    max_results: Option<i32>,
    token: Option<&str>,
) -> Result<Page<T>, Error> {
    let limit = match max_results.unwrap_or(MOST) {
        given @ 1..=MOST => given as usize,
        _ => return Err(Error::invalid_parameter(format!("maxResults must be between 1 and {MOST}."))),
    };
    let page = kernel::page(items, name_of, limit, token.filter(|token| !token.is_empty()));
    let (items, next_token) = page.map_err(|_| Error::invalid_parameter("Invalid nextToken."))?;
    Ok(Page { items, next_token })
}
