use std::collections::VecDeque;
use std::task::Waker;

use http::HeaderMap;

use super::*;
use crate::error::{Kind, Side};

/// What a body gives at each look.
enum Look {
    Pending,
    Data(usize),
    Trailers,
    Broken,
}

struct Script(VecDeque<Look>);

impl HttpBody for Script {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        Poll::Ready(match self.0.pop_front() {
            None => None,
            Some(Look::Pending) => return Poll::Pending,
            Some(Look::Data(length)) => Some(Ok(Frame::data(vec![b'x'; length].into()))),
            Some(Look::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Look::Broken) => {
                Some(Err(Error::new(Kind::HttpResponseIncomplete, Side::Upstream, "cut")))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

/// What comes out: lengths, `t` for trailers, `!` for an error, `-` where nothing is there.
fn merged(looks: Vec<Look>, grace: Grace) -> String {
    let (mut script, mut merging) = (Script(looks.into()), Merging::default());
    let mut cx = Context::from_waker(Waker::noop());
    let mut out = Vec::new();
    while !(script.is_end_stream() && merging.is_empty()) {
        out.push(match merging.poll_frame(&mut script, grace, &mut cx) {
            Poll::Pending => "-".to_owned(),
            Poll::Ready(None) => "end".to_owned(),
            Poll::Ready(Some(Err(_))) => "!".to_owned(),
            Poll::Ready(Some(Ok(frame))) => {
                frame.data_ref().map_or("t".to_owned(), |data| data.len().to_string())
            }
        });
    }
    out.join(" ")
}

#[test]
fn small_frames_that_are_there_go_on_as_one() {
    use Look::{Broken, Data, Pending, Trailers};
    let many = || (0..300).map(|_| Data(1)).collect::<Vec<_>>();
    let half = || (0..100).map(|_| Data(SMALL - 1)).collect::<Vec<_>>();
    for (looks, grace, out) in [
        (vec![Data(1), Data(2), Data(3)], Grace::Nothing, "6"),
        (vec![Data(1), Pending, Data(2), Data(3)], Grace::Nothing, "1 5"),
        (vec![Data(1), Pending, Data(2), Data(3)], Grace::Turn, "- 6"),
        (vec![Data(1), Pending, Pending, Data(2)], Grace::Turn, "- 1 2"),
        (vec![Pending, Data(1), Pending, Pending, Data(2)], Grace::Turn, "- - 1 2"),
        (vec![Data(SMALL), Data(1), Data(SMALL), Data(1)], Grace::Nothing, "512 1 512 1"),
        (vec![Data(1), Data(1), Trailers], Grace::Nothing, "2 t"),
        (vec![Data(1), Data(1), Broken], Grace::Nothing, "2 !"),
        (vec![Broken], Grace::Turn, "!"),
        (vec![Data(0), Data(0), Data(5)], Grace::Nothing, "5"),
        (many(), Grace::Turn, "128 128 44"),
        (half(), Grace::Nothing, "16863 16863 16863 511"),
    ] {
        assert_eq!(merged(looks, grace), out);
    }
}
