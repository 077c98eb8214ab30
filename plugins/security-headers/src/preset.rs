//! The presets: what is set and what goes.
//!
//! Sources: the OWASP Secure Headers Project for `strict`, the OWASP REST Security Cheat Sheet for
//! `api`. `default` is what of `strict` breaks hardly any site.

use weir_sdk::FieldName;

/// Headers to begin with.
#[weir_sdk::config]
#[derive(Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// What hardly any site minds: no policy for content but who may frame it.
    #[default]
    Default,
    /// The whole set. A site has to be written for it: nothing from other origins, no framing.
    Strict,
    /// For interfaces that no browser shows as a page.
    Api,
}

pub const HSTS: &str = "strict-transport-security";

type Headers = &'static [(&'static str, &'static str)];

const DEFAULT: Headers = &[
    (HSTS, "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("content-security-policy", "base-uri 'self'; object-src 'none'; frame-ancestors 'self'"),
    ("cross-origin-opener-policy", "same-origin-allow-popups"),
    ("x-permitted-cross-domain-policies", "none"),
];

const STRICT: Headers = &[
    (HSTS, "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    (
        "content-security-policy",
        "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; \
         frame-ancestors 'none'; upgrade-insecure-requests",
    ),
    (
        "permissions-policy",
        "accelerometer=(), autoplay=(), camera=(), cross-origin-isolated=(), \
         display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), \
         hid=(), idle-detection=(), magnetometer=(), microphone=(), midi=(), payment=(), \
         picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), \
         sync-xhr=(self), usb=(), web-share=(), xr-spatial-tracking=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-permitted-cross-domain-policies", "none"),
    ("x-dns-prefetch-control", "off"),
    ("cache-control", "no-store, max-age=0"),
];

const API: Headers = &[
    (HSTS, "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// What names the software behind.
const TELLTALES: &[&str] = &["server", "x-powered-by"];
const MORE_TELLTALES: &[&str] = &[
    "server",
    "x-powered-by",
    "x-aspnet-version",
    "x-aspnetmvc-version",
    "x-generator",
    "x-runtime",
];

// === impl Preset ===

impl Preset {
    pub fn headers(self) -> Headers {
        match self {
            Self::Default => DEFAULT,
            Self::Strict => STRICT,
            Self::Api => API,
        }
    }

    pub fn remove(self) -> Vec<FieldName> {
        let names = match self {
            Self::Strict => MORE_TELLTALES,
            Self::Default | Self::Api => TELLTALES,
        };
        names.iter().map(|name| FieldName::literal(name)).collect()
    }
}
