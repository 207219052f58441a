//! The paths of the metadata endpoint, and what it says where it cannot answer: the stock agent's sentences, JSON strings.

use hyper::StatusCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V3,
    V4,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Container,
    Task,
    TaskWithTags,
    Stats,
    TaskStats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    Metadata(Version, &'a str, Wanted),
    Protection(&'a str),
    Credentials(&'a str),
}

impl<'a> Route<'a> {
    pub fn id(self) -> &'a str {
        match self {
            Route::Metadata(_, id, _) | Route::Protection(id) | Route::Credentials(id) => id,
        }
    }
}

pub fn route(path: &str) -> Option<Route<'_>> {
    let mut parts = path.strip_prefix('/')?.split('/');
    let (version, id, rest) = (parts.next()?, parts.next()?, parts.collect::<Vec<_>>());
    let version = match version {
        "v3" => Version::V3,
        "v4" => Version::V4,
        // The one address whose id comes last.
        "v2" if id == "credentials" => return if let [id] = rest[..] { Some(Route::Credentials(id)) } else { None },
        "api" if rest == ["task-protection", "v1", "state"] => return Some(Route::Protection(id)),
        _ => return None,
    };
    let wanted = match rest[..] {
        [] => Wanted::Container,
        ["task"] => Wanted::Task,
        ["taskWithTags"] => Wanted::TaskWithTags,
        ["stats"] => Wanted::Stats,
        ["task", "stats"] => Wanted::TaskStats,
        _ => return None,
    };
    Some(Route::Metadata(version, id, wanted))
}

/// For an id that is nobody's. Version 3 calls that an error of its own.
pub fn not_found(version: Version, id: &str, wanted: Wanted) -> (StatusCode, String) {
    let (v, status) = match version {
        Version::V3 => ("V3", StatusCode::INTERNAL_SERVER_ERROR),
        Version::V4 => ("V4", StatusCode::NOT_FOUND),
    };
    let container = "unable to get container ID from request: unable to get docker ID from v3 endpoint ID";
    let task = "unable to get task arn from request: unable to get task Arn from v3 endpoint ID";
    let (handler, reason) = match wanted {
        Wanted::Container => ("container metadata", container),
        Wanted::Task | Wanted::TaskWithTags => ("task metadata", task),
        Wanted::Stats => ("container stats", task),
        Wanted::TaskStats => ("task stats", task),
    };
    (status, format!("{v} {handler} handler: {reason}: {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn paths_are_the_stock_agents() {
        let paths = [
            "/v4/ID",
            "/v4/ID/task",
            "/v4/ID/taskWithTags",
            "/v4/ID/stats",
            "/v4/ID/task/stats",
            "/v3/ID/task",
            "/api/ID/task-protection/v1/state",
            "/v2/credentials/ID",
            "/v2/credentials/",
            "/v2/credentials",
            "/v2/metadata",
            "/v4/",
            "/v4/ID/",
            "/v4/ID/tasks",
            "/v5/ID",
            "/v4",
            "/",
            "",
        ];
        let text: String = paths.iter().map(|path| format!("{path}: {:?}\n", route(path))).collect();
        expect![[r#"
            /v4/ID: Some(Metadata(V4, "ID", Container))
            /v4/ID/task: Some(Metadata(V4, "ID", Task))
            /v4/ID/taskWithTags: Some(Metadata(V4, "ID", TaskWithTags))
            /v4/ID/stats: Some(Metadata(V4, "ID", Stats))
            /v4/ID/task/stats: Some(Metadata(V4, "ID", TaskStats))
            /v3/ID/task: Some(Metadata(V3, "ID", Task))
            /api/ID/task-protection/v1/state: Some(Protection("ID"))
            /v2/credentials/ID: Some(Credentials("ID"))
            /v2/credentials/: Some(Credentials(""))
            /v2/credentials: None
            /v2/metadata: None
            /v4/: Some(Metadata(V4, "", Container))
            /v4/ID/: None
            /v4/ID/tasks: None
            /v5/ID: None
            /v4: None
            /: None
            : None
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn an_unknown_id_is_told_in_the_stock_agents_words() {
        let say = |version, wanted| {
            let (status, text) = not_found(version, "bad", wanted);
            format!("{} {text}\n", status.as_u16())
        };
        let all = [Wanted::Container, Wanted::Task, Wanted::TaskWithTags, Wanted::Stats, Wanted::TaskStats];
        let text: String = all.into_iter().map(|wanted| say(Version::V4, wanted)).collect();
        expect![[r#"
            404 V4 container metadata handler: unable to get container ID from request: unable to get docker ID from v3 endpoint ID: bad
            404 V4 task metadata handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: bad
            404 V4 task metadata handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: bad
            404 V4 container stats handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: bad
            404 V4 task stats handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: bad
            500 V3 task metadata handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: bad
        "#]].assert_eq(&(text + &say(Version::V3, Wanted::Task)));
    }
}
