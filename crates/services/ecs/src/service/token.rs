//! CreateService's `clientToken`: the same request again is answered with the service that it made; another one under the
//! same name is refused.
//! https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html

use crate::task::sha256;
use api_ecs as api;
use serde::{Deserialize, Serialize};

const LENGTH: usize = 36;

/// What a service was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    pub token: String,
    /// Of the request.
    pub sha256: String,
}

impl Token {
    /// None where none is given; an empty one is none.
    pub fn of(input: &api::CreateServiceRequest) -> Result<Option<Token>, api::Error> {
        let Some(token) = input.client_token.clone().filter(|token| !token.is_empty()) else { return Ok(None) };
        if token.len() > LENGTH {
            return Err(api::Error::invalid_parameter(format!("idempotency token longer than {LENGTH}.")));
        }
        if !token.bytes().all(|byte| (33..=126).contains(&byte)) {
            return Err(api::Error::invalid_parameter("clientToken must be ASCII characters in the range of 33-126."));
        }
        Ok(Some(Token { token, sha256: sha256(input) }))
    }
}
