//! What a guest sees of the process and of its machine: its own limits.

use weir_tests::{Origin, Proxy, guest, request};

/// By what its toolchain has for it: preopened folders, the environment, arguments.
#[test]
fn a_guest_sees_no_files_no_arguments_and_of_the_environment_its_limits() {
    let origin = Origin::echo();
    // This process has an environment, arguments and files.
    assert!(std::env::vars_os().count() > 0 && std::fs::read_dir("/").is_ok());
    let proxy = Proxy::start(&format!(
        r#"
        [listeners.web]
        bind = "127.0.0.1:0"
        [plugins.curious]
        component = "{}"
        grants = {{ store = true }}
        [routes.all]
        plugins = ["curious"]
        upstream = "origin"
        [upstreams.origin]
        endpoints = ["{}"]
        "#,
        guest("greedy").display(),
        origin.url(),
    ));
    let fields = [("x-greed", "surroundings")];
    let answer = request(proxy.address("web"), "GET", "/", &fields, b"");
    assert_eq!(
        answer.header("x-out"),
        Some(
            "arguments 0; variables WEIR_LIMITS_DEADLINE WEIR_LIMITS_MEMORY; \
             read false; written false; folder false"
        ),
        "{answer:?}"
    );
}
