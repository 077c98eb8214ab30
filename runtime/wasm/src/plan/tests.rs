//! What is found in components, and which are refused.

use super::*;

fn refused(text: &str) -> Refused {
    let component = wat::parse_str(text).expect("it parses");
    Plan::of(&component).expect_err("it is refused")
}

#[test]
fn a_component_is_its_core_modules_and_what_links_them() {
    let component = wat::parse_str(
        r#"(component
            (import "weir:plugin/request@0.2.0" (instance $request
                (export "method" (func (result string)))))
            (core module $memory (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 8))
            (core instance $memory (instantiate $memory))
            (core func $method (canon lower (func $request "method")
                (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
            (core module $main (import "" "method" (func $method (param i32)))
                (func (export "open") (result i32) (call $method (i32.const 0)) i32.const 0))
            (core instance $main (instantiate $main
                (with "" (instance (export "method" (func $method))))))
            (type $open (func (result (result bool (error string)))))
            (func $open (type $open) (canon lift (core func $main "open") (memory (core memory $memory "memory"))))
            (instance $hook (export "open" (func $open)))
            (export "weir:plugin/request-body-hook@0.2.0" (instance $hook)))"#,
    );
    let component = component.expect("it parses");
    let plan = Plan::of(&component).expect("it is taken apart");
    let memory = |name: &str| Item { instance: 0, name: name.to_owned() };
    assert_eq!(plan.memory, Some(memory("memory")));
    assert_eq!(plan.reallocs, [memory("realloc")]);
    let imports: Vec<_> = plan.imports.iter().map(|it| (&*it.function, &*it.signature)).collect();
    assert_eq!(imports, [("method", "() -> string")]);
    assert_eq!(plan.imports[0].params, [Word::I32]);
    assert_eq!(plan.steps.len(), 2);
    assert_eq!(plan.steps[1].arguments, [Argument::Import(0)]);
    let [open] = &plan.exports[..] else { panic!("{:?}", plan.exports) };
    assert_eq!((&*open.interface, &*open.name), ("weir:plugin/request-body-hook@0.2.0", "open"));
    assert_eq!(open.signature, "() -> result<bool, string>");
    assert_eq!(open.function, Item { instance: 1, name: "open".to_owned() });
    for module in &plan.modules {
        assert!(component[module.clone()].starts_with(b"\0asm"));
    }
}

/// Also where an export is the first to say how its texts are.
#[test]
fn texts_have_the_alignment_of_their_encoding() {
    for (encoding, align) in [("utf8", 1), ("utf16", 2), ("latin1+utf16", 2)] {
        let component = wat::parse_str(format!(
            r#"(component
                (core module $m (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 8)
                    (func (export "configure") (param i32 i32) (result i32) i32.const 0))
                (core instance $i (instantiate $m))
                (type $configure (func (param "config" string) (result (result (error string)))))
                (func $configure (type $configure) (canon lift (core func $i "configure")
                    (memory (core memory $i "memory")) (realloc (core func $i "realloc"))
                    string-encoding={encoding}))
                (instance $lifecycle (export "configure" (func $configure)))
                (export "weir:plugin/lifecycle@0.2.0" (instance $lifecycle)))"#
        ));
        let plan = Plan::of(&component.expect("it parses")).expect("it is taken apart");
        let lifted = plan.exports.first().expect("`configure`");
        assert_eq!((&lifted.params[..], lifted.realloc), (&[Param::Text { align }][..], Some(0)));
    }
}

/// Each type is a pair of the one before: said whole, the last one would take a gigabyte.
#[test]
fn a_type_that_takes_long_to_be_told_is_cut_short() {
    let types = |of: &str| -> String {
        let one =
            |at: usize| format!("(type $t{at} {})", of.replace("$t", &format!("$t{}", at - 1)));
        ["(type $t0 string)".to_owned()].into_iter().chain((1..=18).map(one)).collect()
    };
    let imported = format!(
        r#"(component {}
            (import "weir:plugin/request@0.2.0" (instance $request
                (alias outer 1 $t18 (type $t))
                (export "method" (func (param "a" $t) (result string)))))
            (core module $memory (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 8))
            (core instance $memory (instantiate $memory))
            (core func $method (canon lower (func $request "method")
                (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
            (core module $main (import "" "method" (func (param i32 i32))))
            (core instance (instantiate $main
                (with "" (instance (export "method" (func $method)))))))"#,
        types("(tuple $t $t)")
    );
    let plan = Plan::of(&wat::parse_str(imported).expect("it parses")).expect("it is taken apart");
    let said = plan.imports[0].signature.len();
    assert!((2_000..2_100).contains(&said), "{said}");
    let exported = refused(&format!(
        r#"(component {}
            (core module $m (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 8)
                (func (export "configure") (param i32)))
            (core instance $i (instantiate $m))
            (func $configure (param "config" $t18) (canon lift (core func $i "configure")
                (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
            (instance $lifecycle (export "configure" (func $configure)))
            (export "weir:plugin/lifecycle@0.2.0" (instance $lifecycle)))"#,
        types("(option $t)")
    ));
    assert!(exported.to_string().contains("more than any of the contract"), "{exported}");
}

#[test]
fn what_is_no_component_of_one_plugin_is_refused() {
    let composed = refused(
        r#"(component
            (component $inner
                (core module $m (func (export "f") (result i32) i32.const 1))
                (core instance $i (instantiate $m))
                (func (export "f") (result u32) (canon lift (core func $i "f"))))
            (instance $a (instantiate $inner))
            (core func $f (canon lower (func $a "f")))
            (core module $n (import "" "f" (func (result i32))))
            (core instance (instantiate $n (with "" (instance (export "f" (func $f)))))))"#,
    );
    assert!(composed.to_string().contains("composed"), "{composed}");
    let resource = refused(
        r#"(component
            (type $r (resource (rep i32)))
            (core func $new (canon resource.new $r))
            (core module $n (import "" "new" (func (param i32) (result i32))))
            (core instance (instantiate $n (with "" (instance (export "new" (func $new)))))))"#,
    );
    assert_eq!(resource, Refused::Unusual("it has resources of its own"));
    assert!(matches!(Plan::of(b"\0asm\x0d\0\x01\0\xff"), Err(Refused::Invalid(_))));
}
