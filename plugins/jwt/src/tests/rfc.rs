//! The examples of RFC 7515 (appendix A) and RFC 8037 (A.4).

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use weir_sdk::serde_json::{from_value, json};
use weir_sdk::testing;

use super::{bearer, proxy};
use crate::algorithm::Algorithm;
use crate::jwk::Jwks;
use crate::keys::Keys;

const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const OCT: &str = r#"{"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}"#;
const RSA: &str = r#"{"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}"#;
const EC: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
const EC521: &str = r#"{"keys":[{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}]}"#;
const OKP: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

#[test]
fn tokens_of_rfc_7515_pass_until_they_expire() {
    for (jwks, header, signature) in [
        (
            OCT,
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            RSA,
            "eyJhbGciOiJSUzI1NiJ9",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            EC,
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
    ] {
        let token = format!("{header}.{CLAIMS}.{signature}");
        let mut proxy = proxy(json!({
            "jwks": jwks, "issuer": "joe", "leeway": "0s",
            "claims_to_headers": { "http://example.com/is_root": "x-root" },
        }));
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        proxy.set_now(at(1_300_819_379));
        let exchange = proxy.request(bearer(&token));
        assert_eq!(exchange.forwarded().header("x-root"), Some("true"), "{header}");
        proxy.set_now(at(1_300_819_380));
        assert_eq!(proxy.request(bearer(&token)).reply().status, 401, "{header}");
    }
}

#[test]
fn the_unsecured_token_of_rfc_7515_a_5_does_not_pass() {
    let token = format!("eyJhbGciOiJub25lIn0.{CLAIMS}.");
    for jwks in [OCT, RSA, EC, OKP] {
        let mut proxy: testing::Plugin<_> = proxy(json!({ "jwks": jwks }));
        proxy.set_now(SystemTime::UNIX_EPOCH);
        assert_eq!(proxy.request(bearer(&token)).reply().status, 401);
    }
}

/// These sign texts that are no claims.
#[test]
fn signatures_of_rfc_7515_a_4_and_rfc_8037_a_4_are_good() {
    for (jwks, algorithm, signed, signature) in [
        (
            EC521,
            Algorithm::ES512,
            "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
            "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        ),
        (
            OKP,
            Algorithm::EdDSA,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ] {
        let jwks: Jwks = from_value(json!(jwks)).unwrap();
        let keys = Keys::new(vec![], None, None, Some(jwks)).unwrap();
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let verify = |signed: &str, signature: &[u8]| {
            keys.verify(algorithm, None, signed.as_bytes(), signature)
        };
        assert_eq!(verify(signed, &signature), Ok(()), "{algorithm:?}");
        assert!(verify(&format!("{signed}A"), &signature).is_err());
        signature[7] ^= 1;
        assert!(verify(signed, &signature).is_err());
    }
}

/// A token chooses neither how many keys are tried nor how long that takes.
#[test]
fn the_keys_that_are_tried_for_one_token_are_few() {
    // The curve's base point is a key as well, if nobody's.
    const OTHER: &str = r#""kty":"EC","crv":"P-521","x":"AMaFjga3BATpzZ4-y2YjlbRCnGSBOQU_tSH4KK9ga009uqFLXnfv51ko_h3BJ6L_qN4zSLPBhWpCm_l-fjHC5b1m","y":"ARg5KWp4mjvABFyKX7QsfRvZmPVESVebRGgXr70XJz5mLJfucple9CZAxVC5AT-tB2E1PHCGonLCQIi-lHaf0WZQ""#;
    let good = EC521.replace(r#"{"keys":[{"#, "").replace("}]}", "");
    let signed = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA";
    let signature = "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for (others, without_id) in [(0, true), (2, true), (3, false), (23, false)] {
        let mut set: Vec<String> =
            (0..others).map(|at| format!(r#"{{"kid":"{at}",{OTHER}}}"#)).collect();
        set.push(format!(r#"{{"kid":"good",{good}}}"#));
        let jwks: Jwks = from_value(json!(format!(r#"{{"keys":[{}]}}"#, set.join(",")))).unwrap();
        let keys = Keys::new(vec![], None, None, Some(jwks)).unwrap();
        let verify = |id| keys.verify(Algorithm::ES512, id, signed.as_bytes(), &signature);
        assert_eq!(verify(Some("good")), Ok(()), "{others}");
        assert_eq!(verify(None).is_ok(), without_id, "{others}");
    }
}
