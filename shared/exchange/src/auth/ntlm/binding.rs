//! What ties a proof to the TLS connection it is given on: a server that asks for it takes no proof that came by somebody between.

use md5::{Digest as _, Md5};
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

/// The channel binding of a server's certificate, as NTLM carries it: the MD5 of a `gss_channel_bindings_struct` without addresses
/// (RFC 2744 §3.11, MS-NLMP §2.2.2.1), that holds `tls-server-end-point` (RFC 5929 §4) of the certificate in DER. `None` for one
/// signed in a way that has no hash of its own: the binding is not defined for it.
pub fn of(certificate: &[u8]) -> Option<[u8; 16]> {
    let hash = digest(hash_of(certificate)?, certificate);
    let data = [b"tls-server-end-point:", hash.as_ref()].concat();
    let mut md5 = Md5::new();
    // Type and length of the address of either side: none.
    md5.update([0; 16]);
    md5.update(u32::try_from(data.len()).ok()?.to_le_bytes());
    md5.update(&data);
    Some(md5.finalize().into())
}

/// The hash a certificate is signed with; SHA-256 where that was MD5 or SHA-1 (RFC 5929 §4.1).
fn hash_of(certificate: &[u8]) -> Option<&'static Algorithm> {
    let (inside, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(inside, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (name, parameters) = element(algorithm, OBJECT)?;
    if name == RSA_PSS {
        of_pss(parameters)
    } else {
        SIGNATURES.iter().find(|(known, _)| *known == name).map(|(_, hash)| *hash)
    }
}

/// The `[0]` of `RSASSA-PSS-params` (RFC 4055 §3.1), SHA-1 where there is none.
fn of_pss(parameters: &[u8]) -> Option<&'static Algorithm> {
    let (inside, _) = element(parameters, SEQUENCE)?;
    let Some((tagged, _)) = element(inside, FIRST) else { return Some(&SHA256) };
    let (algorithm, _) = element(tagged, SEQUENCE)?;
    let (name, _) = element(algorithm, OBJECT)?;
    HASHES.iter().find(|(known, _)| *known == name).map(|(_, hash)| *hash)
}

const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
/// `[0]`, constructed.
const FIRST: u8 = 0xa0;

/// 1.2.840.113549.1.1.10 (RFC 4055).
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
/// Ways to sign (RFC 8017 appendix C, RFC 5758, RFC 3279) and the hash that counts for each.
const SIGNATURES: [(&[u8], &Algorithm); 10] = [
    // With RSA: MD5, SHA-1, SHA-256, SHA-384, SHA-512.
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], &SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], &SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], &SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12], &SHA384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13], &SHA512),
    // With ECDSA: SHA-1, SHA-256, SHA-384, SHA-512.
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], &SHA256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], &SHA256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], &SHA384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4], &SHA512),
    // With DSA and SHA-256.
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2], &SHA256),
];
/// Hashes by themselves (RFC 8017 appendix B.1): SHA-1, SHA-256, SHA-384, SHA-512.
const HASHES: [(&[u8], &Algorithm); 4] = [
    (&[0x2b, 0x0e, 3, 2, 0x1a], &SHA256),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], &SHA256),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2], &SHA384),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], &SHA512),
];

/// What an element of DER holds, and what follows it; `None` unless it is of that kind. TLS has read the certificate before, so what
/// is not sound does not come here; it is only not to be stumbled over.
fn element(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // No certificate is longer than four bytes can say.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (tag == kind).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn der(kind: u8, inside: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
        [&[kind, 0x82][..], &length, inside].concat()
    }

    fn signed_by(algorithm: &[u8]) -> Vec<u8> {
        let tbs = der(SEQUENCE, &[0; 300]);
        der(SEQUENCE, &[tbs, der(SEQUENCE, algorithm), der(3, &[0; 70])].concat())
    }

    #[test]
    fn the_hash_is_that_of_the_signature_but_never_a_broken_one() {
        let named = |name: &[u8]| hash_of(&signed_by(&der(OBJECT, name)));
        for (name, hash) in SIGNATURES {
            assert_eq!(named(name), Some(hash));
        }
        let sha1_with_rsa = named(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]);
        assert_eq!(sha1_with_rsa, Some(&SHA256));
        // Ed25519 (RFC 8410) has no hash that is named.
        assert_eq!(named(&[0x2b, 0x65, 0x70]), None);
        let pss = |inside: &[u8]| hash_of(&signed_by(&[der(OBJECT, RSA_PSS), der(SEQUENCE, inside)].concat()));
        let hash = |name: &[u8]| der(FIRST, &der(SEQUENCE, &der(OBJECT, name)));
        assert_eq!(pss(&[]), Some(&SHA256));
        for (name, algorithm) in HASHES {
            assert_eq!(pss(&hash(name)), Some(algorithm));
        }
        assert_eq!(pss(&hash(&[0x2b])), None);
    }

    #[test]
    fn certificates_are_bound_each_to_itself() {
        let one = signed_by(&der(OBJECT, SIGNATURES[2].0));
        let mut other = one.clone();
        *other.last_mut().unwrap() ^= 1;
        assert!(of(&one).is_some() && of(&one) != of(&other));
    }

    proptest! {
        #[test]
        fn nothing_is_stumbled_over(bytes: Vec<u8>, cut: prop::sample::Index) {
            let _ = of(&bytes);
            let whole = signed_by(&der(OBJECT, SIGNATURES[3].0));
            let _ = of(&whole[..cut.index(whole.len())]);
        }
    }
}
