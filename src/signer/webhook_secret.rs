//! The secrets of webhooks, with which their messages are signed, and how they are sealed.

use std::fmt;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::{MasterKey, MasterKeys, SignerError, random_secret, sealed_secret::Purpose};
use crate::domain::WebhookName;

/// How many random bytes a secret has. Standard Webhooks 1.0.0 wants 24 to 64.
const BYTES: usize = 32;

/// With what the text of a secret begins.
const PREFIX: &str = "whsec_";

/// The secret that a webhook's server shares with this service. It is wiped when it is dropped, and `Debug` does not show
/// it.
pub struct WebhookSecret(Zeroizing<[u8; BYTES]>);

impl WebhookSecret {
    /// A new secret.
    ///
    /// # Panics
    /// If the random generator fails, because no secret can be made without it.
    pub fn generate() -> Self {
        Self(random_secret())
    }

    /// What its owner is shown once: `whsec_` and the bytes in base64.
    pub fn text(&self) -> Zeroizing<String> {
        // The buffer never grows, because that would leave copies of the secret.
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + BASE64.encode_len(BYTES)));
        text.push_str(PREFIX);
        BASE64.encode_append(self.0.as_slice(), &mut text);
        text
    }

    /// The signature of a message, as Standard Webhooks 1.0.0 has it: `v1,` and HMAC-SHA256 of `ID.TIMESTAMP.BODY` in
    /// base64.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()));
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign().as_ref()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

impl MasterKeys {
    /// Seals the secret of a webhook, under the same master key as [`seal`](Self::seal).
    ///
    /// # Errors
    /// [`SignerError::WebhookSecret`] when there is no master key; those of the sources.
    pub fn seal_webhook_secret(
        &self,
        webhook: &WebhookName,
        secret: &WebhookSecret,
    ) -> Result<Vec<u8>, SignerError> {
        self.seal_secret(Purpose::Webhook(webhook), secret.0.as_slice())
    }

    /// Opens the secret of a webhook.
    ///
    /// # Errors
    /// [`SignerError::WebhookSecret`] when no known master key opens it, or it is damaged; those of the sources.
    pub fn unseal_webhook_secret(
        &self,
        webhook: &WebhookName,
        sealed: &[u8],
    ) -> Result<WebhookSecret, SignerError> {
        let purpose = Purpose::Webhook(webhook);
        let plain = self.unseal_secret(purpose, sealed)?;
        let mut secret = Zeroizing::new([0; BYTES]);
        if plain.len() != BYTES {
            return Err(purpose.error("has an unknown length: rotate it"));
        }
        secret.copy_from_slice(&plain);
        Ok(WebhookSecret(secret))
    }

    /// Seals the secret of a webhook under the master key `to`. One that is sealed under it already is only tried, and the
    /// answer is `None`.
    ///
    /// # Errors
    /// As [`unseal_webhook_secret`](Self::unseal_webhook_secret).
    pub fn reseal_webhook_secret(
        &self,
        to: &MasterKey,
        webhook: &WebhookName,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, SignerError> {
        self.reseal_secret(to, Purpose::Webhook(webhook), sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> WebhookName {
        text.parse().unwrap()
    }

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the reference implementations.
        let bytes = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut padded = [0; BYTES];
        padded[..bytes.len()].copy_from_slice(&bytes); // HMAC pads a short key with zeros, too
        let secret = WebhookSecret(Zeroizing::new(padded));
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_sealed_secret_opens_for_its_webhook_and_its_master_key_only() {
        let (old, new) = (MasterKey::generate(), MasterKey::generate());
        let secret = WebhookSecret::generate();
        let (a, b) = (name("a"), name("b"));
        let masters = MasterKeys::given(old, None);
        let sealed = masters.seal_webhook_secret(&a, &secret).unwrap();
        assert!(!sealed.windows(8).any(|window| secret.0.windows(8).any(|part| part == window)));
        let opened = masters.unseal_webhook_secret(&a, &sealed).unwrap();
        assert_eq!(opened.text(), secret.text());
        assert!(masters.unseal_webhook_secret(&b, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(masters.unseal_webhook_secret(&a, &changed).is_err(), "{at}");
        }
        let resealed = masters.reseal_webhook_secret(&new, &a, &sealed).unwrap().unwrap();
        assert!(masters.unseal_webhook_secret(&a, &resealed).is_err());
        assert_eq!(masters.reseal_webhook_secret(&new, &a, &resealed), Ok(None));
        let masters = MasterKeys::given(new, None);
        assert_eq!(masters.unseal_webhook_secret(&a, &resealed).unwrap().text(), secret.text());
        let error = MasterKeys::default().seal_webhook_secret(&a, &secret).unwrap_err().to_string();
        assert!(error.starts_with("the secret of webhook 'a' needs the master key"), "{error}");
    }

    #[test]
    fn its_text_is_what_the_specification_says_and_debug_does_not_show_it() {
        let secret = WebhookSecret::generate();
        let text = secret.text();
        assert_eq!(
            BASE64.decode(text.strip_prefix("whsec_").unwrap().as_bytes()).unwrap(),
            secret.0.as_slice()
        );
        assert_eq!(format!("{secret:?}"), "WebhookSecret(..)");
        assert_ne!(text, WebhookSecret::generate().text());
    }
}
