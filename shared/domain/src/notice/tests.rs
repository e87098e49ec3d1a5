use super::*;
use proptest::prelude::*;

fn any_kind() -> impl Strategy<Value = NoticeKind> {
    prop::sample::select(NoticeKind::ALL.to_vec())
}
fn any_status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![Status::Held, Status::Booked, Status::Cancelled, Status::Expired])
}

proptest! {
    #[test]
    fn nothing_is_told_after_the_beginning_nor_of_what_does_not_stand(
        kind in any_kind(), status in any_status(), starts in 0_i64..1000, now in 0_i64..1000,
        told_version in 1_i64..4, version in 1_i64..4, still_theirs: bool, farewell: bool,
    ) {
        let at = |second| Timestamp::from_second(second).unwrap();
        let told = Told { version: told_version, starts_at: at(starts), ends_at: farewell.then(|| at(starts + 60)) };
        if untrue(kind, &told, Standing { status, version, still_theirs }, at(now)).is_none() {
            prop_assert!(now < starts);
            if farewell {
                prop_assert!(!still_theirs);
            } else if kind == NoticeKind::Cancellation {
                prop_assert_eq!(status, Status::Cancelled);
            } else {
                prop_assert_eq!(status, Status::Booked);
                prop_assert_eq!(told_version, version);
            }
        }
    }

    #[test]
    fn pauses_grow_and_stay_in_bounds(attempts in 0_u32..200, jitter in 0_u16..=1000) {
        let wait = pause(attempts, jitter);
        prop_assert!(wait >= FIRST_PAUSE / 2 && wait <= LONGEST_PAUSE);
    }
}

#[test]
fn delivery_is_tried_for_at_least_41_hours() {
    let (mut waited, mut attempts) = (SignedDuration::ZERO, 0);
    while waited < GIVE_UP_AFTER {
        attempts += 1;
        waited += pause(attempts, 1000);
    }
    assert!(waited >= SignedDuration::from_hours(41));
    assert!((30..200).contains(&attempts), "{attempts} attempts");
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn night(from: &str, until: &str) -> Night {
    Night::try_from(Ends { from: from.into(), until: until.into() }).unwrap()
}

#[test]
fn a_night_is_told_by_the_clock_of_the_place_also_when_clocks_change() {
    let (paris, usual) = (zone("Europe/Paris"), Night::usual().unwrap());
    for (at, ends) in [
        ("2026-03-02T21:00:00Z", Some("2026-03-03T06:00:00Z")),
        ("2026-03-02T20:59:59Z", None),
        ("2026-03-03T05:59:59Z", Some("2026-03-03T06:00:00Z")),
        ("2026-03-03T06:00:00Z", None),
        // The night in which an hour is left out, and the one with an hour twice.
        ("2026-03-28T22:00:00Z", Some("2026-03-29T05:00:00Z")),
        ("2026-10-24T21:00:00Z", Some("2026-10-25T06:00:00Z")),
    ] {
        assert_eq!(usual.at(&paris, instant(at)).map(|night| night.end()), ends.map(instant), "{at}");
    }
    // It ends in the hour that is left out: when clocks jump over it.
    let short = night("23:00", "02:30");
    assert_eq!(short.at(&paris, instant("2026-03-29T00:30:00Z")).unwrap().end(), instant("2026-03-29T01:00:00Z"));
    // It ends in the hour that comes twice: at the end that is ahead.
    let ends = |at: &str| short.at(&paris, instant(at)).map(|night| night.end());
    assert_eq!(ends("2026-10-25T00:10:00Z"), Some(instant("2026-10-25T00:30:00Z")));
    assert_eq!(ends("2026-10-25T00:45:00Z"), None);
    assert_eq!(ends("2026-10-25T01:10:00Z"), Some(instant("2026-10-25T01:30:00Z")));
    for wrong in
        [("22:00", "22:00"), ("7:00", "09:00"), ("22:00", "24:00"), ("+1:00", "02:00"), ("20:00", "09:00"), ("", "")]
    {
        assert!(Night::try_from(Ends { from: wrong.0.into(), until: wrong.1.into() }).is_err(), "{wrong:?}");
    }
}

#[test]
fn preferences_are_parsed_and_have_sound_defaults() {
    let read = |text: &str| serde_json::from_str::<Preferences>(text);
    assert_eq!(read("{}").unwrap(), Preferences::default());
    assert_eq!(read(r#"{"night": null}"#).unwrap().night, None);
    let steps = read(r#"{"steps": [60, 10080, 60]}"#).unwrap().steps;
    assert_eq!(steps.as_slice().iter().map(|step| step.minutes()).collect::<Vec<_>>(), [10080, 60]);
    for wrong in [
        r#"{"steps": [29]}"#,
        r#"{"steps": [43201]}"#,
        r#"{"steps": [30, 31, 32, 33, 34]}"#,
        r#"{"channels": []}"#,
        r#"{"channels": ["email", "email"]}"#,
        r#"{"channels": ["letter"]}"#,
        r#"{"time_zone": "UTC+1"}"#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    let kept = serde_json::to_string(&Preferences::default()).unwrap();
    assert_eq!(read(&kept).unwrap(), Preferences::default());
}

#[test]
fn reminders_go_out_by_day_and_late_bookings_get_the_last_one_only() {
    let paris = zone("Europe/Paris");
    let steps = |minutes: &[i64]| {
        let steps: Vec<Step> = minutes.iter().map(|it| Step::try_from(*it).unwrap()).collect();
        Preferences { steps: Steps::try_from(steps).unwrap(), ..Preferences::default() }
    };
    let (week, day, hour) = (10080, 1440, 60);
    let all = steps(&[week, day, hour]);
    let plan = |step: i64, starts: &str, agreed: &str, now: &str| {
        let visit = Visit { starts_at: instant(starts), agreed_at: instant(agreed) };
        reminder(Step::try_from(step).unwrap(), visit, &all, &paris, instant(now))
    };
    let (monday, now) = ("2026-03-09T14:00:00Z", "2026-03-01T08:00:00Z");
    assert_eq!(plan(day, monday, now, now), Due::At(instant("2026-03-08T14:00:00Z")));
    assert_eq!(plan(week, monday, now, now), Due::At(instant("2026-03-02T14:00:00Z")));
    // Agreed on three days ahead: the week is past, the day is not.
    assert_eq!(plan(week, monday, "2026-03-06T14:00:00Z", now), Due::Never("booked late"));
    // Agreed on two hours ahead: no step is left, and four hours later it has begun.
    assert_eq!(plan(hour, monday, "2026-03-09T12:00:00Z", now), Due::Never("booked late"));
    // At six in the morning: the day before at six is night, and so are five hours before: in the morning, the evening before.
    let early = "2026-03-09T05:00:00Z";
    assert_eq!(plan(day, early, now, now), Due::At(instant("2026-03-08T06:00:00Z")));
    assert_eq!(plan(hour, early, now, now), Due::At(instant("2026-03-08T20:45:00Z")));
    // Too late for the evening before.
    assert_eq!(plan(hour, early, now, "2026-03-08T23:00:00Z"), Due::Never("night"));
}

#[test]
fn states_follow_each_other_as_the_table_says() {
    for state in NoticeState::ALL {
        for (next, why) in state.next() {
            assert!(!why.is_empty(), "{state:?} {next:?}");
        }
        let ends = state.next().is_empty();
        assert_eq!(ends, matches!(state, NoticeState::Read | NoticeState::Skipped), "{state:?}");
    }
}

#[test]
fn words_of_an_establishment_tell_nothing_that_a_notice_must_not() {
    let mail = Part::Body(NoticeChannel::Email);
    let sms = Part::Body(NoticeChannel::Sms);
    let words = Words::parse("Bonjour,\nle {{ date }} à {{time}} avec {{ practitioner }}. {{ link }}", mail).unwrap();
    let written = words.write(|variable| match variable {
        Variable::Date => "3 mars",
        Variable::Practitioner => "{{ reason }}",
        _ => "x",
    });
    assert_eq!(written, "Bonjour,\nle 3 mars à x avec {{ reason }}. x", "values are no words");
    for (text, part, code) in [
        ("", mail, "words-empty"),
        ("  ", sms, "words-empty"),
        ("{{ date", mail, "words-braces"),
        ("date }}", mail, "words-braces"),
        ("{ date }", mail, "words-braces"),
        ("{{ {{ date }} }}", mail, "words-unknown"),
        ("{{ colour }}", mail, "words-unknown"),
        ("{% for x in y %}", mail, "words-braces"),
        ("{{ patient }}", mail, "words-forbidden"),
        ("{{ reason }}", mail, "words-forbidden"),
        ("avec {{ practitioner }}", sms, "words-forbidden"),
        ("{{ place }}", Part::Subject, "words-forbidden"),
        ("{{ link }}", Part::Subject, "words-forbidden"),
        ("voyez https://suivi.example/", mail, "words-link"),
        ("voyez WWW.suivi.example", sms, "words-link"),
        ("voyez bit.ly/3xYz", sms, "words-link"),
        ("(suivi.example/x)", mail, "words-link"),
        ("suivi.example:8080", sms, "words-link"),
        ("Voyez Pharmacie-du-Port.FR.", mail, "words-link"),
        ("ecrire@pharmacie.fr", mail, "words-link"),
        ("bit。ly/3xYz", mail, "words-link"),
        ("{{ date }}bit.ly/{{ time }}", sms, "words-link"),
        ("deux\nlignes", sms, "words-unseen"),
        ("deux\nlignes", Part::Subject, "words-unseen"),
        ("a\u{202e}b", mail, "words-unseen"),
        ("a\0b", mail, "words-unseen"),
    ] {
        assert_eq!(Words::parse(text, part).unwrap_err().code(), code, "{text:?} {part:?}");
    }
    assert_eq!(Words::parse(&"a".repeat(101), Part::Subject).unwrap_err(), WordsError::TooLong(100));
    for text in [
        "Le 03.03/04.03 de 8.00/9.00.",
        "Fini.Merci",
        "a.m./p.m.",
        "1.5ml/kg",
        "M. et Mme, etc. / merci...",
        "Contact.: 04 78 00",
    ] {
        assert!(Words::parse(text, mail).is_ok(), "{text}");
    }
}

mod interleaving;
mod nights;
