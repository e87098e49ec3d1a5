use super::*;

fn answer(account: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\"><Response \
         xmlns=\"{ANSWERS}\"><User><DisplayName>x</DisplayName></User><Account><AccountType>email</AccountType>{account}</Account></Response>\
         </Autodiscover>"
    )
}

fn protocol(kind: &str, url: &str) -> String {
    format!("<Protocol><Type>{kind}</Type><EwsUrl>{url}</EwsUrl></Protocol>")
}

fn heard(search: &mut Search, status: u16, body: &str) -> Next {
    search.heard(Reply::Answer(StatusCode::from_u16(status).unwrap(), None, body.as_bytes()))
}

fn sent(search: &mut Search, location: &str) -> Next {
    search.heard(Reply::Answer(StatusCode::FOUND, Some(location), b""))
}

fn asks(search: &Search) -> (String, bool) {
    let ask = search.ask().unwrap();
    (ask.address.to_string(), ask.proof)
}

fn online() -> String {
    answer(
        "<Action>redirectUrl</Action><RedirectUrl>https://autodiscover-s.outlook.com/Autodiscover/Autodiscover.xml</RedirectUrl>",
    )
}

#[test]
fn the_domain_is_asked_and_then_its_autodiscover() {
    let mut search = Search::new("dr.a@Clinic.example").unwrap();
    assert_eq!(asks(&search), ("https://clinic.example/autodiscover/autodiscover.xml".to_owned(), true));
    assert!(
        String::from_utf8(search.ask().unwrap().body)
            .unwrap()
            .contains("<EMailAddress>dr.a@Clinic.example</EMailAddress>")
    );
    assert_eq!(heard(&mut search, 200, "<html><body>Welcome</body></html>"), Next::On);
    assert_eq!(asks(&search), ("https://autodiscover.clinic.example/autodiscover/autodiscover.xml".to_owned(), true));
    let both = answer(&format!(
        "{}{}{}",
        protocol("EXCH", "https://inside.clinic.example/EWS/Exchange.asmx"),
        protocol("EXPR", "http://clear.clinic.example/"),
        protocol("EXPR", "https://mail.clinic.example/EWS/Exchange.asmx")
    ));
    assert_eq!(
        heard(&mut search, 200, &both),
        Next::Found("https://mail.clinic.example/EWS/Exchange.asmx".parse().unwrap())
    );
}

#[test]
fn a_foreign_host_gets_credentials_only_when_it_asks_for_them() {
    let mut search = Search::new("dr.a@clinic.example").unwrap();
    assert_eq!(sent(&mut search, "https://autodiscover.hoster.example/autodiscover/autodiscover.xml"), Next::On);
    assert!(!asks(&search).1);
    assert_eq!(heard(&mut search, 401, ""), Next::On);
    assert_eq!(asks(&search), ("https://autodiscover.hoster.example/autodiscover/autodiscover.xml".to_owned(), true));
    assert_eq!(heard(&mut search, 401, ""), Next::On);
    assert_eq!(asks(&search).0, "https://autodiscover.clinic.example/autodiscover/autodiscover.xml");
    // A web site that knows nothing is not told who we are.
    assert_eq!(sent(&mut search, "https://www.clinic.example/"), Next::On);
    assert!(!asks(&search).1);
    assert!(matches!(heard(&mut search, 404, ""), Next::Failed(fault) if fault.why == Why::Unauthenticated));
    assert_eq!(search.ask(), None);
}

#[test]
fn another_address_does_not_take_the_credentials_along() {
    let mut search = Search::new("dr.a@clinic.example").unwrap();
    let other = |address: &str| answer(&format!("<Action>redirectAddr</Action><RedirectAddr>{address}</RedirectAddr>"));
    assert_eq!(heard(&mut search, 200, &other("a@evil.example")), Next::On);
    assert_eq!(asks(&search), ("https://evil.example/autodiscover/autodiscover.xml".to_owned(), false));
    assert_eq!(sent(&mut search, "https://evil.example/x"), Next::On);
    assert!(!asks(&search).1);
    assert_eq!(heard(&mut search, 200, &other("a@clinic.example")), Next::On);
    assert!(asks(&search).1);
}

#[test]
fn nothing_is_followed_to_where_it_is_not_encrypted_nor_for_ever() {
    for bad in [
        "http://autodiscover.clinic.example/",
        "/relative",
        "https://user@clinic.example/",
        "ftp://x.example/",
        "http://localhost/",
        "\u{0}",
    ] {
        let mut search = Search::new("a@clinic.example").unwrap();
        assert_eq!(sent(&mut search, bad), Next::On, "{bad}");
        assert_eq!(asks(&search).0, "https://autodiscover.clinic.example/autodiscover/autodiscover.xml");
    }
    let mut search = Search::new("a@clinic.example").unwrap();
    let mut times = 0;
    while sent(&mut search, "https://clinic.example/again") == Next::On {
        times += 1;
        assert!(times <= MOST_REDIRECTIONS);
    }
}

#[test]
fn exchange_online_is_named_as_what_it_is() {
    let mut search = Search::new("a@clinic.example").unwrap();
    assert_eq!(heard(&mut search, 200, &online()), Next::On);
    assert!(matches!(search.heard(Reply::Nothing), Next::Failed(fault) if fault.code.contains("Graph")));
    let mut search = Search::new("a@clinic.example").unwrap();
    let server = answer(&protocol("EXPR", "https://outlook.office365.com/EWS/Exchange.asmx"));
    assert_eq!(heard(&mut search, 200, &server), Next::On);
    assert!(matches!(heard(&mut search, 404, ""), Next::Failed(fault) if fault.code.contains("Graph")));
}

#[test]
fn what_the_server_does_not_know_is_said() {
    let mut search = Search::new("a@clinic.example").unwrap();
    assert_eq!(search.heard(Reply::Nothing), Next::On);
    let unknown = "<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\"><Response><Error Time=\"1\" Id=\"2\">\
                   <ErrorCode>500</ErrorCode><Message>The e-mail address can't be found.</Message></Error></Response></Autodiscover>";
    assert!(
        matches!(heard(&mut search, 200, unknown), Next::Failed(fault) if fault == Fault::new(Why::NoMailbox, "Autodiscover 500"))
    );
    for no in
        ["", "a", "a@", "@clinic.example", "a@localhost", "a@b/c.example", "a@evil.example#.clinic", "a@b.example:1"]
    {
        assert_eq!(Search::new(no).unwrap_err().why, Why::NoMailbox, "{no}");
    }
}
