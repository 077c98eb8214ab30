//! What a hook call costs: Weir's own path beside a bare call of the same component.
//!
//! Both call `on-request` of `benches/guests/trivial` on a warm instance: two header reads and one
//! header write. `bare` is wasmtime with the least state that can answer those calls: a header map
//! in the store. `weir` is what a request pays: `Middleware::on_request`, with epoch deadline,
//! metrics, and the exchange moved in and out. Further: a chain of 1, 2, 4 and 8, and one of
//! plugins without a request hook; and an exchange, with both hooks, whose instance is the worker's and one
//! whose instances are its own (`isolation = "request"`).

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use weir_benches::{bare::Bare, chain, exchange, host, trivial};
use weir_core::config::Isolation;

fn one_call(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hook");
    let mut bare = Bare::new(&trivial());
    bare.headers = Some(exchange().request.headers);
    group.bench_function("bare", |bench| bench.iter(|| bare.on_request()));
    let host = host();
    let member = chain::member(&host);
    let mut kept = Some(exchange());
    group.bench_function("weir", |bench| {
        bench.iter(|| {
            let exchange = kept.take().expect("the exchange came back");
            kept = Some(chain::on_request(&*member, exchange));
        });
    });
    group.finish();
}

fn chains(criterion: &mut Criterion) {
    let host = host();
    let member = chain::member(&host);
    let mut group = criterion.benchmark_group("chain");
    for length in [0, 1, 2, 4, 8] {
        let chain = chain::of(&member, length);
        let mut kept = Some(exchange());
        group.bench_function(BenchmarkId::from_parameter(length), |bench| {
            bench.iter(|| {
                let exchange = kept.take().expect("the exchange came back");
                kept = Some(chain::run(&chain, exchange));
            });
        });
    }
    group.finish();
}

fn isolated(criterion: &mut Criterion) {
    let host = host();
    let mut group = criterion.benchmark_group("exchange");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for (name, isolation) in [("worker", Isolation::Worker), ("request", Isolation::Request)] {
        let member = chain::member_of(&host, isolation);
        let mut kept = Some(exchange());
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let exchange = kept.take().expect("the exchange came back");
                kept = Some(runtime.block_on(chain::both_hooks(&*member, exchange)));
            });
        });
    }
    group.finish();
}

criterion_group!(hook, one_call, chains, isolated);
criterion_main!(hook);
