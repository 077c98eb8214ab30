//! What `wit-bindgen` makes of the contract in `wit/`: the imports once, and one module for each
//! exported interface, so that a plugin exports only the hooks it has.
//!
//! Compiled on every target for its types; its functions work inside a sandbox only.

#![allow(missing_docs, clippy::all, reason = "generated")]

/// What a plugin may import. What it does not call is dropped when it is linked.
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: r#"
            package weir:sdk;
            world imports {
                import weir:plugin/request@0.2.0;
                import weir:plugin/request-changes@0.2.0;
                import weir:plugin/request-body@0.2.0;
                import weir:plugin/client@0.2.0;
                import weir:plugin/attributes@0.2.0;
                import weir:plugin/response@0.2.0;
                import weir:plugin/response-changes@0.2.0;
                import weir:plugin/response-body@0.2.0;
                import weir:plugin/limiter@0.2.0;
                import weir:plugin/store@0.2.0;
                import weir:plugin/outbound@0.2.0;
                import wasi:cli/environment@0.2.0;
                import wasi:random/random@0.2.0;
            }
            package wasi:cli@0.2.0 {
                interface environment {
                    get-environment: func() -> list<tuple<string, string>>;
                    get-arguments: func() -> list<string>;
                    initial-cwd: func() -> option<string>;
                }
            }
            package wasi:random@0.2.0 {
                interface random {
                    get-random-bytes: func(len: u64) -> list<u8>;
                    get-random-u64: func() -> u64;
                }
            }
        "#,
        world: "weir:sdk/imports",
        runtime_path: "::weir_sdk::wit_bindgen::rt",
        generate_all,
        generate_unused_types: true,
    });
}

/// The imports that take pairs of strings: these are borrowed, not copied.
pub mod records {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: r#"
            package weir:sdk;
            world records {
                import weir:plugin/log@0.2.0;
                import weir:plugin/metrics@0.2.0;
            }
        "#,
        world: "weir:sdk/records",
        ownership: Borrowing { duplicate_if_necessary: false },
        runtime_path: "::weir_sdk::wit_bindgen::rt",
        generate_all,
    });
}

pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk; world lifecycle { export weir:plugin/lifecycle@0.2.0; }",
        world: "weir:sdk/lifecycle",
        runtime_path: "::weir_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::weir_sdk::bindings::lifecycle",
    });
}

pub mod request_hook {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk; world request-hook { export weir:plugin/request-hook@0.2.0; }",
        world: "weir:sdk/request-hook",
        runtime_path: "::weir_sdk::wit_bindgen::rt",
        with: { "weir:plugin/types@0.2.0": crate::bindings::imports::weir::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::weir_sdk::bindings::request_hook",
    });
}

pub mod response_hook {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk; world response-hook { export weir:plugin/response-hook@0.2.0; }",
        world: "weir:sdk/response-hook",
        runtime_path: "::weir_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::weir_sdk::bindings::response_hook",
    });
}

pub mod request_body_hook {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk; world request-body-hook { export weir:plugin/request-body-hook@0.2.0; }",
        world: "weir:sdk/request-body-hook",
        runtime_path: "::weir_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::weir_sdk::bindings::request_body_hook",
    });
}

pub mod response_body_hook {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk; world response-body-hook { export weir:plugin/response-body-hook@0.2.0; }",
        world: "weir:sdk/response-body-hook",
        runtime_path: "::weir_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::weir_sdk::bindings::response_body_hook",
    });
}

pub mod completion_hook {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package weir:sdk; world completion-hook { export weir:plugin/completion-hook@0.2.0; }",
        world: "weir:sdk/completion-hook",
        runtime_path: "::weir_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "::weir_sdk::bindings::completion_hook",
    });
}
