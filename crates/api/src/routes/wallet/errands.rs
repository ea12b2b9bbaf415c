//! What all routes that move money share: a preview first, a key that makes them happen once, an order.

use super::orders;
use crate::caller::header;
use crate::extract::{Query, from_json};
use crate::idempotency::demand_key;
use crate::problem::{Code, Problem};
use crate::state::{Api, Who};
use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use piecework_access::Scope;
use piecework_daemon::{Approval, Errand};
use piecework_hash::sha256;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What a request that moves money agrees to pay for it.
pub(crate) trait Priced {
    /// The fees at most, whole coins; none for whatever they are.
    fn fee_most(&self) -> Option<&str>;
}

/// Only looked at.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Preview {
    /// Answer what would be done and cost; nothing is signed.
    #[serde(default)]
    #[param(default = false)]
    preview: bool,
}

/// By which a request is told from another.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub(crate) struct Named {
    /// A name for this request; a preview needs none.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 128)]
    key: Option<String>,
}

/// A request that moves money, of somebody who may.
pub(crate) struct Asked<T> {
    pub(crate) body: T,
    /// What was agreed to; none of a preview.
    approval: Option<Approval>,
}

impl<T: DeserializeOwned + Priced> FromRequest<Api> for Asked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Query(Preview { preview }) = Query::from_request_parts(&mut parts, api).await?;
        let who = parts.extensions.get::<Who>();
        who.ok_or_else(|| Problem::new(Code::Failed, "nobody asks"))?.needs(Scope::Spend)?;
        let is_json = header(&parts.headers, CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
        if !is_json {
            return Err(Problem::new(Code::MediaType, "send application/json"));
        }
        let key = header(&parts.headers, "idempotency-key").map(str::to_owned);
        let path = parts.uri.path().to_owned();
        let bytes = Bytes::from_request(Request::from_parts(parts, body), api).await;
        let bytes = bytes.map_err(|no| Problem::new(Code::TooLarge, no.body_text()))?;
        let body: T = from_json(&bytes, b'{')?;
        let approval = if preview {
            None
        } else {
            let key = key.ok_or_else(|| {
                let text =
                    "send an Idempotency-Key: what moves money happens once for each; or ?preview=true";
                Problem::new(Code::Invalid, text)
            })?;
            demand_key(&key)?;
            let request = sha256(&[path.as_bytes(), b"\n", &bytes].concat()).to_string();
            let fee_most = body.fee_most().map(str::to_owned);
            Some(Approval { key, request, fee_most })
        };
        Ok(Self { body, approval })
    }
}

impl<T> Asked<T> {
    /// It is only looked at.
    pub(crate) const fn is_preview(&self) -> bool {
        self.approval.is_none()
    }

    /// The plan, or the order.
    pub(crate) async fn answer(self, api: &Api, errand: Errand) -> Result<Response, Problem> {
        match self.approval {
            None => {
                let (plan, network) = api.daemon.plan(errand).await?;
                Ok(Answer(orders::plan(&plan, &network)).into_response())
            }
            Some(approval) => {
                let order = api.daemon.order(errand, approval).await?;
                Ok((StatusCode::ACCEPTED, Answer(orders::order(&order))).into_response())
            }
        }
    }
}
