//! Identifiers and hashes in the paths of requests.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::headers::url_decoded;

/// The variable segment of a path. A client can send any bytes there, and gets the response to an
/// unknown identifier, as JSON: [`Path`] refuses invalid UTF-8 with plain text.
pub(crate) struct Identifier(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Identifier {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        if let Ok(Path(text)) = Path::from_request_parts(parts, state).await {
            return Ok(Self(text));
        }
        // The other segments are ASCII: otherwise, the path would not have matched a route.
        let text = parts.uri.path().split('/').map(url_decoded).find(|segment| !segment.is_ascii());
        Ok(Self(text.unwrap_or_default()))
    }
}
