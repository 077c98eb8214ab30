//! A connection that is driven to its end.
//!
//! In: the codec's connection, what it does, and what is asked of it. Out: how it ended. Never: lets it
//! begin more than there is room for; gives up a head that is on its way because it is to finish.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use weir_core::turn;

use super::connections::Control;
use crate::net::{Activity, Closed};

pin_project! {
    /// Told once to finish when that is asked for and no head is on its way. Once it is overdue its reads
    /// end, and what does not end by that is dropped.
    pub struct Driven<C, R, F> {
        #[pin]
        connection: C,
        has_room: R,
        finish: F,
        overdue: Closed,
        activity: Arc<Activity>,
        control: Rc<Control>,
        told: bool,
    }
}

impl<C, R, F> Driven<C, R, F>
where
    R: Fn(&Context<'_>) -> bool,
    F: Fn(Pin<&mut C>),
{
    /// `has_room`: whether it may begin more; it is woken when it may. `finish`: tells it that this is to
    /// be all.
    pub fn new(
        connection: C,
        activity: Arc<Activity>,
        control: Rc<Control>,
        has_room: R,
        finish: F,
    ) -> Driven<C, R, F> {
        let overdue = activity.closed();
        Driven { connection, has_room, finish, overdue, activity, control, told: false }
    }
}

impl<C, R, F, E> Future for Driven<C, R, F>
where
    C: Future<Output = Result<(), E>>,
    R: Fn(&Context<'_>) -> bool,
    F: Fn(Pin<&mut C>),
{
    type Output = Result<(), E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if (this.has_room)(cx)
                && let Poll::Ready(ended) = this.connection.as_mut().poll(cx)
            {
                return Poll::Ready(ended);
            }
            if Pin::new(&mut *this.overdue).poll(cx).is_ready() {
                (this.finish)(this.connection.as_mut());
                // Its last words, however long its turn was.
                let _ = turn::unmeasured(|| this.connection.as_mut().poll(cx));
                return Poll::Ready(Ok(()));
            }
            // Of a head that is not complete hyper knows nothing and would close upon it.
            let finishes = this.control.is_finishing(cx) && !this.activity.is_in_head();
            if *this.told || !finishes {
                return Poll::Pending;
            }
            *this.told = true;
            (this.finish)(this.connection.as_mut());
        }
    }
}
