use proptest::prelude::*;

use super::*;

/// MS-NLMP §4.2.1: the values that its examples have in common.
const CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const NONCE: [u8; 8] = [0xaa; 8];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter(|it| !it.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn example() -> Account {
    Account::new("Domain\\User", "Password")
}

/// §4.2.4.3: the server's message.
fn message() -> Vec<u8> {
    bytes(
        "4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef 0000000000000000 24002400 44000000
         060070170000000f 530065007200760065007200 02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000",
    )
}

fn proof(negotiate: &[u8]) -> Proof<'_> {
    Proof { negotiate, host: "mail.example", binding: Some([7; 16]), nonce: NONCE, now: Timestamp::UNIX_EPOCH }
}

/// One part of a third message, by the place of its length, length and offset.
fn part(message: &[u8], at: usize) -> &[u8] {
    let length = usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
    let place = number(&message[at + 4..at + 8]) as usize;
    &message[place..place + length]
}

#[test]
fn keys_and_answers_are_those_of_the_specification() {
    let secret = example().secret();
    assert_eq!(secret[..], bytes("0c868a40 3bfd7a93 a3001ef2 2ef02e3f"));
    let target = bytes("02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000");
    let (answer, key) = shown(&secret, CHALLENGE, &[0; 8], NONCE, &target);
    assert_eq!(answer[..16], bytes("68cd0ab8 51e51c96 aabc927b ebef6a1c"));
    assert_eq!(
        answer[16..],
        [bytes("0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000"), target, vec![0; 4]].concat()
    );
    assert_eq!(key[..], bytes("8de40cca dbc14a82 f15cb0ad 0de95ca3"));
    assert_eq!(hmac_md5(&secret, &[&CHALLENGE, &NONCE])[..], bytes("86c35097 ac9cec10 2554764a 57cccc19"));
}

#[test]
fn the_servers_message_of_the_specification_is_read() {
    let message = message();
    let read = Challenge::read(&message).unwrap();
    assert_eq!((read.flags, read.challenge), (0xe28a_8233, CHALLENGE));
    assert_eq!(read.target, [(2, &utf16("Domain")[..]), (1, &utf16("Server")[..])]);
}

#[test]
fn the_third_message_says_whom_it_means_and_over_which_connection() {
    let (negotiate, challenge) = (negotiate(), message());
    let read = Challenge::read(&challenge).unwrap();
    let answer = read.answer(&example(), &proof(&negotiate));
    assert_eq!((&answer[..8], number(&answer[8..12])), (&SIGNATURE[..], 3));
    assert_eq!((part(&answer, 28), part(&answer, 36)), (&utf16("Domain")[..], &utf16("User")[..]));
    // No time from the server: the answer of the older kind is that of the specification, and the time is ours.
    assert_eq!(part(&answer, 12), bytes("86c35097 ac9cec10 2554764a 57cccc19 aaaaaaaaaaaaaaaa"));
    let newer = part(&answer, 20);
    assert_eq!(newer[24..32], 116_444_736_000_000_000_i64.to_le_bytes());
    let said = pairs(newer, 44, newer.len() - 44).unwrap();
    let value =
        |kind: u16| said.iter().filter(|(it, _)| *it == kind).map(|(_, value)| value.to_vec()).collect::<Vec<_>>();
    assert_eq!((value(2), value(1)), (vec![utf16("Domain")], vec![utf16("Server")]));
    assert_eq!((value(FLAGS), value(CHANNEL_BINDINGS)), (vec![vec![2, 0, 0, 0]], vec![vec![7; 16]]));
    assert_eq!(value(TARGET_NAME), [utf16("HTTP/mail.example")]);
    // All three messages are under the integrity code.
    let mut blank = answer.clone();
    blank[INTEGRITY].fill(0);
    let secret = example().secret();
    let key = hmac_md5(&secret, &[&newer[..16]]);
    assert_eq!(answer[INTEGRITY], hmac_md5(&key, &[&negotiate, &challenge, &blank]));
}

#[test]
fn a_server_that_says_its_time_is_answered_at_it_and_with_nothing_older() {
    let target = bytes("0700 0800 0102030405060708 0600 0400 01000000 00000000");
    let mut challenge = message();
    challenge.truncate(68);
    challenge[40..44].copy_from_slice(&[
        u8::try_from(target.len()).unwrap(),
        0,
        u8::try_from(target.len()).unwrap(),
        0,
    ]);
    challenge.extend(&target);
    let answer = Challenge::read(&challenge).unwrap().answer(&example(), &proof(&negotiate()));
    assert_eq!(part(&answer, 12), [0; 24]);
    let newer = part(&answer, 20);
    assert_eq!(newer[24..32], [1, 2, 3, 4, 5, 6, 7, 8]);
    // Its flags stay, once, beside ours.
    let said = pairs(newer, 44, newer.len() - 44).unwrap();
    let flags: Vec<_> = said.iter().filter(|(kind, _)| *kind == FLAGS).map(|(_, value)| number(value)).collect();
    assert_eq!(flags, [1 | HAS_INTEGRITY]);
}

#[test]
fn names_are_written_large_as_windows_does() {
    assert_eq!(upper("straße.élodie"), "STRAßE.ÉLODIE");
    let secret = |user: &str| Account::new(user, "é€").secret();
    assert_eq!(secret("Zoé@clinique.example"), secret("ZOÉ@CLINIQUE.EXAMPLE"));
    // A domain counts as it is written.
    assert_ne!(secret("Clinique\\zoé"), secret("clinique\\zoé"));
}

proptest! {
    #[test]
    fn whatever_a_server_says_is_answered_or_refused(mut noise: Vec<u8>, at: prop::sample::Index, value: u8, cut: prop::sample::Index) {
        let _ = Challenge::read(&noise).map(|read| read.answer(&example(), &proof(&[])));
        let mut changed = message();
        let at = at.index(changed.len());
        changed[at] = value;
        changed.truncate(cut.index(changed.len()) + 1);
        let _ = Challenge::read(&changed).map(|read| read.answer(&example(), &proof(&[])));
        noise.splice(0..0, message());
        prop_assert!(Challenge::read(&noise).is_ok());
    }
}
