//! Why a request does not pass, and what the client is told (RFC 6750, 3).
//!
//! In: a reason. Out: the reply. Never: says more than a holder of the token knows anyway.

use weir_sdk::Reply;

/// Why a request does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Missing,
    Several,
    Malformed,
    Algorithm,
    Signature,
    Expired,
    NotYet,
    Issuer,
    Audience,
    Claim,
}

// === impl Refusal ===

impl Refusal {
    pub fn reply(self, realm: &str) -> Reply {
        let why = self.describe();
        let (status, title, error) = match self {
            // Without any credentials there is nothing wrong with them: no code (RFC 6750, 3.1).
            Self::Missing => (401, "Unauthorized", None),
            Self::Several => (400, "Bad Request", Some("invalid_request")),
            _ => (401, "Unauthorized", Some("invalid_token")),
        };
        let challenge = match error {
            None => format!("Bearer realm=\"{realm}\""),
            Some(error) => {
                format!("Bearer realm=\"{realm}\", error=\"{error}\", error_description=\"{why}\"")
            }
        };
        Reply::problem(status, title, why).header("www-authenticate", challenge)
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Missing => "a token is needed",
            Self::Several => "one token is allowed, several were sent or may be read",
            Self::Malformed => "the token is malformed",
            Self::Algorithm => "the token is signed in a way that is not accepted",
            Self::Signature => "the signature of the token is not valid",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::Issuer => "the issuer of the token is not accepted",
            Self::Audience => "the token is for another audience",
            Self::Claim => "the token lacks a claim, or has one that cannot be used",
        }
    }
}
