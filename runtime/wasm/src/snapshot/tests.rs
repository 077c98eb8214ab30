//! Instances that begin as another was: they do what it would have done, and remember nothing else.

use std::rc::Rc;

use weir_core::chain::Middleware;
use weir_core::config::Isolation;

use super::differing;
use crate::LoadedPlugin;
use crate::tests::guest::configured;
use crate::tests::{at_once, exchange, host, load, member};

const WORLD: &str =
    "import weir:plugin/request-changes@0.2.0;\n export weir:plugin/request-hook@0.2.0;";

/// A guest that counts in a global, in its memory, and in memory that it had to ask for: `x-test` tells all, and how
/// often it was started. It begins to count where `configure` says.
fn counting(more: &str) -> Vec<u8> {
    let count = |at: u32| {
        format!(
            "(i32.store8 (i32.const {at}) (i32.add (i32.load8_u (i32.const {at})) (i32.const 1)))"
        )
    };
    let tell = |at: u32, from: &str| {
        format!("(i32.store8 (i32.const {at}) (i32.add (i32.const 48) {from}))")
    };
    let core = format!(
        r#"
        (import "weir:plugin/request-changes@0.2.0" "set-field" (func $set (param i32 i32 i32 i32 i32)))
        (global $kept (mut i32) (i32.const 0))
        (data (i32.const 512) "x-test")
        (func $begin {begin})
        (start $begin)
        {more}
        (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
            (global.set $kept (i32.add (global.get $kept) (i32.const 1)))
            {in_memory} {behind}
            {a} {b} {c} {d}
            (call $set (i32.const 512) (i32.const 6) (i32.const 528) (i32.const 4) (i32.const 600))
            (i32.const 256))"#,
        begin = count(5000),
        in_memory = count(6000),
        behind = count(70_000),
        a = tell(528, "(global.get $kept)"),
        b = tell(529, "(i32.load8_u (i32.const 6000))"),
        c = tell(530, "(i32.load8_u (i32.const 70000))"),
        d = tell(531, "(i32.load8_u (i32.const 5000))"),
    );
    let configure = "(global.set $kept (i32.const 2)) (i32.store8 (i32.const 6000) (i32.const 4))
        (drop (memory.grow (i32.const 1))) (i32.store8 (i32.const 70000) (i32.const 6))
        (i32.const 128)";
    configured(WORLD, &core, configure)
}

fn told(member: &Rc<dyn Middleware>) -> String {
    let (exchange, outcome) = at_once(member.on_request(exchange(&[])));
    outcome.expect("it is forwarded");
    exchange.request.headers["x-test"].to_str().expect("text").to_owned()
}

fn is_kept(plugin: &LoadedPlugin) -> bool {
    plugin.template.snapshot.is_some()
}

#[test]
fn an_instance_of_an_exchange_remembers_what_was_configured_and_nothing_else() {
    let host = host();
    let plugin = load(&host, &counting(""), |plugin| plugin.isolation = Isolation::Request);
    assert!(is_kept(&plugin));
    let member = member(&plugin);
    for _ in 0..5 {
        assert_eq!(told(&member), "3571");
    }
    let other = plugin.member(None, &weir_core::outbound::nobody());
    assert_eq!(told(&other), "3571");
}

#[test]
fn further_instances_of_a_worker_begin_as_the_first_did() {
    let host = host();
    let plugin = load(&host, &counting(""), |_| ());
    let all =
        [member(&plugin), member(&plugin), plugin.member(None, &weir_core::outbound::nobody())];
    for told_by_all in ["3571", "4681", "5791"] {
        assert!(all.iter().all(|member| told(member) == told_by_all));
    }
}

/// Each by itself. What cannot be set back is configured anew.
#[test]
fn a_guest_whose_state_is_elsewhere_too_is_not_set_back() {
    let host = host();
    for more in [
        "(table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))",
        "(table 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 1))))",
        "(table 1 funcref) (func (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1)))",
        "(table 1 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 1)))",
        "(table 1 funcref) (elem $e func) (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(elem $e func) (func (elem.drop $e))",
        "(data $d \"a\") (func (data.drop $d))",
        "(global (mut funcref) (ref.null func))",
    ] {
        let guest = counting(more);
        let plugin = load(&host, &guest, |plugin| plugin.isolation = Isolation::Request);
        assert!(!is_kept(&plugin), "{more}");
        let member = plugin.member(None, &weir_core::outbound::nobody());
        for _ in 0..2 {
            let (exchange, outcome) = crate::tests::wait(member.on_request(exchange(&[])));
            outcome.unwrap_or_else(|failure| panic!("{more}: {failure:?}"));
            assert_eq!(exchange.request.headers["x-test"], "3571", "{more}");
        }
    }
    // What only reads them can.
    let reads = "(table 1 funcref) (elem (i32.const 0) func $begin) (data $d \"a\") (global funcref (ref.null func))
        (func (drop (table.get 0 (i32.const 0))) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)))";
    assert!(is_kept(&load(&host, &counting(reads), |_| ())));
}

/// It would take longer than a turn to write.
#[test]
fn what_is_too_large_is_configured_anew() {
    let host = host();
    for (pages, kept) in [(15, true), (17, false)] {
        let fill = format!(
            "(drop (memory.grow (i32.const {pages})))
             (memory.fill (i32.const 65536) (i32.const 7) (i32.const {}))
             (i32.const 128)",
            pages * 65536
        );
        let core = r#"(func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
            (i32.store8 (i32.const 256) (i32.const 0)) (i32.const 256))"#;
        let guest = configured("export weir:plugin/request-hook@0.2.0;", core, &fill);
        let plugin = load(&host, &guest, |plugin| plugin.limits.memory = 4 << 20);
        assert_eq!(is_kept(&plugin), kept, "{pages} pages");
        // One beyond the first.
        let _first = plugin.prepare().expect("an instance");
        let second = plugin.prepare().expect("an instance");
        assert_eq!(second.0.memory_used(), (1 + pages) << 16);
    }
}

#[test]
fn differences_are_found_by_page() {
    let was = vec![0; 3 * 4096];
    let mut is = vec![0; 4 * 4096];
    let found = |is: &[u8]| differing(is, &was).collect::<Vec<_>>();
    assert!(found(&is).is_empty());
    is[4095] = 1;
    is[4096] = 1;
    is[5000] = 1;
    is[4 * 4096 - 1] = 1;
    assert_eq!(found(&is), [4095..4096, 4096..5001, 4 * 4096 - 1..4 * 4096]);
}
