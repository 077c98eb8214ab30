//! Everything one configuration is made into, before any worker sees it.
//!
//! In: parts that were built and belong to each other. Out: what each worker makes its snapshot from.
//! Never: changes.

use std::sync::Arc;

use weir_core::config::Config;
use weir_core::router::Router;
use weir_wasm::LoadedPlugin;

use crate::tls::ServerTls;
use crate::upstream::Cluster;

/// One configuration, built.
pub struct Built {
    /// 1 is the first of this process.
    pub generation: u64,
    pub config: Arc<Config>,
    /// In the order of `config.listeners`: the router, and the routes its places stand for.
    pub routers: Vec<(Arc<Router>, Arc<[usize]>)>,
    /// In the order of `config.upstreams`; which endpoints they have is told apart from this.
    pub clusters: Vec<Arc<Cluster>>,
    /// In the order of `config.plugins`.
    pub plugins: Vec<Arc<LoadedPlugin>>,
    /// In the order of `config.listeners`.
    pub tls: Vec<Option<ServerTls>>,
    /// The number of each listener, in the order of `config.listeners`.
    pub numbers: Vec<usize>,
}
