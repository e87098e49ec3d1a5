use super::*;

fn config(pairs: &[(&str, &str)]) -> Config {
    Config::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())).unwrap()
}

#[test]
fn a_token_is_good_until_it_expires_and_only_with_our_key() {
    let (keys, others) = (Keys::any(), Keys::any());
    let now: Timestamp = "2026-03-03T10:00:00Z".parse().unwrap();
    let (account, session) = (AccountId::from_uuid(Uuid::from_u128(1)), SessionId::from_uuid(Uuid::from_u128(2)));
    let token = keys.issue(account, session, now).unwrap();
    assert_eq!(keys.verify(&token, now).unwrap().sub, account);
    assert!(keys.verify(&token, now + SignedDuration::from_secs(599)).is_some());
    assert!(keys.verify(&token, now + ACCESS_TOKEN_LIFE).is_none());
    assert!(others.verify(&token, now).is_none());
}

#[test]
fn a_token_that_names_another_algorithm_is_refused() {
    let keys = Keys::any();
    let now: Timestamp = "2026-03-03T10:00:00Z".parse().unwrap();
    let token =
        keys.issue(AccountId::from_uuid(Uuid::from_u128(1)), SessionId::from_uuid(Uuid::from_u128(2)), now).unwrap();
    let rest = token.split_once('.').unwrap().1;
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"alg":"RS256"}"#] {
        assert!(keys.verify(&format!("{}.{rest}", BASE64_URL.encode(header)), now).is_none(), "{header}");
    }
    for garbage in ["", ".", "..", "a.b.c", &token[..token.len() - 4]] {
        assert!(keys.verify(garbage, now).is_none());
    }
}

#[tokio::test]
async fn lookups_and_sealed_texts_survive_a_change_of_the_master_key() {
    let (signing, master) = Keys::generate().unwrap();
    let (_, next) = Keys::generate().unwrap();
    let before = Keys::of(&config(&[("CARNET_SIGNING_KEY", &signing), ("CARNET_MASTER_KEY", &master)])).unwrap();
    let after = Keys::of(&config(&[
        ("CARNET_SIGNING_KEY", &signing),
        ("CARNET_MASTER_KEY", &next),
        ("CARNET_MASTER_KEYS_BEFORE", &master),
        ("CARNET_LOOKUP_KEY", &master),
    ]))
    .unwrap();
    assert_eq!(before.lookup_mark(), after.lookup_mark());
    let lookup = |keys: &Keys, kind, value| keys.lookup(kind, value).unwrap();
    assert_eq!(lookup(&before, "email", " Ada@Exemple.org"), lookup(&after, "email", "ada@exemple.org"));
    assert_ne!(lookup(&after, "phone", "ada@exemple.org"), lookup(&after, "email", "ada@exemple.org"));
    let ada = Uuid::from_u128(1);
    let (wrapped, key) = before.new_owner(ada).await.unwrap();
    let sealed = key.seal("patient.identity", ada, "Ada").unwrap();
    let rewrapped = after.rewrap(ada, &wrapped).await.unwrap();
    assert!(rewrapped.starts_with(after.master_id().unwrap()));
    for wrapped in [&wrapped, &rewrapped] {
        let key = after.owner(ada, Some(wrapped)).await.unwrap();
        assert_eq!(key.open("patient.identity", ada, &sealed).unwrap(), "Ada");
    }
    assert!(before.owner(ada, Some(&rewrapped)).await.is_err());
}

#[tokio::test]
async fn who_is_given_no_key_signs_opens_and_looks_up_nothing() {
    let all = Keys::any();
    let now: Timestamp = "2026-03-03T10:00:00Z".parse().unwrap();
    let (account, session) = (AccountId::from_uuid(Uuid::from_u128(1)), SessionId::from_uuid(Uuid::from_u128(2)));
    let token = all.issue(account, session, now).unwrap();
    let (wrapped, _) = all.new_owner(account).await.unwrap();
    let none = all.only(&|_| false);
    assert!(none.verify(&token, now).is_none() && none.public().is_empty() && none.lookup_mark().is_none());
    assert!(matches!(none.issue(account, session, now), Err(KeyError::Missing(SIGNING))));
    assert!(matches!(none.owner(account, Some(&wrapped)).await, Err(KeyError::Missing(MASTER))));
    assert!(matches!(none.fingerprint(b"x"), Err(KeyError::Missing(LOOKUP))));
    assert!(matches!(none.link_token("x", Uuid::nil()), Err(KeyError::Missing(LOOKUP))));

    let verifies = all.only(&|name| name == VERIFYING);
    assert_eq!(verifies.verify(&token, now).unwrap().sub, account);
    assert!(matches!(verifies.issue(account, session, now), Err(KeyError::Missing(SIGNING))));
    // The same from the public half alone, as it is published.
    let public = config(&[(VERIFYING, &all.public()[0].x)]);
    let alone = Keys::those(&public, &|name| name == VERIFYING).unwrap();
    assert_eq!(alone.verify(&token, now).unwrap().sub, account);
    assert!(alone.issue(account, session, now).is_err());
    let (private, _) = Keys::generate().unwrap();
    for wrong in ["", "AAAA", &private] {
        let error = Keys::those(&config(&[(VERIFYING, wrong)]), &|name| name == VERIFYING).map(drop).unwrap_err();
        assert!(error.to_string().contains(VERIFYING), "{wrong}: {error}");
    }
}

#[test]
fn a_key_that_is_missing_or_wrong_is_named() {
    let (signing, master) = Keys::generate().unwrap();
    let (_, former) = Keys::generate().unwrap();
    for (pairs, named) in [
        (vec![("CARNET_MASTER_KEY", master.as_str())], "CARNET_SIGNING_KEY"),
        (vec![("CARNET_SIGNING_KEY", signing.as_str())], "CARNET_MASTER_KEY"),
        (vec![("CARNET_SIGNING_KEY", &signing), ("CARNET_MASTER_KEY", "AAAA")], "CARNET_MASTER_KEY"),
        (
            vec![("CARNET_SIGNING_KEY", &signing), ("CARNET_MASTER_KEY", &master), ("CARNET_LOOKUP_KEY", "é")],
            "CARNET_LOOKUP_KEY",
        ),
        (
            vec![("CARNET_SIGNING_KEY", &signing), ("CARNET_MASTER_KEY", &master), ("CARNET_LOOKUP_KEY", "AAAA")],
            "CARNET_LOOKUP_KEY",
        ),
        (
            // Of the two nobody can say which was the first.
            vec![
                ("CARNET_SIGNING_KEY", &signing),
                ("CARNET_MASTER_KEY", &master),
                ("CARNET_MASTER_KEYS_BEFORE", &former),
            ],
            "CARNET_LOOKUP_KEY: is missing",
        ),
        (
            vec![
                ("CARNET_SIGNING_KEY", &signing),
                ("CARNET_MASTER_KEY", "aws-kms:key?region=eu-west-3"),
                ("AWS_ACCESS_KEY_ID", "id"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
            ],
            "CARNET_LOOKUP_KEY: is missing",
        ),
    ] {
        let error = Keys::of(&config(&pairs)).map(drop).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn of_keys_at_fault_none_hides_another_one() {
    let (signing, master) = Keys::generate().unwrap();
    let sound = [
        ("CARNET_SIGNING_KEY", signing.as_str()),
        ("CARNET_SIGNING_KEYS_BEFORE", &signing),
        ("CARNET_VERIFYING_KEYS", &signing),
        ("CARNET_MASTER_KEY", &master),
        ("CARNET_MASTER_KEYS_BEFORE", &master),
        ("CARNET_LOOKUP_KEY", &master),
    ];
    let told = |pairs: &[(&str, &str)]| {
        let faults = Keys::faults(&config(pairs), &|_| true);
        faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told(&sound), [""; 0]);
    // No base64; base64 of what is no key.
    for (wrong, as_wrong) in [("s3cret!", "s3cret?"), ("aGVsbG8=", "d29ybGQ=")] {
        for (one, (first, _)) in sound.iter().enumerate() {
            for (second, _) in &sound[one + 1..] {
                let faulty = sound.map(|(name, key)| match name {
                    name if name == *first => (name, wrong),
                    name if name == *second => (name, as_wrong),
                    _ => (name, key),
                });
                let wanted = [first, second].map(|name| format!("{name} is not a usable key"));
                let mut said = told(&faulty);
                said.sort_unstable_by_key(|fault| wanted.iter().position(|it| it == fault));
                assert_eq!(said, wanted);
            }
        }
    }
}
