use proptest::prelude::*;

use super::*;

fn envelope(inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap11:Envelope xmlns:soap11=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap11:Header/>\
         <soap11:Body><m:GetStreamingEventsResponse xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\" \
         xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\"><m:ResponseMessages>{inner}</m:ResponseMessages>\
         </m:GetStreamingEventsResponse></soap11:Body></soap11:Envelope>"
    )
}

fn message(inner: &str) -> String {
    envelope(&format!(
        "<m:GetStreamingEventsResponseMessage ResponseClass=\"Success\"><m:ResponseCode> NoError\n</m:ResponseCode>{inner}\
         </m:GetStreamingEventsResponseMessage>"
    ))
}

fn notification(kind: &str) -> String {
    notifications(&[("s", kind)])
}

fn notifications(all: &[(&str, &str)]) -> String {
    let one = |(id, kind): &(&str, &str)| {
        format!(
            "<m:Notification><t:SubscriptionId>{id}</t:SubscriptionId><t:{kind}><t:Watermark>w</t:Watermark></t:{kind}></m:Notification>"
        )
    };
    message(&format!("<m:Notifications>{}</m:Notifications>", all.iter().map(one).collect::<String>()))
}

/// Everything a server may say, and what it means.
fn parts() -> Vec<(String, Vec<Event>)> {
    let lost = |why, code: &str| vec![Event::Lost(Fault::new(why, code), Vec::new())];
    let changed = |of: &[&str]| vec![Event::Changed(of.iter().map(|id| (*id).to_owned()).collect())];
    let error = envelope(
        "<m:GetStreamingEventsResponseMessage ResponseClass=\"Error\"><m:MessageText>a &gt; b</m:MessageText>\
         <m:ResponseCode>ErrorSubscriptionNotFound</m:ResponseCode></m:GetStreamingEventsResponseMessage>",
    );
    let some = envelope(
        "<m:GetStreamingEventsResponseMessage ResponseClass=\"Error\"><m:ResponseCode>ErrorSubscriptionNotFound</m:ResponseCode>\
         <m:ErrorSubscriptionIds><t:SubscriptionId> one </t:SubscriptionId><t:SubscriptionId>two</t:SubscriptionId></m:ErrorSubscriptionIds>\
         </m:GetStreamingEventsResponseMessage>",
    );
    let gone =
        vec![Event::Lost(Fault::new(Why::NoWatch, "ErrorSubscriptionNotFound"), vec!["one".into(), "two".into()])];
    let fault = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><s:Fault><faultcode>ErrorServerBusy</faultcode></s:Fault>\
                 </s:Body></s:Envelope>";
    vec![
        (message("<m:ConnectionStatus>OK</m:ConnectionStatus>"), vec![Event::Heartbeat]),
        (notification("StatusEvent"), vec![Event::Heartbeat]),
        (notification("ModifiedEvent"), changed(&["s"])),
        (notification("CreatedEvent"), changed(&["s"])),
        (notifications(&[("a", "StatusEvent"), ("b", "DeletedEvent"), ("c", "MovedEvent")]), changed(&["b", "c"])),
        (
            message("<m:Notifications><m:Notification><t:CreatedEvent/></m:Notification></m:Notifications>"),
            changed(&[]),
        ),
        (message("<!-- </a> > --><m:Other t=\"/>\"/><![CDATA[</x>]]]><m:X a='>'/>"), vec![Event::Heartbeat]),
        (message("<m:ConnectionStatus>Closed</m:ConnectionStatus>"), vec![Event::Closed]),
        ("\r\n \u{feff}".to_owned(), vec![]),
        (error, lost(Why::NoWatch, "ErrorSubscriptionNotFound")),
        (some, gone),
        (fault.to_owned(), lost(Why::Throttled, "ErrorServerBusy")),
        ("<html><body>Sorry</body></html>".to_owned(), lost(Why::Malformed, "not an envelope")),
        ("<!DOCTYPE html><html/>".to_owned(), lost(Why::Malformed, "a document type")),
        ("Service unavailable".to_owned(), lost(Why::Malformed, "not an envelope")),
    ]
}

proptest! {
    #[test]
    fn wherever_it_is_cut_the_events_are_the_same(
        said in prop::collection::vec(prop::sample::select(parts()), 0..8), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut expected = Vec::new();
        for event in said.iter().flat_map(|(_, events)| events) {
            expected.push(event.clone());
            if matches!(event, Event::Lost(..)) {
                break;
            }
        }
        let bytes: Vec<u8> = said.iter().flat_map(|(text, _)| text.bytes()).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let mut splitter = Splitter::default();
        let mut heard = Vec::new();
        for ends in cuts.windows(2) {
            heard.extend(splitter.take(&bytes[ends[0]..ends[1]]));
        }
        prop_assert_eq!(&heard, &expected);
        prop_assert_eq!(splitter.end(), None);
        let one_by_one: Vec<Event> = { let mut splitter = Splitter::default(); bytes.iter().flat_map(|byte| splitter.take(&[*byte])).collect() };
        prop_assert_eq!(one_by_one, expected);
    }

    #[test]
    fn what_breaks_off_is_lost_and_nothing_grows_without_end(cut in any::<prop::sample::Index>()) {
        let whole = notification("DeletedEvent");
        let mut splitter = Splitter::default();
        let cut = cut.index(whole.len());
        prop_assert_eq!(splitter.take(&whole.as_bytes()[..cut]), vec![]);
        prop_assert_eq!(splitter.end().is_some(), cut > 0 && !whole[..cut].ends_with("?>"));
    }

    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[<>/?!\\[\\]CDATA\"'a -]{0,80}") {
        Splitter::default().take(&bytes);
        Splitter::default().take(text.as_bytes());
    }
}

#[test]
fn an_envelope_that_does_not_end_is_given_up() {
    let mut splitter = Splitter::default();
    let mut pieces = 0;
    let events = loop {
        let events = splitter.take(&[b"<a>".as_slice(), &[b'x'; 1000]].concat());
        pieces += 1;
        if !events.is_empty() || pieces > 2_000 {
            break events;
        }
    };
    assert_eq!(events, vec![Event::Lost(Fault::new(Why::Malformed, "an envelope without an end"), Vec::new())]);
    assert!(splitter.document.len() <= LONGEST_ENVELOPE);
    assert_eq!(splitter.take(notification("CreatedEvent").as_bytes()), vec![]);
}
