//! The server scripts, transcribed line by line from `lua/`. Each call that can fail names its line of Lua, because the
//! error reply of Redis contains the line number.
//!
//! Arguments must have the form that the scripts' headers state. Other forms are refused as unsupported.

mod acquire;
mod call;
mod extend;
mod fair;
mod lua;
mod release;

use super::reply::{ErrorReply, Reply};
use crate::script::{
    ADOPT, EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, EXTEND, FAIR_ACQUIRE, FAIR_RELEASE, MULTI_ACQUIRE,
    RAISE_FENCE, Script,
};

use call::Outcome;
pub(super) use call::{Call, Limits};

type Transcription = fn(&mut Call<'_>) -> Outcome<Reply>;

fn table() -> [(&'static Script, Transcription); 8] {
    [
        (&EXCLUSIVE_ACQUIRE, acquire::exclusive),
        (&MULTI_ACQUIRE, acquire::multi),
        (&RAISE_FENCE, acquire::raise_fence),
        (&EXTEND, extend::extend),
        (&ADOPT, extend::adopt),
        (&EXCLUSIVE_RELEASE, release::exclusive),
        (&FAIR_ACQUIRE, fair::acquire),
        (&FAIR_RELEASE, fair::release),
    ]
}

pub(super) fn run(call: &mut Call<'_>) -> Outcome<Reply> {
    let found = table().into_iter().find(|(script, _)| *script == call.script);
    found.map_or_else(|| Err(ErrorReply::beyond("this script")), |(_, transcription)| transcription(call))
}
