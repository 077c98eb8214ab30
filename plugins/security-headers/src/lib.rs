//! Sets the security headers that OWASP recommends, by preset or one by one.
//!
//! In: a response. Out: the same with the headers of the preset as changed by the configuration,
//! and without those that name the software behind. Never: promises HTTPS on a plaintext
//! connection, or overwrites what `keep` leaves to the upstream.

mod preset;
mod setting;
#[cfg(test)]
mod tests;

use weir_sdk::{Error, FieldName, FieldValue, Plugin, Problems, Request, Response, Result};

use preset::{HSTS, Preset};
use setting::Setting;

/// A preset, and changes to it: a header's name with a value sets it, with `false` leaves it out.
#[weir_sdk::config]
#[serde(rename_all = "kebab-case")]
struct Config {
    /// Where to begin.
    #[serde(default)]
    preset: Preset,
    /// Leave a header alone that the upstream has set.
    #[serde(default)]
    keep: bool,
    /// Fields that go. Absent: those of the preset.
    remove: Option<Vec<FieldName>>,
    /// Only sent where the client came by https.
    strict_transport_security: Option<Setting>,
    /// What a page may load, and who may frame it.
    content_security_policy: Option<Setting>,
    /// The same, but only reported.
    content_security_policy_report_only: Option<Setting>,
    /// Whether a browser may guess types.
    x_content_type_options: Option<Setting>,
    /// Who may frame the page, for old browsers.
    x_frame_options: Option<Setting>,
    /// What a link tells its target.
    referrer_policy: Option<Setting>,
    /// Which features of a browser the page may use.
    permissions_policy: Option<Setting>,
    /// Whether other sites' windows can reach this page's.
    cross_origin_opener_policy: Option<Setting>,
    /// Whether the page loads only what agreed to it.
    cross_origin_embedder_policy: Option<Setting>,
    /// Which sites may load this resource.
    cross_origin_resource_policy: Option<Setting>,
    /// Whether documents of plug-ins may read the site.
    x_permitted_cross_domain_policies: Option<Setting>,
    /// Whether names of links are resolved ahead.
    x_dns_prefetch_control: Option<Setting>,
    /// The filter of old browsers: `0` or nothing.
    x_xss_protection: Option<Setting>,
    /// Whether the answer may be stored.
    cache_control: Option<Setting>,
    /// What the browser forgets, on a route for logging out.
    clear_site_data: Option<Setting>,
}

struct SecurityHeaders {
    /// Set on every response.
    set: Vec<(&'static str, String)>,
    /// Set where the client came by https.
    hsts: Option<String>,
    remove: Vec<FieldName>,
    keep: bool,
}

#[weir_sdk::plugin]
impl Plugin for SecurityHeaders {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        let mut problems = Problems::new();
        let mut set: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in config.preset.headers() {
            set.push((name, (*value).into()));
        }
        for (name, setting) in config.settings() {
            match setting {
                None => {}
                Some(Setting::Off) => set.retain(|(other, _)| *other != name),
                Some(Setting::Value(value)) => {
                    if value.is_empty() || !FieldValue::is_legal(value.as_bytes()) {
                        let error = Error::new("the value is empty or has control characters");
                        problems.add(error.help("`false` leaves it out").at(name));
                    }
                    set.retain(|(other, _)| *other != name);
                    set.push((name, value.clone()));
                }
            }
        }
        let hsts = set.iter().position(|(name, _)| *name == HSTS).map(|at| set.remove(at).1);

        let remove = match config.remove {
            Some(names) => {
                let name = |(at, name): (usize, FieldName)| {
                    problems.take(name.writable().map_err(|error| error.at(at).at("remove")))
                };
                names.into_iter().enumerate().filter_map(name).collect()
            }
            None => config.preset.remove(),
        };
        problems.or(SecurityHeaders { set, hsts, remove, keep: config.keep })
    }

    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        for name in &self.remove {
            response.remove_header(name)?;
        }
        for (name, value) in &self.set {
            self.set(response, name, value)?;
        }
        if let Some(value) = &self.hsts
            && request.scheme() == "https"
        {
            self.set(response, HSTS, value)?;
        }
        Ok(())
    }
}

// === impl SecurityHeaders ===

impl SecurityHeaders {
    fn set(&self, response: &mut Response, name: &str, value: &str) -> Result {
        if !self.keep || response.header(name).is_none() {
            response.set_header(name, value)?;
        }
        Ok(())
    }
}

// === impl Config ===

impl Config {
    /// Every header by name, and what the configuration says of it.
    fn settings(&self) -> [(&'static str, &Option<Setting>); 15] {
        [
            (HSTS, &self.strict_transport_security),
            ("content-security-policy", &self.content_security_policy),
            ("content-security-policy-report-only", &self.content_security_policy_report_only),
            ("x-content-type-options", &self.x_content_type_options),
            ("x-frame-options", &self.x_frame_options),
            ("referrer-policy", &self.referrer_policy),
            ("permissions-policy", &self.permissions_policy),
            ("cross-origin-opener-policy", &self.cross_origin_opener_policy),
            ("cross-origin-embedder-policy", &self.cross_origin_embedder_policy),
            ("cross-origin-resource-policy", &self.cross_origin_resource_policy),
            ("x-permitted-cross-domain-policies", &self.x_permitted_cross_domain_policies),
            ("x-dns-prefetch-control", &self.x_dns_prefetch_control),
            ("x-xss-protection", &self.x_xss_protection),
            ("cache-control", &self.cache_control),
            ("clear-site-data", &self.clear_site_data),
        ]
    }
}
