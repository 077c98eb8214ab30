//! What a secret looks like, and what stands in its place.
//!
//! In: names of keys, texts. Out: whether a name is one that secrets go by, or a text is one by its form.
//! Never: knows what a key means; a text that is no secret by its form may be one all the same.

/// What is shown instead.
pub(super) const MASK: &str = "***";

/// Whether a text is nothing but variables and what joins them: `{client.address}|{request.path}`.
pub(super) fn is_template(text: &str) -> bool {
    let mut rest = text;
    let mut any = false;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, after)) = behind.split_once('}') else { return false };
        let named = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if before.chars().any(char::is_alphanumeric) || !name.chars().all(named) {
            return false;
        }
        (rest, any) = (after, true);
    }
    any && !rest.chars().any(char::is_alphanumeric)
}

/// Whether a word of the key's name is one that secrets go by, or holds one that nothing else does.
pub(super) fn sounds_secret(name: &str) -> bool {
    const WORDS: [&str; 23] = [
        "auth", "bearer", "cookie", "cookies", "dsn", "hash", "hmac", "jwk", "jwks", "key", "keys",
        "otp", "pass", "pin", "private", "psk", "pw", "pwd", "salt", "session", "sig", "user",
        "users",
    ];
    const PARTS: [&str; 12] = [
        "accesskey",
        "apikey",
        "authoriz",
        "credential",
        "passphrase",
        "passwd",
        "password",
        "privatekey",
        "secret",
        "sessionid",
        "signature",
        "token",
    ];
    // `sessionId` is two words.
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut lower = false;
    for c in name.chars() {
        if lower && c.is_ascii_uppercase() {
            spaced.push(' ');
        }
        lower = c.is_ascii_lowercase();
        spaced.push(c.to_ascii_lowercase());
    }
    let name = name.to_ascii_lowercase();
    let mut words = spaced.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| WORDS.contains(&word)) || PARTS.iter().any(|part| name.contains(part))
}

/// Whether a text is a secret by what it is: credentials of a scheme (RFC 9110, 11.4), a token in
/// the compact form of JSON (RFC 7515, 7.1) or with the prefix of one who gives tokens, or pairs of
/// which one has a name that secrets go by.
pub(super) fn looks_secret(text: &str) -> bool {
    const SCHEMES: [&str; 13] = [
        "apikey",
        "aws4-hmac-sha256",
        "basic",
        "bearer",
        "digest",
        "dpop",
        "gnap",
        "hmac",
        "mutual",
        "negotiate",
        "ntlm",
        "scram-sha-256",
        "token",
    ];
    let scheme = text.trim_start().split_once(' ').is_some_and(|(scheme, rest)| {
        !rest.trim().is_empty() && SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
    });
    let token = text.starts_with("eyJ") && text.matches('.').count() >= 2;
    scheme || token || has_given_token(text) || has_pair(text)
}

/// Whether a word of a text begins as tokens of well-known services do, which say so for this.
fn has_given_token(text: &str) -> bool {
    /// Prefix, and the least that is behind it.
    const PREFIXES: [(&str, usize); 20] = [
        ("AKIA", 12),
        ("ASIA", 12),
        ("AIza", 12),
        ("SG.", 16),
        ("dop_v1_", 1),
        ("ghp_", 1),
        ("gho_", 1),
        ("ghu_", 1),
        ("ghs_", 1),
        ("ghr_", 1),
        ("github_pat_", 1),
        ("glpat-", 1),
        ("hvs.", 1),
        ("npm_", 8),
        ("pypi-", 16),
        ("rk_live_", 1),
        ("sk-", 16),
        ("sk_live_", 1),
        ("sk_test_", 1),
        ("xox", 8),
    ];
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
    words.any(|word| {
        let rest = |prefix| word.strip_prefix(prefix).map_or(0, str::len);
        PREFIXES.iter().any(|(prefix, least)| rest(*prefix) >= *least)
    })
}

/// Whether a text has `name=value`, `name: value` or `"name":"value"` with such a name; what begins
/// with a brace is a variable, or has pairs of its own.
fn has_pair(text: &str) -> bool {
    text.match_indices(['=', ':']).any(|(at, sign)| {
        let before = text.get(..at).unwrap_or_default();
        let behind = text.get(at + 1..).unwrap_or_default();
        let named = before.trim_end();
        let quoted = named.ends_with(['"', '\'']);
        // `host:port`, and what stands before `://`, is no pair.
        if sign == ":" && !quoted && !behind.starts_with(char::is_whitespace) {
            return false;
        }
        let name = named.trim_end_matches(['"', '\'']);
        let start = name.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
        let name = name.get(start.map_or(0, |start| start + 1)..).unwrap_or_default();
        let value = behind.trim_start().trim_start_matches(['"', '\'', '\\']);
        let ends = |c: char| c.is_whitespace() || "{&;,".contains(c);
        !value.is_empty() && !value.starts_with(ends) && sounds_secret(name)
    })
}
