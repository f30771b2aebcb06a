//! Commands of sentinels.

use super::context::{Context, Outcome};
use crate::memory::reply::{ErrorReply, Reply};

/// The address of the master with this name.
pub(super) fn master(cx: &mut Context<'_>, arguments: &[Vec<u8>]) -> Outcome {
    let name = arguments.first().ok_or_else(ErrorReply::syntax)?;
    let view = cx.server.sentinel.as_ref();
    let view =
        view.ok_or_else(|| ErrorReply::new("ERR unknown command 'SENTINEL', with args beginning with: "))?;
    Ok(view.get(name).map_or(Reply::Null, |(host, port)| {
        Reply::Array(vec![Reply::bulk(host), Reply::bulk(port.to_string())])
    }))
}
