//! A number of places, and the most of them that one client may hold while others want some.
//!
//! In: clients that want a place. Out: one, or none, or one in a while. Never: lets a single client
//! have all: a quarter of the places is kept for those that hold less than their share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::client::ClientKey;

/// The places.
#[derive(Debug)]
pub struct Shares {
    /// For everybody.
    open: Arc<Semaphore>,
    /// For clients that hold less than `share`.
    kept: Arc<Semaphore>,
    share: u32,
    /// Who holds how many; as many entries as places at most.
    held: Mutex<Vec<(ClientKey, u32)>>,
}

/// One place; dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    shares: Arc<Shares>,
    client: ClientKey,
    _permit: OwnedSemaphorePermit,
}

impl Shares {
    /// So many places, at least one.
    pub fn new(places: usize) -> Arc<Shares> {
        let kept = places / 4;
        Arc::new(Shares {
            open: Arc::new(Semaphore::new((places - kept).max(1))),
            kept: Arc::new(Semaphore::new(kept)),
            share: u32::try_from(kept).unwrap_or(u32::MAX).max(1),
            held: Mutex::default(),
        })
    }

    /// A place that is free now.
    pub fn try_take(self: &Arc<Self>, client: ClientKey) -> Option<Share> {
        let mut permit = self.open.clone().try_acquire_owned();
        if permit.is_err() && self.holds(client) < self.share {
            permit = self.kept.clone().try_acquire_owned();
        }
        permit.ok().map(|permit| self.hand_out(client, permit))
    }

    /// The next place that becomes free, first come, first served.
    ///
    /// Cancel safe: given up, it leaves its place in the queue to the next.
    pub async fn take(self: &Arc<Self>, client: ClientKey) -> Option<Share> {
        let open = self.open.clone().acquire_owned();
        let permit = if self.holds(client) < self.share {
            tokio::select! {
                permit = open => permit,
                permit = self.kept.clone().acquire_owned() => permit,
            }
        } else {
            open.await
        };
        permit.ok().map(|permit| self.hand_out(client, permit))
    }

    fn hand_out(self: &Arc<Self>, client: ClientKey, permit: OwnedSemaphorePermit) -> Share {
        let mut held = self.held();
        match held.iter_mut().find(|(known, _)| *known == client) {
            Some((_, count)) => *count += 1,
            None => held.push((client, 1)),
        }
        drop(held);
        Share { shares: self.clone(), client, _permit: permit }
    }

    fn holds(&self, client: ClientKey) -> u32 {
        self.held().iter().find(|(known, _)| *known == client).map_or(0, |(_, count)| *count)
    }

    fn held(&self) -> MutexGuard<'_, Vec<(ClientKey, u32)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        let at = held.iter().position(|(known, _)| *known == self.client);
        if let Some(at) = at
            && let Some((_, count)) = held.get_mut(at)
        {
            *count -= 1;
            if *count == 0 {
                held.swap_remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ClientKey, Share, Shares};

    fn as_many(shares: &Arc<Shares>, client: &str) -> Vec<Share> {
        std::iter::from_fn(|| shares.try_take(ClientKey::of(client))).collect()
    }

    #[test]
    fn one_client_leaves_a_quarter_to_others() {
        for (places, greedy, other) in [(1, 1, 0), (3, 3, 0), (4, 3, 1), (16, 12, 4), (64, 48, 16)]
        {
            let shares = Shares::new(places);
            let first = as_many(&shares, "192.0.2.1");
            assert_eq!(first.len(), greedy, "of {places}");
            let second = as_many(&shares, "192.0.2.2");
            assert_eq!(second.len(), other, "of {places}");
            drop((first, second));
            assert!(shares.held().is_empty());
            assert_eq!(as_many(&shares, "192.0.2.3").len(), greedy, "all came back");
        }
    }

    #[test]
    fn many_addresses_of_one_network_are_one_client() {
        let shares = Shares::new(4);
        let of = |last: u16| ClientKey::of(&format!("2001:db8::{last:x}"));
        let first: Vec<_> = (1..100).filter_map(|last| shares.try_take(of(last))).collect();
        assert_eq!(first.len(), 3);
        assert!(shares.try_take(ClientKey::of("2001:db8:0:1::1")).is_some());
    }

    #[tokio::test]
    async fn who_holds_little_waits_for_any_place_and_who_holds_much_for_an_open_one() {
        let shares = Shares::new(4);
        let mut greedy = as_many(&shares, "192.0.2.1");
        let kept = shares.try_take(ClientKey::of("192.0.2.2")).expect("a place is kept");
        let (waits_open, waits_any) = (ClientKey::of("192.0.2.1"), ClientKey::of("192.0.2.3"));
        let mut more = std::pin::pin!(shares.take(waits_open));
        let mut any = std::pin::pin!(shares.take(waits_any));
        assert!(futures_pending(more.as_mut()).await && futures_pending(any.as_mut()).await);
        drop(kept);
        assert!(futures_pending(more.as_mut()).await, "the kept place is not for it");
        let any = any.await.expect("a place");
        greedy.pop();
        assert!(more.await.is_some());
        drop(any);
    }

    async fn futures_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending()))
            .await
    }
}
