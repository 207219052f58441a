use super::*;
use expect_test::{Expect, expect};
use workload::{FileSpec, SecretSpec};

/// `missing` leads nowhere; everything else to itself, or to what follows its `=`.
struct Echo;

#[async_trait]
impl References for Echo {
    fn capabilities(&self) -> &'static [&'static str] {
        &[]
    }

    async fn secret(&self, _: &TaskSpec, value_from: &str) -> Result<Secret, String> {
        match value_from.split_once('=') {
            _ if value_from == "missing" => Err("no such secret".into()),
            Some((_, value)) => Ok(Secret(value.into())),
            None => Ok(Secret(value_from.into())),
        }
    }

    async fn object(&self, _: &TaskSpec, arn: &str) -> Result<Vec<u8>, String> {
        if arn == "missing" { Err("no such object".into()) } else { Ok(arn.as_bytes().to_vec()) }
    }
}

async fn check(container: ContainerSpec, expected: Expect) {
    let fetcher = Fetcher::new(Arc::new(Echo));
    let container = ContainerSpec { name: "c".into(), ..container };
    let spec = TaskSpec { id: "t".into(), containers: vec![container], ..TaskSpec::default() };
    let text = match fetcher.fetch(&spec).await {
        Err(error) => error.to_string(),
        Ok(()) => {
            let fetched = fetcher.of("t", "c");
            let secrets: Vec<_> = fetched.secrets.iter().map(|(name, value)| (name, &value.0)).collect();
            let files: Vec<_> = fetched.files.iter().map(|file| (&file.target, &file.content.0)).collect();
            let auth = fetched.registry_auth.map(|auth| (auth.username, auth.password));
            format!("{:?} {secrets:?} {files:?} {auth:?}", fetched.environment)
        }
    };
    expected.assert_eq(&text);
}

fn secret(name: &str, value_from: &str) -> SecretSpec {
    SecretSpec { name: name.into(), value_from: value_from.into() }
}

#[tokio::test]
async fn everything_a_container_refers_to_is_fetched() {
    let container = ContainerSpec {
        registry_credentials: Some(r#"auth={"username":"u","password":"p"}"#.into()),
        environment_files: vec!["A=1\nB=2".into()],
        secrets: vec![secret("S", "value")],
        files: vec![
            FileSpec { container_path: "/a".into(), content: FileContent::Text("text".into()) },
            FileSpec { container_path: "/b".into(), content: FileContent::Secret("value".into()) },
        ],
        ..ContainerSpec::default()
    };
    check(container, expect![[r#"{"A": "1", "B": "2"} [("S", "value")] [("/a", "text"), ("/b", "value")] Some(("u", "p"))"#]])
        .await;
}

#[tokio::test]
async fn what_is_missing_is_said_in_ecs_words() {
    let secrets = ContainerSpec { secrets: vec![secret("S", "missing")], ..ContainerSpec::default() };
    check(secrets, expect!["unable to pull secrets or registry auth: no such secret"]).await;
    let files = ContainerSpec { environment_files: vec!["missing".into()], ..ContainerSpec::default() };
    check(
        files,
        expect![
            "failed to download env files: The task can't download the environment variable files from Amazon S3. no such object"
        ],
    )
    .await;
    let file = Some(workload::FirelensFile::S3("missing".into()));
    let firelens = workload::FirelensSpec { kind: workload::FirelensKind::Fluentbit, ecs_metadata: true, config_file: file };
    let router = ContainerSpec { firelens: Some(firelens), ..ContainerSpec::default() };
    assert!(router.refers());
    check(router, expect!["unable to download firelens s3 config file: no such object"]).await;
    for value in ["auth=nonsense", "auth={}", r#"auth={"username":"u"}"#] {
        let container = ContainerSpec { registry_credentials: Some(value.into()), ..ContainerSpec::default() };
        let text = Fetcher::new(Arc::new(Echo)).fetch(&TaskSpec { containers: vec![container], ..TaskSpec::default() }).await;
        assert!(
            text.unwrap_err()
                .to_string()
                .starts_with("unable to pull secrets or registry auth: unable to retrieve secret from asm:")
        );
    }
}

#[tokio::test]
async fn what_is_forgotten_is_gone_and_nothing_is_printed() {
    let fetcher = Fetcher::new(Arc::new(Echo));
    let container = ContainerSpec { name: "c".into(), secrets: vec![secret("S", "v")], ..ContainerSpec::default() };
    fetcher.fetch(&TaskSpec { id: "t".into(), containers: vec![container], ..TaskSpec::default() }).await.unwrap();
    assert_eq!(format!("{:?}", fetcher.of("t", "c").secrets), r#"[("S", Secret(…))]"#);
    fetcher.forget("t");
    assert!(fetcher.of("t", "c").secrets.is_empty());
}
