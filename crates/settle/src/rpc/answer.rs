//! From what came over HTTP to the result of one question.

use super::fault::RpcFault;
use super::field::{cleaned, excerpt};
use super::transport::Received;
use alloy_primitives::Bytes;
use serde_json::{Map, Value};

/// What several operators answer to too many requests (EIP-1474: limit exceeded).
const LIMIT_EXCEEDED: i64 = -32005;

const TOO_MANY_REQUESTS: u16 = 429;

/// Characters of a refusal that are kept.
const MESSAGE_CHARS_MAX: usize = 300;

/// Characters of something that is no answer that are kept.
const BEGINS_CHARS: usize = 40;

/// Reads the result of question `id`. An error body counts whatever the HTTP status: nodes differ.
pub(super) fn read(received: &Received, id: u64) -> Result<Value, RpcFault> {
    if received.status == TOO_MANY_REQUESTS {
        return Err(RpcFault::Busy { retry_after: received.retry_after });
    }
    let parsed = match serde_json::from_slice::<Value>(&received.body) {
        Ok(_) if received.is_cut => Err(truncated(received)),
        Ok(Value::Object(answer)) => Ok(answer),
        Ok(_) => Err(RpcFault::NotAnAnswer { what: "it is not an object" }),
        Err(error) => Err(not_json(received, &error)),
    };
    match parsed {
        Ok(answer) if answer.contains_key("error") || is_success(received.status) => {
            result(answer, received, id)
        }
        Err(fault) if is_success(received.status) => Err(fault),
        Ok(_) | Err(_) => Err(RpcFault::Status { status: received.status }),
    }
}

/// Reads the results of `count` questions that were asked at once, the first of which was `first`, in the
/// order of the questions.
pub(super) fn read_all(
    received: &Received,
    first: u64,
    count: usize,
) -> Result<Vec<Value>, RpcFault> {
    let parsed = serde_json::from_slice::<Value>(&received.body);
    let is_whole = !received.is_cut && received.status != TOO_MANY_REQUESTS;
    let Ok(Value::Array(answers)) = parsed.map(|it| if is_whole { it } else { Value::Null }) else {
        // One answer to all of it: a refusal, or no answer at all.
        let fault = RpcFault::NotAnAnswer { what: "it is no list, though several were asked" };
        return read(received, first).and(Err(fault));
    };
    let mut results: Vec<Option<Value>> = vec![None; count];
    for answer in answers {
        let Value::Object(answer) = answer else {
            return Err(RpcFault::NotAnAnswer { what: "one of it is not an object" });
        };
        let id = answer.get("id").and_then(Value::as_u64);
        let place = id.and_then(|id| usize::try_from(id.checked_sub(first)?).ok());
        let Some(place) = place.filter(|&place| place < count) else {
            // Either one that could not be read, which says why, or somebody else's.
            result(answer, received, first)?;
            return Err(RpcFault::NotAnAnswer { what: "it answers what was not asked" });
        };
        results[place] = Some(result(answer, received, first + place as u64)?);
    }
    let missing = RpcFault::NotAnAnswer { what: "it leaves a question out" };
    results.into_iter().collect::<Option<_>>().ok_or(missing)
}

fn result(mut answer: Map<String, Value>, received: &Received, id: u64) -> Result<Value, RpcFault> {
    if answer.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(RpcFault::NotAnAnswer { what: "it names no version 2.0" });
    }
    let error = answer.remove("error").filter(|it| !it.is_null());
    let got = answer.get("id");
    // A server that could not read the question cannot name it.
    let is_ours = got.and_then(Value::as_u64) == Some(id);
    let is_unread = error.is_some() && got.is_none_or(Value::is_null);
    if !(is_ours || is_unread) {
        let got = got.map_or_else(|| "none".into(), |got| excerpt(got, BEGINS_CHARS));
        return Err(RpcFault::WrongId { expected: id, got });
    }
    let Some(error) = error else {
        return answer
            .remove("result")
            .ok_or(RpcFault::NotAnAnswer { what: "it has neither result nor error" });
    };
    Err(refusal(&error, received))
}

fn refusal(error: &Value, received: &Received) -> RpcFault {
    let Some(code) = error.get("code").and_then(Value::as_i64) else {
        return RpcFault::NotAnAnswer { what: "its error has no code" };
    };
    if code == LIMIT_EXCEEDED {
        return RpcFault::Busy { retry_after: received.retry_after };
    }
    let message = error.get("message").and_then(Value::as_str).unwrap_or("without a reason");
    let message = cleaned(message, MESSAGE_CHARS_MAX);
    // Some nodes put the revert's data one level deeper.
    let data = error.get("data");
    let data = data.map(|data| data.get("data").unwrap_or(data)).and_then(Value::as_str);
    let data = data.and_then(|text| text.parse::<Bytes>().ok());
    RpcFault::Refused { code, message, data }
}

fn not_json(received: &Received, error: &serde_json::Error) -> RpcFault {
    let text = String::from_utf8_lossy(&received.body[..received.body.len().min(200)]);
    let begins = text.trim_start();
    if received.is_html || begins.to_ascii_lowercase().starts_with("<") {
        return RpcFault::WebPage;
    }
    if received.is_cut || (error.is_eof() && begins.starts_with('{')) || begins.is_empty() {
        return truncated(received);
    }
    RpcFault::NotJson { begins: cleaned(begins, BEGINS_CHARS) }
}

fn truncated(received: &Received) -> RpcFault {
    RpcFault::Truncated { got_bytes: received.body.len() }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}
