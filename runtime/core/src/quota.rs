//! What a plugin holds in the host: one account for each plugin, over its instances, all workers
//! and reloads.
//!
//! In: bytes about to be kept for a plugin, what for, and for which client. Out: that they may be
//! kept, or that its quota is used up. Never: keeps anything itself, counts a guest's own memory, which
//! `limits.memory` bounds, or lets one client's exchanges hold all that there is.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_bounds::quota::{OWN_PART, client_share};

use crate::client::ClientKey;

/// What bytes are kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holding {
    /// Buckets and in-flight counts of the limiter.
    Limiter,
    /// Entries of the store.
    Store,
    /// Series of the plugin's own metrics, by what they add to a scrape.
    Metrics,
    /// Bodies of messages that it read or wrote.
    Bodies,
    /// Replies that are not sent yet.
    Replies,
    /// Lines of standard output and error that have no end yet.
    Output,
}

/// The bytes of one plugin.
#[derive(Debug, Default)]
pub struct Account {
    total: AtomicUsize,
    held: [AtomicUsize; Holding::ALL.len()],
    refused: [AtomicU64; Holding::ALL.len()],
    /// Of what exchanges hold, each client's part.
    clients: Mutex<HashMap<ClientKey, usize>>,
}

/// An account, and how much may be on it by the configuration at hand.
#[derive(Debug, Clone)]
pub struct Quota {
    account: Arc<Account>,
    /// Bytes.
    limit: usize,
}

/// Who is asked for room: a quota alone, or one with something to give up for it.
pub trait Payer {
    /// Counts bytes until they are released. False: they would be too many, and were not counted.
    #[must_use]
    fn charge(&self, holding: Holding, bytes: usize) -> bool;
    /// Bytes that were charged are there no more.
    fn release(&self, holding: Holding, bytes: usize);
    /// Counts a refusal, and says why.
    fn refuse(&self, holding: Holding, wanted: usize) -> UsedUp;
}

/// Bytes that count for as long as this lives.
#[derive(Debug)]
pub struct Held {
    account: Arc<Account>,
    holding: Holding,
    bytes: usize,
    /// Whose exchange it is for; none where that is not known, or no matter.
    client: Option<ClientKey>,
}

/// Nothing more may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedUp {
    limit: usize,
    /// What of it is kept for limiter and store.
    kept: usize,
    /// What one client's exchanges hold, where that is the reason.
    by_client: Option<usize>,
    wanted: usize,
    holding: Holding,
    held: [usize; Holding::ALL.len()],
}

impl Holding {
    pub const ALL: [Holding; Holding::Output as usize + 1] = [
        Holding::Limiter,
        Holding::Store,
        Holding::Metrics,
        Holding::Bodies,
        Holding::Replies,
        Holding::Output,
    ];

    /// What outlives exchanges and tells of those who sent them.
    const LASTING: [Holding; 2] = [Holding::Limiter, Holding::Store];

    /// The label of metrics, and the word of messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Holding::Limiter => "limiter",
            Holding::Store => "store",
            Holding::Metrics => "metrics",
            Holding::Bodies => "bodies",
            Holding::Replies => "replies",
            Holding::Output => "output",
        }
    }
}

impl Account {
    /// Bytes held now.
    pub fn held(&self, holding: Holding) -> usize {
        self.held.get(holding as usize).map_or(0, |cell| cell.load(Relaxed))
    }

    /// How often something was not kept.
    pub fn refused(&self, holding: Holding) -> u64 {
        self.refused.get(holding as usize).map_or(0, |cell| cell.load(Relaxed))
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<ClientKey, usize>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, holding: Holding, bytes: usize) {
        self.total.fetch_sub(bytes, Relaxed);
        if let Some(cell) = self.held.get(holding as usize) {
            cell.fetch_sub(bytes, Relaxed);
        }
    }
}

impl Quota {
    pub fn new(account: Arc<Account>, limit: usize) -> Quota {
        Quota { account, limit }
    }

    /// Bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The most there may be with something of this kind added.
    pub fn most(&self, holding: Holding) -> usize {
        self.limit - self.kept_from(holding)
    }

    /// By how many bytes so many more would be too many.
    pub fn lacking(&self, holding: Holding, bytes: usize) -> usize {
        let sum = self.account.total.load(Relaxed).saturating_add(bytes);
        sum.saturating_sub(self.most(holding))
    }

    /// Bytes held of a kind.
    pub fn held(&self, holding: Holding) -> usize {
        self.account.held(holding)
    }

    /// What of the limiter or the store may give way to others.
    pub fn spare(&self, holding: Holding) -> usize {
        self.held(holding).saturating_sub(self.own())
    }

    /// Whether the exchanges of a client may hold so many bytes more, were there room.
    pub fn is_within_share(&self, bytes: usize, client: &str) -> bool {
        let held = |client| self.account.clients().get(&client).copied().unwrap_or(0);
        whose(client).is_none_or(|client| held(client).saturating_add(bytes) <= self.share())
    }

    /// What the exchanges of one client may hold together: a quarter of what there is for exchanges
    /// is left to the others.
    fn share(&self) -> usize {
        client_share(self.limit)
    }

    /// What limiter and store have to themselves, each of them: what a flood of bodies, or of the
    /// other's keys, can take from neither. It is the rates and bans that are to stop the flood.
    fn own(&self) -> usize {
        self.limit / OWN_PART
    }

    /// The part of that which is not used yet, but for `holding`'s own.
    fn kept_from(&self, holding: Holding) -> usize {
        let others = Holding::LASTING.iter().filter(|lasting| **lasting != holding);
        others.map(|lasting| self.own().saturating_sub(self.held(*lasting))).sum()
    }

    /// Counts bytes as long as what is given back lives. `client` is an address; one that is none, as
    /// that of a Unix socket's peer, is nobody in particular.
    pub fn hold(&self, holding: Holding, bytes: usize, client: &str) -> Option<Held> {
        let client = whose(client);
        let held = || Held { account: self.account.clone(), holding, bytes, client };
        let Some(client) = client else {
            return self.charge(holding, bytes).then(held);
        };
        let mut clients = self.account.clients();
        let all = clients.get(&client).copied().unwrap_or(0).checked_add(bytes)?;
        if all > self.share() || !self.charge(holding, bytes) {
            return None;
        }
        clients.insert(client, all);
        Some(held())
    }

    /// Counts a refusal of [`hold`](Quota::hold), and says why.
    pub fn refuse_client(&self, holding: Holding, wanted: usize, client: &str) -> UsedUp {
        let held = |client| self.account.clients().get(&client).copied().unwrap_or(0);
        let by_client = whose(client).map(held);
        let by_client = by_client.filter(|held| held.saturating_add(wanted) > self.share());
        UsedUp { by_client, ..self.refuse(holding, wanted) }
    }
}

/// Who shares what one client may hold.
fn whose(client: &str) -> Option<ClientKey> {
    Some(ClientKey::of(client)).filter(|key| *key != ClientKey::Unnamed)
}

impl Payer for Quota {
    fn charge(&self, holding: Holding, bytes: usize) -> bool {
        let most = self.most(holding);
        let more = |total: usize| total.checked_add(bytes).filter(|sum| *sum <= most);
        let fits = self.account.total.fetch_update(Relaxed, Relaxed, more).is_ok();
        if let (true, Some(cell)) = (fits, self.account.held.get(holding as usize)) {
            cell.fetch_add(bytes, Relaxed);
        }
        fits
    }

    fn release(&self, holding: Holding, bytes: usize) {
        self.account.release(holding, bytes);
    }

    fn refuse(&self, holding: Holding, wanted: usize) -> UsedUp {
        if let Some(cell) = self.account.refused.get(holding as usize) {
            cell.fetch_add(1, Relaxed);
        }
        let held = Holding::ALL.map(|holding| self.account.held(holding));
        let kept = self.kept_from(holding);
        UsedUp { limit: self.limit, kept, by_client: None, wanted, holding, held }
    }
}

impl Held {
    /// Counts as much more as `more` says.
    pub fn absorb(&mut self, mut more: Held) {
        self.bytes += std::mem::take(&mut more.bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(client) = &self.client {
            let mut clients = self.account.clients();
            let left = clients.get(client).map_or(0, |held| held.saturating_sub(self.bytes));
            if left == 0 {
                clients.remove(client);
            } else {
                clients.insert(*client, left);
            }
        }
        self.account.release(self.holding, self.bytes);
    }
}

impl fmt::Display for UsedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UsedUp { limit, kept, by_client, wanted, holding, held } = self;
        let holding = holding.as_str();
        if let Some(by_client) = by_client {
            return write!(
                f,
                "`limits.quota` of {limit} is not for one client alone: {wanted} bytes more for \
                 {holding}, and {by_client} are held for its exchanges"
            );
        }
        write!(f, "`limits.quota` is used up: {wanted} bytes more for {holding} exceed {limit}")?;
        if *kept > 0 {
            write!(f, ", of which {kept} are kept for limiter and store")?;
        }
        let mut before = "; held are ";
        for (holding, bytes) in Holding::ALL.iter().zip(held).filter(|(_, bytes)| **bytes > 0) {
            write!(f, "{before}{bytes} for {}", holding.as_str())?;
            before = ", ";
        }
        Ok(())
    }
}

impl std::error::Error for UsedUp {}

#[cfg(test)]
mod tests;
