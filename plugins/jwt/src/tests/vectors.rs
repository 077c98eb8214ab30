//! Keys and tokens that another implementation (OpenSSL) made: a token of each algorithm, with the
//! subject `alice`, that expires 100 seconds after the fake proxy's clock starts.

/// An RSA key of 2048 bits.
pub const RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwdZ0PR1wcO/lZtfUUwQq
hl9K5oryDNqi78pgntgSWoyjOpzReIVYJdnGJhCkGA/eosp/NeZa0CP1nIftJ8Ur
jalyw2wkZvy8ojPOLUEs19Zyypz5jUZBUxD9QMY1piOwc/O5N5OHwTncgTC6fPPb
sY7J+m/4j9g0KL24ScjR2K3iEGhm41GAPZprNzLy4Na8zijgMAxAMfqP08vbkHJG
GYkJ6rohUSbxoqLRH+k5Ug+UDFwR4IRkgMNLE2rlV+svqB9dMgPOHPlTgVXpG/xz
QCneocfJzXJ6tNTMaa/Gilva2v4zkDJOMGCnGM2lHVVTwU0iHngYLNTVjPsqgK4f
sQIDAQAB
-----END PUBLIC KEY-----
";

/// The same, as PKCS #1 writes it.
pub const RSA_PKCS1: &str = "\
-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAwdZ0PR1wcO/lZtfUUwQqhl9K5oryDNqi78pgntgSWoyjOpzReIVY
JdnGJhCkGA/eosp/NeZa0CP1nIftJ8Urjalyw2wkZvy8ojPOLUEs19Zyypz5jUZB
UxD9QMY1piOwc/O5N5OHwTncgTC6fPPbsY7J+m/4j9g0KL24ScjR2K3iEGhm41GA
PZprNzLy4Na8zijgMAxAMfqP08vbkHJGGYkJ6rohUSbxoqLRH+k5Ug+UDFwR4IRk
gMNLE2rlV+svqB9dMgPOHPlTgVXpG/xzQCneocfJzXJ6tNTMaa/Gilva2v4zkDJO
MGCnGM2lHVVTwU0iHngYLNTVjPsqgK4fsQIDAQAB
-----END RSA PUBLIC KEY-----
";

/// An RSA key that is too short.
pub const RSA_1024: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDEdy9wM0rH9lKOK+AgAetB2uyJ
sj9xFnlj5nBQkChOei/WoncS5TWAE+mWD2oT9WnGHnrUYs2rVDXeAlmkjLlYl6B6
V8820jEPGJtXqzbMFsFXmpVjQLrEvrhGfv8KuzX/mkzuGryY5XTlTgGspmKeMMNY
VAjOSxdL9cL/x2x4uwIDAQAB
-----END PUBLIC KEY-----
";

/// The key of ES256.
pub const ES256: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGCiQbEsvkBCUSL2Ij7nJXCKRBGrz
sI3LbMTRHSPv8QjGnElh5JnZVjgJMPgWS+b+fxNyIuJjsXhTKqGCLg1TQw==
-----END PUBLIC KEY-----
";

/// The key of ES384.
pub const ES384: &str = "\
-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEcfQCNw706GxtRPPAjFMU3Lp3X7BtBiCN
2EiO+oawCGN4zcnLoj8ad0+UaJH4iM1huEUR2MmOVc4JwguVC6PlJAycuhHEvMTn
zzZvg8dnKabRyhSedC1FAwP1LfdepZ4/
-----END PUBLIC KEY-----
";

/// The key of ES512.
pub const ES512: &str = "\
-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAqNne1/lQo/EJJJ0oxIG08rUvI5ki
DM57UKCGKqtHkYfxJ3typJgB1+Usd5JdkeFcxE974UiAexuHAQNgrJErgZUBvQYl
n3GotzoBz2LY9iO/xggGqs+GQ/V1ktMvDu4NVKzFCIhzkys2ANV5mUva7Sr50hbj
GgVV7dDg7oyKaI+rdlY=
-----END PUBLIC KEY-----
";

/// An Ed25519 key.
pub const ED25519: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAY1k5RnEHr4AvHLQSCpjX6Dpx6thnwoD6ye3YHNFJStQ=
-----END PUBLIC KEY-----
";

/// A key that signs nothing.
pub const X25519: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEAwBPCSns5ZBBb70L7Sk3joWzjw3R8YVYXMPPCdTHj224=
-----END PUBLIC KEY-----
";

/// Algorithm, key, token.
pub const TOKENS: [(&str, &str, &str); 10] = [
    (
        "RS256",
        RSA,
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.EOtulkWkCEvz6ZDkwSGv-OOcMWIFBdvHOlYO7MU8oYBMERCpnDKg_mopvTbRTeZlQKgopHY2aVReGMGOdh7XS_9KVwwAiiMPWl1RjdLuUprYB70KPd8dfTZV23lYppe6MVFDoXhe4DaE7jLglcYN0I5lQkNyhhy8VQNRLBoGPVg3gv3lueB6-sug-B9gAnLDe8qzvDJM67RRBHlDk-ldnqW_czPJ2eymfkCXWA75X_-4_JKrTssUUeLCn6K7O2JNh4AEUwQjcUbesOQR4YJKUfugCeYSzA2xkNuBpNzA7P9RHZ8ZLV2eShvloEZPH8TBblcY7EqIP6IxQe-21byYBQ",
    ),
    (
        "RS384",
        RSA,
        "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.OrHD24JF25FN58FIYDWC1GEqZyxfue6yWMbfFLd3IUprwd1sz0Vr8TWMeodCr-Cfc2x3XQ-2Ri-2Q1KMiL7WBN3XBlc5FqMkWybJzdcELYNSawu9QO2RjdWn4-r57SN7rrHDf1RGn_4eqLhZqD0pEuMjQ7oWVB8W4YTpW1Oa8s_wPCPm-3yIU4vIGneXqwv-jX1ppg8lbTOfWFySRXdTvkUwrikeoPDnxdWH-w0hk-Bn8-EkOmXSSG6JL1uktcS4rMYq2k7ACFLwGWDVgCVdh2SbanFROW_sB--oaxgGLzkkj5_p4KgJynZ-BBuVeBUY3WiEI3aC6NFL37WWbCX1tA",
    ),
    (
        "RS512",
        RSA,
        "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.Z77K5OqZOfksbR3fpcikxxMSWSn2XawEpOqwVfZOEsABFLGgRvTtL6P9OjixwBzwq-USY5oK5YpRVSawIApQ0di7Ey8rwV3V5bwNQwiGnIW53GPoUafXysdMktoBLNES7cwnHhBdshlXKfsWd79Csc8CdGuezxC5oVwF18BK9OcDOEVpWlT0TdTe5dBMNq2VnhPouvvwmZiGBCiWvbv_U2cPwdVCWXaCxfSM2K9k9x6EE0cy8Iu8rR3MLvUoGDGLlSftF0JPkFB8hyK6YB--UDlVhPHETsggd5ZIgwmvrDXojmPrKFFMCFWz_j8TEzKFEDqd2_AOwmKw5egS4wUY5g",
    ),
    (
        "PS256",
        RSA,
        "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.O6GRKzcIK-yx06ET7GEpvGakMhmJgjQQyZIFeZFMR9j4JVqd9_Np_8C5Ko3mVZZf-Lh_L2om0zLBkbMCWFNgARNllxCy77XWeW66HnyrbTjfg7KrMR7FvbAQQUhWPraTQd_DiovJYkTcKzYoKMJAypYJPCiJP8m2ry1rY8xOkG9qGc685WotTLWXB55mHXNbfuAmilBZCZ-aRdZy1R9A39buBR6KKGG5pauRjkUd9GuKOo9JvoRnucy8KhMev98enXxOM6wWXmrgA97z47fucykS2CTKUChgQLwXr8TWxZ1sasTX7POtb0a5kTuGoKxkMUUv8j8H4giCUiV2xwob1g",
    ),
    (
        "PS384",
        RSA,
        "eyJhbGciOiJQUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.C61z-o75F2Xc5a-9uE43Gqtvi7uxRZJ8GXEMkVreDYNGqp3g3JueUeSyVmBkkEukkkjsGEZC36DD45cYLx1pwzj7XFMiJPAwDgGFDC-b1dxMJyOl7SF-uUS1obtDG2Dr7ZffZC_2d41uSLOW0UmHjfPpGHsznIiduC5qdicZ6FENiZdcblgt2VczighLkHo4sDFZsedzX3CEduq4oWeYTPUMHg9-C2Sp8y-dc6aZK1gIQjgdOYKL_qbF8XUp1fq1yEnWEtDQAZlqBkQUTNRRStZ3P9U9qeg2Tb9H2H93JRf-bcftLAoGSjKnl4pK6oLD_SPjbBmcTlaeBrvpWGJijA",
    ),
    (
        "PS512",
        RSA,
        "eyJhbGciOiJQUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.Q6Qb7-_WtV9Y3QkG7B654qMti9jVOSM-8B5JiZSFEDyOWCz5UGFHo615AB8yM0sk5cQPQKRjXmzjon4lMmEti-mQGBQywh2gC150X0ZQAy6kiAvV5tQ0rXpxo2PB3UvQZLdaBNeM2igF9IQ_iauHT7-XUbWJ8tdRoIIOgLQ6IllFlVYmxl5G3TfiyQdp6k7ER5rPmzToK7JjRtBpDFyEenpoD9xNYrFd1DVUgeRuvRd0YYeydvFE3P5RDkdXpqEKk7GWs6MsGM1IE25zGbQtx1ekeDBvWLcgbluydnTL1X6NnPM0fwB4795rKa9mUpKOnhzy7H3WIYsNB_RE4rxIkA",
    ),
    (
        "ES256",
        ES256,
        "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.CmfhDI3SgrivDNlbMuSFlmNfyxKccWRAeN5zKxAwgpjGGP_zDyZ3TCpcZn_hoooy1_PiFvERTZ8ONh5IRxFrmA",
    ),
    (
        "ES384",
        ES384,
        "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.wPPwacrxeiWT-fBC4rp96WxrpHZIkl4cmPoKs8e_q-Njy7fOsW6oB8z0uriAnd1pbOuZL62KMHx2TJbgVrv06gPgZIgnNHPJ7LE2suuHJEc0HVSsjXJiweMq5ltN2JKy",
    ),
    (
        "ES512",
        ES512,
        "eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.AGKxijgjBpyYWGcMynw_-iecCLk1ratt-NBMm4h2yrLo25jcE8sxmIIV2-bDAHBCPN4XqeqOhpJPkgfqMp0Tii5LAbP4T6hdhoo7v0j4m2l-ui3SPc5Jojhw6ph8NKgFOqiYPlvllH-Wqyu235wgMmleraqvfP6sN1N2h96kXCHhO2tM",
    ),
    (
        "EdDSA",
        ED25519,
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2NzIyNTcwMH0.-Fb13ovXX9e9W96aE0S4C4FmYjXgx_J6u0BnXdO_QLfeoN--dH1FUQaSPedQRpz0THg70u0e3WzQpYsCZKQnDQ",
    ),
];
