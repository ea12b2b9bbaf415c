//! Parameters of a request, taken one by one, with errors that name the one at fault.

use crate::error::invalid_params;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The positional parameters of one request.
pub(crate) struct Arguments<'a> {
    rest: std::vec::IntoIter<&'a RawValue>,
    next: usize,
}

impl<'a> Arguments<'a> {
    /// Of a request that takes at most `max`.
    pub(crate) fn of(params: &'a Params<'_>, max: usize) -> Result<Self, ErrorObjectOwned> {
        let all: Vec<&RawValue> = match params.as_str() {
            None => Vec::new(),
            Some(text) => serde_json::from_str(text).map_err(|_| {
                invalid_params("parameters must be an array, in the method's order")
            })?,
        };
        if all.len() > max {
            return Err(invalid_params(format!("too many arguments, want at most {max}")));
        }
        Ok(Self { rest: all.into_iter(), next: 0 })
    }

    /// The next one, which must be there.
    pub(crate) fn required<T: Deserialize<'a>>(&mut self) -> Result<T, ErrorObjectOwned> {
        let index = self.next;
        self.optional()?
            .ok_or_else(|| invalid_params(format!("missing value for required argument {index}")))
    }

    /// The next one, which may be missing or null.
    pub(crate) fn optional<T: Deserialize<'a>>(&mut self) -> Result<Option<T>, ErrorObjectOwned> {
        let index = self.next;
        self.next += 1;
        let Some(raw) = self.rest.next().filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|e| invalid_params(format!("invalid argument {index}: {}", reason(&e))))
    }
}

/// What serde found wrong, without the position inside the argument.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, B256, Bytes};

    fn message(error: Option<ErrorObjectOwned>) -> String {
        let error = error.expect("an error");
        assert_eq!(error.code(), -32602);
        error.message().to_owned()
    }

    #[test]
    fn arguments_are_taken_in_order_and_null_is_none() {
        let params =
            Params::new(Some(r#"["0x0000000000000000000000000000000000000007", null, "0x12"]"#));
        let mut arguments = Arguments::of(&params, 3).unwrap();
        assert_eq!(arguments.required::<Address>().unwrap(), Address::with_last_byte(7));
        assert_eq!(arguments.optional::<B256>().unwrap(), None);
        assert_eq!(arguments.required::<Bytes>().unwrap(), Bytes::from_static(&[0x12]));
        assert_eq!(arguments.optional::<B256>().unwrap(), None);
    }

    #[test]
    fn an_error_names_the_argument_and_what_is_wrong_with_it() {
        let params = Params::new(Some(r#"["0x12", "0x1"]"#));
        let mut arguments = Arguments::of(&params, 2).unwrap();
        let text = message(arguments.required::<Address>().err());
        assert!(text.starts_with("invalid argument 0: "), "{text}");
        let text = message(arguments.required::<Bytes>().err());
        assert!(text.starts_with("invalid argument 1: "), "{text}");
        let text = message(arguments.required::<Bytes>().err());
        assert_eq!(text, "missing value for required argument 2");
    }

    #[test]
    fn too_many_arguments_and_named_ones_are_refused() {
        let text = message(Arguments::of(&Params::new(Some("[1,2]")), 1).err());
        assert_eq!(text, "too many arguments, want at most 1");
        let text = message(Arguments::of(&Params::new(Some(r#"{"to":1}"#)), 1).err());
        assert!(text.contains("must be an array"), "{text}");
        assert!(Arguments::of(&Params::new(None), 1).is_ok());
    }
}
