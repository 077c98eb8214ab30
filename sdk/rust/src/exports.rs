//! The macros behind `#[plugin]`: one for `lifecycle`, one for each hook.
//!
//! In: the name of the plugin's type. Out: the exports of that interface, in a sandbox only.
//! Never: exports what was not asked for; natively they are empty.

/// Exports `lifecycle`, and gives the plugin its place.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_lifecycle {
    ($plugin:ident) => {
        // Tests alone use a plugin here: this keeps it from being called dead code.
        #[cfg(not(target_family = "wasm"))]
        const _: fn(<$plugin as $crate::Plugin>::Config) -> $crate::Result<$plugin> =
            <$plugin as $crate::Plugin>::configure;

        #[cfg(target_family = "wasm")]
        const _: () = {
            impl $crate::guest::Instance for $plugin {
                const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
                const SUMMARY: &'static str = ::core::env!("CARGO_PKG_DESCRIPTION");

                fn cell() -> &'static ::std::thread::LocalKey<::core::cell::OnceCell<Self>> {
                    ::std::thread_local! {
                        static PLUGIN: ::core::cell::OnceCell<$plugin> =
                            const { ::core::cell::OnceCell::new() };
                    }
                    &PLUGIN
                }
            }
            type Exports = $crate::guest::Exports<$plugin>;
    $crate::bindings::lifecycle::export!(Exports with_types_in $crate::bindings::lifecycle);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_request_hook {
    ($plugin:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exports = $crate::guest::Exports<$plugin>;
            $crate::bindings::request_hook::export!(Exports with_types_in $crate::bindings::request_hook);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_response_hook {
    ($plugin:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exports = $crate::guest::Exports<$plugin>;
            $crate::bindings::response_hook::export!(Exports with_types_in $crate::bindings::response_hook);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_request_body_hook {
    ($plugin:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exports = $crate::guest::Exports<$plugin>;
            $crate::bindings::request_body_hook::export!(Exports with_types_in $crate::bindings::request_body_hook);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_response_body_hook {
    ($plugin:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exports = $crate::guest::Exports<$plugin>;
            $crate::bindings::response_body_hook::export!(Exports with_types_in $crate::bindings::response_body_hook);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_completion_hook {
    ($plugin:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exports = $crate::guest::Exports<$plugin>;
            $crate::bindings::completion_hook::export!(Exports with_types_in $crate::bindings::completion_hook);
        };
    };
}
