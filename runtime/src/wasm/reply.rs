//! From what a guest replies to a response that can be sent.
//!
//! In: a `reply` of the contract. Out: a [`Reply`] with legal fields, or why it is none. Never:
//! repairs one: a plugin that makes illegal replies has a bug that should be seen.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::bindings::{self, HeaderError};
use super::fault::Fault;
use super::host::{fields, legal_status};
use crate::chain::{HeadLimits, Reply};

/// The longest a reply may be put off, in milliseconds.
const MAX_DELAY_MILLIS: u32 = 300_000;

/// Checks a reply.
pub fn check(reply: bindings::Reply, limits: HeadLimits) -> Result<Box<Reply>, Fault> {
    let Some(status) = legal_status(reply.status) else {
        return Err(Fault::invalid_reply(format!("status {} is not in 200 to 599", reply.status)));
    };
    if reply.delay_millis > MAX_DELAY_MILLIS {
        return Err(Fault::invalid_reply(format!(
            "a delay of {} ms is more than {MAX_DELAY_MILLIS}",
            reply.delay_millis
        )));
    }
    let mut headers = HeaderMap::with_capacity(reply.headers.len().min(limits.fields));
    let mut bytes = Some(0);
    for (name, value) in &reply.headers {
        let line = fields::legal_line(name, value);
        line.and_then(|line| fields::append(&mut headers, &mut bytes, limits, line)).map_err(
            |error| {
                Fault::invalid_reply(match error {
                    HeaderError::InvalidSyntax => {
                        format!("field {name:?} has an illegal name or value")
                    }
                    HeaderError::Forbidden => format!("field {name:?} belongs to the proxy"),
                    HeaderError::SizeExceeded => {
                        "the head exceeds the listener's limits".to_owned()
                    }
                })
            },
        )?;
    }
    Ok(Box::new(Reply {
        status,
        headers,
        body: Bytes::from(reply.body),
        delay: Duration::from_millis(reply.delay_millis.into()),
    }))
}
