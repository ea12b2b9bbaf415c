//! A request in either form, and its answer in the same one.

use crate::fault::{Code, Fault};
use crate::names::{self, Dress};
use serde_json::{Map, Value, json};

/// Calls of one batch.
pub(crate) const CALLS_MAX: usize = 100;

/// Which of the two forms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// `method`, `arguments`, `tag`.
    Old,
    /// JSON-RPC 2.0.
    New,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    /// How it came, and is answered.
    pub(crate) form: Form,
    /// The method, as JSON-RPC writes it.
    pub(crate) method: String,
    /// The parameters, named as JSON-RPC does.
    pub(crate) parameters: Map<String, Value>,
    /// What the answer is known by; without one JSON-RPC wants no answer.
    id: Option<Value>,
}

/// What a method answers: parameters named as JSON-RPC does, and how the older form dresses them.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) value: Value,
    pub(crate) dress: Dress,
}

impl Answer {
    /// Done.
    pub(crate) fn empty() -> Self {
        Self { value: json!({}), dress: Dress::Camel }
    }

    /// An answer whose names are dressed all alike.
    pub(crate) const fn new(value: Value, dress: Dress) -> Self {
        Self { value, dress }
    }
}

impl Call {
    /// Reads one call.
    ///
    /// # Errors
    /// The answer to what is none.
    pub(crate) fn read(value: Value) -> Result<Self, Value> {
        let Value::Object(mut object) = value else {
            return Err(failed(&Value::Null, &Fault::new(Code::Request, "expected an object")));
        };
        let is_new = object.get("jsonrpc").is_some_and(|version| version == "2.0");
        let form = if is_new { Form::New } else { Form::Old };
        let id = object.remove(if is_new { "id" } else { "tag" });
        let method = match object.get("method") {
            Some(Value::String(method)) => names::snake(method),
            _ => {
                let fault = Fault::new(Code::Request, "no method name");
                return Err(match form {
                    Form::New => failed(&id.unwrap_or(Value::Null), &fault),
                    Form::Old => old(id, &fault.text, &json!({})),
                });
            }
        };
        let parameters = object.remove(if is_new { "params" } else { "arguments" });
        let parameters = match parameters {
            Some(Value::Object(parameters)) => names::parameters(parameters),
            _ => Map::new(),
        };
        Ok(Self { form, method, parameters, id })
    }

    /// The answer as it is sent; `None` where none is wanted.
    pub(crate) fn answer(self, outcome: Result<Answer, Fault>) -> Option<Value> {
        match (self.form, outcome) {
            (Form::New, _) if self.id.is_none() => None,
            (Form::New, Ok(answer)) => {
                let result = names::dress(answer.value, Dress::Snake);
                Some(json!({"jsonrpc": "2.0", "result": result, "id": self.id}))
            }
            (Form::New, Err(fault)) => Some(failed(&self.id.unwrap_or(Value::Null), &fault)),
            (Form::Old, Ok(answer)) => {
                Some(old(self.id, "success", &names::dress(answer.value, answer.dress)))
            }
            (Form::Old, Err(fault)) => Some(old(self.id, &fault.text, &json!({}))),
        }
    }
}

fn old(tag: Option<Value>, result: &str, arguments: &Value) -> Value {
    let mut answer = json!({"result": result, "arguments": arguments});
    if let (Some(tag), Some(object)) = (tag, answer.as_object_mut()) {
        object.insert("tag".to_owned(), tag);
    }
    answer
}

/// An error of JSON-RPC.
pub(crate) fn failed(id: &Value, fault: &Fault) -> Value {
    let message = match fault.code {
        Code::Parse => "Parse error",
        Code::Request => "Invalid Request",
        Code::Method => "Method not found",
        Code::Parameters => "Invalid params",
        Code::Internal => "Internal error",
        Code::Path | Code::Unknown | Code::System | Code::File => fault.text.as_str(),
    };
    let error = json!({
        "code": fault.code as i32,
        "message": message,
        "data": {"error_string": fault.text, "result": {}},
    });
    json!({"jsonrpc": "2.0", "error": error, "id": id})
}
