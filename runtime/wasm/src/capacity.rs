//! How many instances there may be in this process, and who may make one more.
//!
//! In: instances about to be made, for which plugin and client. Out: a [`Seat`] each, or that there is
//! none. Never: lets requests take what the next reload needs, for a reload that finds nothing free
//! could not replace the configuration that has used it up; lets one plugin take what others have to
//! themselves, or one client what is there for all.
//!
//! A seat stands for what the pooling allocator has for one usual instance. One that consists of more
//! takes several: its [weight](super::component::weight).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_core::client::{ClientKey, share_of};

/// The seats of the process's engine.
#[derive(Debug, Clone)]
pub struct Capacity(Arc<Seats>);

#[derive(Debug)]
struct Seats {
    total: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// How many seats only a reload may take.
    reserved: usize,
    /// Plugins that are configured, and those that still have instances.
    plugins: HashMap<Arc<str>, Part>,
    /// For instances that were made for a client and serve it still.
    clients: HashMap<ClientKey, usize>,
}

/// A plugin's seats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Part {
    /// What it has to itself, one instance on each worker; 0 where it is configured no more.
    own: usize,
    /// Taken by the instances that the control side made.
    control: usize,
    /// Taken by those that calls made.
    requests: usize,
}

/// Some seats; dropping it gives them back.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    plugin: Arc<str>,
    weight: usize,
    purpose: Purpose,
}

/// A client for whom an instance was made that serves it; dropping it ends that.
#[derive(Debug)]
pub struct MadeFor {
    seats: Arc<Seats>,
    client: ClientKey,
    weight: usize,
}

/// What an instance is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A start, a reload, `check`.
    Control,
    /// A call that found no instance idle.
    Request,
}

impl Capacity {
    /// Of `total` seats.
    pub fn new(total: usize) -> Capacity {
        let taken = Mutex::new(Taken { reserved: total / 4, ..Taken::default() });
        Capacity(Arc::new(Seats { total, taken }))
    }

    /// How many seats there are.
    pub fn total(&self) -> usize {
        self.0.total
    }

    /// What serves are these plugins, each with the seats of one instance for each worker. As many
    /// more stay free for the reload that replaces all of them, and a quarter of all at least.
    pub fn configure(&self, plugins: impl IntoIterator<Item = (Arc<str>, usize)>) {
        let total = self.0.total;
        let mut taken = self.0.taken();
        taken.plugins.values_mut().for_each(|part| part.own = 0);
        for (plugin, own) in plugins {
            taken.plugins.entry(plugin).or_default().own = own;
        }
        taken.plugins.retain(|_, part| *part != Part::default());
        taken.reserved = taken.own().max(total / 4).min(total);
    }

    /// Seats for an instance, unless those are taken that `purpose` may take.
    pub fn take(&self, purpose: Purpose, plugin: &Arc<str>, weight: usize) -> Option<Seat> {
        let mut taken = self.0.taken();
        if !taken.admits(purpose, plugin, weight, self.0.total) {
            return None;
        }
        let part = taken.plugins.entry(plugin.clone()).or_default();
        *part.of(purpose) += weight;
        Some(Seat { seats: self.0.clone(), plugin: plugin.clone(), weight, purpose })
    }

    /// An instance is to be made for a client. `None`: of what calls may take, too much was made for
    /// this one already.
    pub fn admit(&self, client: ClientKey, weight: usize) -> Option<MadeFor> {
        let mut taken = self.0.taken();
        let most = share_of(self.0.total - taken.reserved);
        let held = taken.clients.entry(client).or_default();
        // The first is always welcome, whatever its weight; and nobody in particular may be many.
        if client != ClientKey::Unnamed && *held > 0 && *held + weight > most {
            return None;
        }
        *held += weight;
        Some(MadeFor { seats: self.0.clone(), client, weight })
    }
}

impl Seats {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Half of what calls may take beside the plugins' own seats is divided among the plugins, and
    /// nobody else takes it; the other half is for who comes first.
    fn admits(&self, purpose: Purpose, plugin: &str, weight: usize, total: usize) -> bool {
        let all: usize = self.plugins.values().map(|part| part.control + part.requests).sum();
        if all + weight > total {
            return false;
        }
        if purpose == Purpose::Control {
            return true;
        }
        let beside = self.plugins.get(plugin).copied().unwrap_or_default().beside(weight);
        if beside == 0 {
            return true;
        }
        let room = total.saturating_sub(self.reserved + self.own());
        let configured = self.plugins.values().filter(|part| part.own > 0).count();
        let share = room / 2 / configured.max(1);
        let others = self.plugins.iter().filter(|(name, _)| ***name != *plugin);
        let others = others.map(|(_, part)| {
            let promised = if part.own > 0 { share } else { 0 };
            part.beside(0).max(promised)
        });
        beside + others.sum::<usize>() <= room
    }

    fn own(&self) -> usize {
        self.plugins.values().map(|part| part.own).sum()
    }
}

impl Part {
    /// What its calls take beside its own seats, with so many more.
    fn beside(&self, more: usize) -> usize {
        (self.requests + more).saturating_sub(self.own.saturating_sub(self.control))
    }

    fn of(&mut self, purpose: Purpose) -> &mut usize {
        match purpose {
            Purpose::Control => &mut self.control,
            Purpose::Request => &mut self.requests,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        let Some(part) = taken.plugins.get_mut(&self.plugin) else { return };
        *part.of(self.purpose) -= self.weight;
        if *part == Part::default() {
            taken.plugins.remove(&self.plugin);
        }
    }
}

impl Drop for MadeFor {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        let Some(held) = taken.clients.get_mut(&self.client) else { return };
        *held -= self.weight;
        if *held == 0 {
            taken.clients.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests;
