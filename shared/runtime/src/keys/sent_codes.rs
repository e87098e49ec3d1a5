//! Codes that travel by SMS. None is kept: each is worked out from its row's identifier when it is written, and again when
//! somebody types it, so that neither a copy of the database nor an outbox holds one.

use ring::hmac;
use uuid::Uuid;

/// How many codes there are: six digits.
const CODES: u64 = 1_000_000;

/// Makes and checks codes.
pub(super) struct SentCodes(hmac::Key);

impl SentCodes {
    /// Keyed apart from everything else that the same secret keys.
    pub(super) fn new(secret: &[u8]) -> Self {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"carnet sent codes 1");
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// Six digits. Of 64 bits modulo a million, no code is likelier than another by more than 1 in 10^13.
    pub(super) fn code(&self, id: Uuid) -> String {
        let proof = hmac::sign(&self.0, id.as_bytes());
        let number = proof.as_ref().iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        format!("{:06}", number % CODES)
    }

    /// Whether those are the six digits. In constant time: what is compared are HMACs.
    pub(super) fn matches(&self, id: Uuid, given: &str) -> bool {
        let wanted = hmac::sign(&self.0, self.code(id).as_bytes());
        hmac::verify(&self.0, given.as_bytes(), wanted.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits_of_its_row_and_key() {
        let (codes, others) = (SentCodes::new(&[1; 32]), SentCodes::new(&[2; 32]));
        let (id, next) = (Uuid::from_u128(7), Uuid::from_u128(8));
        let code = codes.code(id);
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        assert!(codes.matches(id, &code));
        assert!(!codes.matches(next, &code) && !others.matches(id, &code));
        for wrong in ["", "é", &code[..5], &format!("{code}0"), &format!(" {code}")] {
            assert!(!codes.matches(id, wrong), "{wrong}");
        }
    }

    #[test]
    fn codes_are_spread_over_all_there_are() {
        let codes = SentCodes::new(&[1; 32]);
        let mut tenths = [0; 10];
        for number in 0..20_000 {
            let code: usize = codes.code(Uuid::from_u128(number)).parse().unwrap();
            tenths[code / 100_000] += 1;
        }
        assert!(tenths.iter().all(|count| (1800..2200).contains(count)), "{tenths:?}");
    }
}
