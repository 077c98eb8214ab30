//! Several futures at once.
//!
//! In: futures. Out: what they give, in their order. Never: more of them than a hook may wait for at once, so that
//! each is looked at whenever one is woken.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

enum Slot<F: Future> {
    Waits(Pin<Box<F>>),
    Done(Option<F::Output>),
}

/// Waits for all of them.
pub async fn together<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut slots: Vec<Slot<F>> = all.map(|future| Slot::Waits(Box::pin(future))).collect();
    poll_fn(|cx| {
        let mut waits = false;
        for slot in &mut slots {
            if let Slot::Waits(future) = slot {
                match future.as_mut().poll(cx) {
                    Poll::Ready(output) => *slot = Slot::Done(Some(output)),
                    Poll::Pending => waits = true,
                }
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let output = |slot| match slot {
        Slot::Done(output) => output,
        Slot::Waits(_) => None,
    };
    slots.into_iter().filter_map(output).collect()
}
