//! Where Exchange Web Services are spoken to, and where not.

use http::Uri;

use crate::{Fault, Why};

/// Domains of Exchange Online, where these services are no longer to be used
/// (<https://techcommunity.microsoft.com/blog/exchange/retirement-of-exchange-web-services-in-exchange-online/3924440>).
const ONLINE: [&str; 6] =
    ["office365.com", "outlook.com", "outlook.office.com", "office.com", "partner.outlook.cn", "office365.us"];

/// Whether a host is Exchange Online's.
pub fn is_online(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    ONLINE.iter().any(|domain| host == *domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

/// Whether a host is this machine: there alone nothing is encrypted.
fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether requests with credentials may go to an address.
///
/// # Errors
/// [`Why::Refused`], with the remedy in the code.
pub fn allowed(address: &Uri) -> Result<(), Fault> {
    let host = address.host().unwrap_or_default();
    if host.is_empty() {
        return Err(Fault::new(Why::Refused, "not an address"));
    }
    if is_online(host) {
        return Err(Fault::new(Why::Refused, "Exchange Online is reached by Microsoft Graph, not by EWS"));
    }
    if address.scheme_str() == Some("https") || (address.scheme_str() == Some("http") && is_here(host)) {
        return Ok(());
    }
    Err(Fault::new(Why::Refused, "only https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn online_and_what_is_not_encrypted_is_refused() {
        let judge = |address: &str| allowed(&address.parse().unwrap()).map_err(|fault| fault.code);
        for online in [
            "https://outlook.office365.com/EWS/Exchange.asmx",
            "https://OUTLOOK.OFFICE365.COM./x",
            "https://x.office365.com/",
            "https://eur.outlook.com/",
            "https://outlook.office.com/",
            "https://outlook.com:443/",
            "https://partner.outlook.cn/",
        ] {
            assert!(judge(online).unwrap_err().contains("Graph"), "{online}");
        }
        assert_eq!(judge("http://mail.example.fr/EWS/Exchange.asmx").unwrap_err(), "only https");
        assert_eq!(judge("/EWS").unwrap_err(), "not an address");
        for ours in [
            "https://mail.example.fr/EWS/Exchange.asmx",
            "https://myoutlook.com/",
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
            "http://localhost/",
        ] {
            assert_eq!(judge(ours), Ok(()), "{ours}");
        }
    }
}
