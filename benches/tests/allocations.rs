//! What a hook call allocates on the host's side: what the values of the contract need, no more.
//!
//! The trivial plugin reads two fields and writes one. A warm instance needs nothing else, however
//! long the chain is.

use allocation_counter::measure;
use weir_benches::{bare::Bare, chain, exchange, host, trivial};

/// Name and value written are copied out of the guest; what is read is copied into it.
const VALUES: u64 = 2;
/// Calls before counting, so that buffers have their size.
const WARM: usize = 10;

#[test]
fn a_hook_call_allocates_what_its_values_need() {
    let host = host();
    let member = chain::member(&host);
    for length in [0, 1, 2, 8] {
        let chain = chain::of(&member, length);
        let mut kept = Some(exchange());
        let mut call = || kept = kept.take().map(|exchange| chain::run(&chain, exchange));
        for _ in 0..WARM {
            call();
        }
        let counted = measure(call).count_total;
        assert_eq!(counted, VALUES * length as u64, "a chain of {length}");
    }
}

#[test]
fn a_bare_call_allocates_no_less() {
    let mut bare = Bare::new(&trivial());
    bare.headers = Some(exchange().request.headers);
    for _ in 0..WARM {
        bare.on_request();
    }
    let counted = measure(|| bare.on_request()).count_total;
    assert!(counted >= VALUES, "{counted}");
}
