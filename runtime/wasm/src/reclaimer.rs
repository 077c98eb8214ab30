//! Gives back what instances that serve no more have taken, off the workers.
//!
//! In: such instances, each with the place that it has among its plugin's. Out: their memory, to the
//! system. Never: lets a worker stand still for the pages of a large one (16 MiB take it three turns, a
//! password's hash 64); gives a place to the next call while its memory is still taken.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

use weir_core::shares::Share;
use weir_core::threads;

use super::instance::Instance;

/// Bytes of memory that take as long as a turn. Of what has less its worker keeps the slot warm for the
/// next one, and to wake a thread would cost more than it spares.
const LARGE: usize = 4 << 20;

/// The thread that does it; it ends once this is dropped and all is given back. As many wait for it as
/// there can be instances.
#[derive(Debug)]
pub struct Reclaimer {
    ended: Sender<Ended>,
}

/// Dropped in this order.
struct Ended {
    _instance: Box<Instance>,
    _place: Option<Share>,
}

impl Reclaimer {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives none.
    pub fn start() -> io::Result<Reclaimer> {
        let (ended, all) = channel();
        let runs = move || reclaim(&all);
        threads::spawn("weir-reclaim", "gives back the memory of plugins", runs)?;
        Ok(Reclaimer { ended })
    }

    /// Drops an instance, and then its place.
    pub fn take(&self, instance: Box<Instance>, place: Option<Share>) {
        let is_large = instance.memory_used() >= LARGE;
        let ended = Ended { _instance: instance, _place: place };
        if is_large {
            // What the thread does not take any more is dropped here.
            let _ = self.ended.send(ended);
        }
    }
}

fn reclaim(all: &Receiver<Ended>) {
    all.iter().for_each(drop);
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;
    use weir_core::clock;

    use weir_core::client::ClientKey;
    use weir_core::shares::Shares;

    use super::super::deadline::thread_time;
    use super::super::tests::guest::configured;
    use super::super::tests::{host, load};
    use super::*;

    /// Takes 32 MiB when it is configured.
    fn large() -> Vec<u8> {
        configured(
            "export weir:plugin/request-hook@0.2.0;",
            r#"(func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32) (i32.const 256))"#,
            "(drop (memory.grow (i32.const 520)))
             (memory.fill (i32.const 65536) (i32.const 1) (i32.const 33554432))
             (i32.const 128)",
        )
    }

    #[test]
    fn a_large_instance_is_given_back_by_another_thread_and_its_place_then() {
        let host = host();
        let plugin = load(&host, &large(), |plugin| plugin.limits.memory = 64 << 20);
        let made = || plugin.prepare().expect("an instance").0;
        let cost = |of: &dyn Fn(Box<Instance>), instance| {
            let before = thread_time();
            of(instance);
            thread_time().saturating_sub(before)
        };
        let here = cost(&drop, made());
        let client = ClientKey::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        let places = Shares::new(1, 0);
        let place = || places.try_take(client);
        let sent = cost(&|large| plugin.reclaimer.take(large, place()), made());
        assert!(sent * 4 < here, "{sent:?} here, where it takes {here:?}");
        let since = clock::now();
        while place().is_none() {
            assert!(clock::since(since) < Duration::from_secs(60), "its place is never free");
            std::thread::yield_now();
        }
    }
}
