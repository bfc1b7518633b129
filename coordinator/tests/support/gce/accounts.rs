//! Service accounts that sign their own tokens, as Google's libraries have them do where they hold the account's key.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

/// A service account whose public key Google knows.
pub struct Account {
    /// Its address.
    pub email: String,
    /// The key's id, as in its key file.
    pub key_id: String,
    /// PKCS #1.
    pub public_key: Vec<u8>,
}

impl Account {
    /// Of a public key as `ssh-keygen -e -m PEM` writes it.
    pub fn new(email: &str, key_id: &str, public_pem: &str) -> Self {
        let base64: String = public_pem.lines().filter(|line| !line.starts_with('-')).collect();
        let public_key = STANDARD.decode(base64).unwrap();
        Self { email: email.to_owned(), key_id: key_id.to_owned(), public_key }
    }

    /// Whether this account has signed the token, for now (seconds since 1970) and for what it is used for: a scope, or
    /// the API as its audience.
    pub fn has_signed(&self, token: &str, now: i64) -> bool {
        let Some((signed, signature)) = token.rsplit_once('.') else { return false };
        let Some((head, claims)) = signed.split_once('.') else { return false };
        let json = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (Some(head), Some(claims)) = (json(head), json(claims)) else { return false };
        let is_own = head["alg"] == "RS256"
            && head["kid"] == self.key_id.as_str()
            && claims["iss"] == self.email.as_str()
            && claims["sub"] == self.email.as_str();
        let is_in_time = claims["iat"].as_i64().is_some_and(|since| since <= now + 60)
            && claims["exp"].as_i64().is_some_and(|until| until > now);
        let scope = "https://www.googleapis.com/auth/cloud-platform";
        let is_for_this =
            claims["scope"].as_str().is_some_and(|scopes| scopes.split(' ').any(|one| one == scope))
                || claims["aud"].as_str().is_some_and(|audience| audience.contains("googleapis.com/"));
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key);
        let is_signed = URL_SAFE_NO_PAD
            .decode(signature)
            .is_ok_and(|signature| key.verify(signed.as_bytes(), &signature).is_ok());
        is_own && is_in_time && is_for_this && is_signed
    }
}
