//! `piecework lane`: how fast a torrent of a daemon is wanted.

use super::tell;
use crate::args::market::{LaneArg, LaneOfArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::out::Out;
use crate::torrents;
use reqwest::Method;
use serde_json::json;

/// Runs the command.
pub(crate) fn run(args: &LaneOfArgs, out: Out) -> Result<(), Failure> {
    let client = Client::new_spending(&args.client)?;
    let torrent = torrents::one(&client, &args.torrent)?;
    let path = format!("/torrents/{}/lane", torrent.id);
    let lane = match (args.lane, &args.budget) {
        (None, None) if args.max_price.is_none() => client.get(&path)?,
        (None, _) => {
            return Err(Failure::usage("name the lane too: medium or fast, with its budget"));
        }
        (Some(LaneArg::Slow), _) => {
            client.ask(Method::PUT, &path, Some(&json!({ "lane": "slow" })))?
        }
        (Some(_), None) => {
            return Err(Failure::usage("--budget says what it may cost in all, in whole tokens"));
        }
        (Some(lane), Some(budget)) => {
            let body =
                json!({ "lane": lane.word(), "budget": budget, "max_price": args.max_price });
            client.ask(Method::PUT, &path, Some(&body))?
        }
    };
    tell::lane(&torrent.name, &lane, out);
    Ok(())
}
