//! The command line as a client: the same signed requests that any AWS SDK sends, and Slipway's own endpoints.

use anyhow::{Context, anyhow, bail};
use base::{Clock, SystemClock};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use wire::sigv4::{self, Secret};

pub type RequestBody = BoxBody<Bytes, std::io::Error>;

#[derive(Clone)]
pub struct Client {
    http: Http<HttpConnector, RequestBody>,
    /// `http://127.0.0.1:4566`
    endpoint: String,
    region: String,
    access_key: String,
    secret: Secret,
}

impl Client {
    /// Credentials are the usual AWS environment variables, or the well-known test keys.
    pub fn new(endpoint: impl Into<String>, region: impl Into<String>) -> Client {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (access_key, secret) = match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key), Some(secret)) => (access_key, secret),
            _ => ("test".into(), "test".into()),
        };
        Client {
            http: Http::builder(TokioExecutor::new()).build_http(),
            endpoint: endpoint.into(),
            region: region.into(),
            access_key,
            secret: Secret::new(secret),
        }
    }

    /// Whether a Slipway answers at the endpoint.
    pub async fn is_serving(&self) -> bool {
        self.own("GET", "health", empty()).await.is_ok()
    }

    /// One ECS operation.
    pub async fn ecs(&self, operation: &str, input: &Value) -> anyhow::Result<Value> {
        let body = Bytes::from(serde_json::to_vec(input)?);
        let request = Request::post(self.uri("/")?)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AmazonEC2ContainerServiceV20141113.{operation}"));
        let request = self.signed(request, "ecs", &body)?.body(full(body))?;
        let response = self.http.request(request).await.with_context(|| format!("no answer from {}", self.endpoint))?;
        let status = response.status();
        let answer: Value = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
        if status.is_success() {
            return Ok(answer);
        }
        let text = |member: &str| answer[member].as_str().unwrap_or_default().to_owned();
        Err(anyhow!("{operation}: {}: {}", text("__type"), text("message")))
    }

    /// One of Slipway's own endpoints. The body is not part of the signature: it may be a stream of any length.
    pub async fn own(&self, method: &str, path: &str, body: RequestBody) -> anyhow::Result<Response<Incoming>> {
        let request = Request::builder().method(method).uri(self.uri(&format!("/_slipway/{path}"))?);
        let request = request.header("x-amz-content-sha256", sigv4::UNSIGNED_PAYLOAD);
        let request = self.signed(request, "slipway", &[])?.body(body)?;
        let response = self.http.request(request).await.with_context(|| format!("no answer from {}", self.endpoint))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let text = response.into_body().collect().await?.to_bytes();
        bail!("{}", String::from_utf8_lossy(&text).trim_end())
    }

    fn uri(&self, path: &str) -> anyhow::Result<Uri> {
        format!("{}{path}", self.endpoint).parse().with_context(|| format!("endpoint {}", self.endpoint))
    }

    fn signed(
        &self,
        request: hyper::http::request::Builder,
        service: &str,
        body: &[u8],
    ) -> anyhow::Result<hyper::http::request::Builder> {
        let authority = self.uri("/")?.authority().map(ToString::to_string).unwrap_or_default();
        let (mut head, ()) = request.header("host", authority).body(())?.into_parts();
        let key = sigv4::Key { access_key: &self.access_key, secret: &self.secret, region: &self.region, service };
        sigv4::sign(&mut head, body, SystemClock.now(), &key)?;
        let mut signed = Request::builder().method(head.method).uri(head.uri);
        if let Some(headers) = signed.headers_mut() {
            *headers = head.headers;
        }
        Ok(signed)
    }
}

pub fn empty() -> RequestBody {
    full(Bytes::new())
}

pub fn full(bytes: Bytes) -> RequestBody {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}
