//! `piecework sell`, `buy` and `lane`: the market for uplink, through a daemon that runs.

mod buy;
mod lane;
mod sell;
mod tell;

pub(crate) use buy::run as buy;
pub(crate) use lane::run as lane;
pub(crate) use sell::run as sell;

use crate::args::client::ClientArgs;
use crate::client::Client;
use crate::failure::Failure;
use reqwest::Method;
use serde_json::Value;

/// Where the market is.
const PATH: &str = "/market";

/// A client that may spend, and the market as it is. A daemon that cannot trade says why.
fn open(args: &ClientArgs) -> Result<(Client, Value), Failure> {
    let client = Client::new_spending(args)?;
    let market = client.get(PATH)?;
    match market.get("problem").and_then(Value::as_str) {
        Some(problem) => Err(Failure::new(crate::client::printable(problem))),
        None => Ok((client, market)),
    }
}

fn change(client: &Client, changes: &Value) -> Result<Value, Failure> {
    client.ask(Method::PATCH, PATH, Some(changes))
}
