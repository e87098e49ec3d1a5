//! Tokens that travel by mail. None is kept: each is worked out from its row's identifier when it is written, and checked
//! in constant time when it comes back, so that neither a copy of the database nor an outbox holds one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use ring::hmac;
use uuid::Uuid;

/// Makes and checks the tokens of links.
pub(super) struct Links(hmac::Key);

impl Links {
    /// Keyed apart from everything else that the same secret keys.
    pub(super) fn new(secret: &[u8]) -> Self {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"carnet links 1");
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// Identifier and HMAC-SHA-256, 64 url-safe characters. One made for a purpose is worth nothing for another.
    pub(super) fn token(&self, purpose: &str, id: Uuid) -> String {
        let proof = hmac::sign(&self.0, &said(purpose, id));
        BASE64_URL.encode([id.as_bytes().as_slice(), proof.as_ref()].concat())
    }

    /// The identifier, if the token is ours.
    pub(super) fn open(&self, purpose: &str, token: &str) -> Option<Uuid> {
        let bytes = BASE64_URL.decode(token.trim()).ok()?;
        let (id, proof) = bytes.split_first_chunk::<16>()?;
        let id = Uuid::from_bytes(*id);
        hmac::verify(&self.0, &said(purpose, id), proof).ok().map(|()| id)
    }
}

fn said(purpose: &str, id: Uuid) -> Vec<u8> {
    [purpose.as_bytes(), &[0], id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_purpose_and_row_and_only_as_it_was_made() {
        let (links, others) = (Links::new(&[1; 32]), Links::new(&[2; 32]));
        let id = Uuid::from_u128(7);
        let token = links.token("verify-email", id);
        assert_eq!(token.len(), 64);
        assert_eq!(links.open("verify-email", &format!(" {token}\n")), Some(id), "as people copy it");
        assert_eq!(links.open("reset-password", &token), None);
        assert_eq!(others.open("verify-email", &token), None);
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(links.open("verify-email", &String::from_utf8(bytes).unwrap()), None, "{place}");
        }
        for garbage in ["", "é", "AAAA", &token[..62], &format!("{token}AAAA")] {
            assert_eq!(links.open("verify-email", garbage), None, "{garbage}");
        }
    }
}
