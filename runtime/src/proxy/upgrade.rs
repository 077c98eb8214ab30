//! Switching protocols: after a 101 both streams are joined.
//!
//! In: the response's head, the client's stream, which hyper will hand over, and the endpoint's. Out: the 101, and a
//! tunnel that lives until either side ends it. Never: reads a byte of the new protocol before the
//! 101; survives reloads, since it needs nothing of the snapshot but its completion.

use http::Response;
use http::header::HeaderValue;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::body::ResponseBody;
use super::completion::Completion;
use crate::error::{Error, Kind, Side};
use crate::http::Body;
use crate::upstream::Lease;

/// A switch of protocols that a client asks for.
pub struct Upgrade {
    /// What it offers, as it is passed on.
    pub protocol: HeaderValue,
    /// Where hyper hands over the client's stream after a 101.
    pub client: Option<OnUpgrade>,
    /// The endpoint agreed, by a 101.
    pub accepted: bool,
}

/// Sends the 101 and joins the streams.
pub fn switch(
    parts: http::response::Parts,
    client: OnUpgrade,
    mut completion: Box<Completion>,
) -> Response<ResponseBody> {
    completion.connection.activity.tunnel();
    let tunnel = completion.lease.take().and_then(Lease::into_tunnel);
    tokio::task::spawn_local(async move {
        let result = async {
            let Some((_slot, mut upstream)) = tunnel else {
                return Err("the request's body was still on its way".to_owned());
            };
            let mut client = TokioIo::new(client.await.map_err(|error| error.to_string())?);
            tokio::io::copy_bidirectional(&mut client, &mut upstream)
                .await
                .map_err(|error| error.to_string())
        }
        .await;
        match result {
            Ok((up, down)) => {
                completion.upload.get_or_insert_default().add(up);
                completion.response_bytes = down;
            }
            Err(detail) => {
                completion.failed(&Error::new(Kind::HttpUpgradeFailed, Side::Upstream, detail));
            }
        }
        completion.complete = true;
        drop(completion);
    });
    Response::from_parts(parts, ResponseBody::bare(Body::Empty))
}
