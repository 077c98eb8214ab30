//! A call of the same component by wasmtime's own component runtime, for comparison.
//!
//! The same engine settings that matter for a call (no concurrency support, epoch interruption,
//! pooling allocator), a header map in the store, and the three host functions that are called.

use http::{HeaderMap, HeaderName, HeaderValue};
use wasmtime::component::{Component, ComponentType, Lift, Linker, Lower, TypedFunc};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

/// One warm instance.
pub struct Bare {
    store: Store<State>,
    on_request: TypedFunc<(), (Result<Verdict, String>,)>,
    /// Put into the store for each call and taken out again.
    pub headers: Option<HeaderMap>,
}

struct State {
    headers: HeaderMap,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum HeaderError {
    #[component(name = "invalid-syntax")]
    InvalidSyntax,
    #[component(name = "forbidden")]
    Forbidden,
    #[component(name = "size-exceeded")]
    SizeExceeded,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Reply {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    #[component(name = "delay-millis")]
    delay_millis: u32,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum Verdict {
    #[component(name = "forward")]
    Forward,
    #[component(name = "respond")]
    Respond(Reply),
}

impl Bare {
    /// Instantiates and configures the component.
    pub fn new(component: &[u8]) -> Bare {
        let mut config = Config::new();
        config.concurrency_support(false);
        config.epoch_interruption(true);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(
            PoolingAllocationConfig::default(),
        ));
        let engine = Engine::new(&config).expect("an engine");
        let component = Component::new(&engine, component).expect("a component");
        let mut linker = Linker::<State>::new(&engine);
        let mut request = linker.instance("weir:plugin/request@0.2.0").expect("the interface");
        request
            .func_wrap("field-line", |store, (name,): (String,)| {
                let value = store.data().headers.get(&name);
                Ok((value.map(|value| value.as_bytes().to_vec()),))
            })
            .expect("defined");
        let changes = linker.instance("weir:plugin/request-changes@0.2.0");
        let mut changes = changes.expect("the interface");
        changes
            .func_wrap("set-field", |mut store, (name, value): (String, Vec<u8>)| {
                let name = HeaderName::try_from(name).map_err(wasmtime::Error::new)?;
                let value = HeaderValue::try_from(value).map_err(wasmtime::Error::new)?;
                store.data_mut().headers.insert(name, value);
                Ok((Ok::<(), HeaderError>(()),))
            })
            .expect("defined");
        linker.define_unknown_imports_as_traps(&component).expect("the rest is never called");
        let mut store = Store::new(&engine, State { headers: HeaderMap::new() });
        store.set_epoch_deadline(1_000_000);
        let instance = linker.instantiate(&mut store, &component).expect("an instance");
        let lifecycle = component
            .get_export_index(None, "weir:plugin/lifecycle@0.2.0")
            .and_then(|at| component.get_export_index(Some(&at), "configure"))
            .expect("a lifecycle");
        let configure: TypedFunc<(String,), (Result<(), String>,)> =
            instance.get_typed_func(&mut store, lifecycle).expect("configure");
        let configured = configure.call(&mut store, ("{}".into(),)).expect("configured");
        configured.0.expect("taken");
        let hook = component
            .get_export_index(None, "weir:plugin/request-hook@0.2.0")
            .and_then(|at| component.get_export_index(Some(&at), "on-request"))
            .expect("a request hook");
        let on_request = instance.get_typed_func(&mut store, hook).expect("on-request");
        Bare { store, on_request, headers: None }
    }

    /// One call.
    pub fn on_request(&mut self) {
        self.store.data_mut().headers = self.headers.take().unwrap_or_default();
        let called = self.on_request.call(&mut self.store, ());
        let (verdict,) = called.expect("no trap");
        assert!(matches!(verdict, Ok(Verdict::Forward)));
        self.headers = Some(std::mem::take(&mut self.store.data_mut().headers));
    }
}
