//! Where a request really came from, when proxies stand between. What a header says is believed only as far as proxies
//! that are ours wrote it: from the right, up to the first address that is not one of them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;

/// Addresses that share a prefix, as CIDR writes them; a bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: u128,
    mask: u128,
}

/// As one number, IPv4 within IPv6 (RFC 4291 §2.5.5.2).
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    /// Whether the address is one of it.
    pub fn holds(self, address: IpAddr) -> bool {
        number(address) & self.mask == self.address
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "is not a list of networks such as 10.0.0.0/8";
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong)?;
        let (before, most) = if address.is_ipv4() { (96, 32) } else { (0, 128) };
        let bits: u32 = bits.map_or(Ok(most), str::parse).map_err(|_| wrong)?;
        if bits > most {
            return Err(wrong);
        }
        let mask = u128::MAX.checked_shl(128 - before - bits).unwrap_or(0);
        Ok(Self { address: number(address) & mask, mask })
    }
}

/// What is known of the way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Origin {
    /// The client.
    pub address: Option<IpAddr>,
    /// A trusted proxy says that the client spoke TLS to it.
    pub https: bool,
}

/// Follows the hops from the peer to the client.
///
/// `Forwarded` (RFC 7239) and `X-Forwarded-For` are two accounts of one way. A proxy writes one of them and passes the
/// other on as it came, perhaps from the client: where both are there and differ, neither is believed.
pub(super) fn origin(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[Network]) -> Origin {
    let Some(peer) = peer.map(|peer| peer.to_canonical()) else { return Origin::default() };
    let ours = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let direct = Origin { address: Some(peer), https: false };
    if !ours(peer) {
        return direct;
    }
    let standard = joined(headers, "forwarded").map(|text| follow(peer, &standard_hops(&text), ours));
    let common = joined(headers, "x-forwarded-for").map(|text| {
        let hops: Vec<Hop> = text.split(',').map(|node| Hop { address: address(node), https: false }).collect();
        let proto = joined(headers, "x-forwarded-proto").unwrap_or_default();
        let https = proto.rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("https"));
        Origin { https, ..follow(peer, &hops, ours) }
    });
    match (standard, common) {
        (Some(one), Some(other)) if one.address == other.address => {
            Origin { address: one.address, https: one.https || other.https }
        }
        (Some(_), Some(_)) | (None, None) => direct,
        (Some(only), None) | (None, Some(only)) => only,
    }
}

/// All lines of a header as one; none when it is absent or not text.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().ok());
    let lines: Vec<&str> = lines.collect::<Option<_>>()?;
    (!lines.is_empty()).then(|| lines.join(","))
}

/// Who spoke to a proxy, as that proxy tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hop {
    address: Option<IpAddr>,
    https: bool,
}

fn follow(peer: IpAddr, hops: &[Hop], ours: impl Fn(IpAddr) -> bool) -> Origin {
    let mut found = Origin { address: Some(peer), https: false };
    for hop in hops.iter().rev() {
        if !found.address.is_some_and(&ours) {
            break;
        }
        // Unknown, hidden or nonsense: the last that is known stands for it.
        let Some(address) = hop.address else { break };
        found = Origin { address: Some(address), https: hop.https };
    }
    found
}

/// The elements of `Forwarded`, in order; one that is not understood is a hop without an address.
fn standard_hops(text: &str) -> Vec<Hop> {
    let elements = split(text, ',');
    elements
        .iter()
        .map(|element| {
            let mut hop = Hop { address: None, https: false };
            let mut named = 0;
            for pair in split(element, ';') {
                let Some((name, value)) = pair.split_once('=') else { continue };
                let value = unquoted(value.trim());
                if name.trim().eq_ignore_ascii_case("for") {
                    named += 1;
                    hop.address = address(&value);
                } else if name.trim().eq_ignore_ascii_case("proto") {
                    hop.https = value.eq_ignore_ascii_case("https");
                }
            }
            if named == 1 { hop } else { Hop { address: None, ..hop } }
        })
        .collect()
}

/// Parts between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let ends = c == separator && !quoted;
        (quoted, escaped) = match c {
            _ if escaped => (quoted, false),
            '\\' if quoted => (quoted, true),
            '"' => (!quoted, false),
            _ => (quoted, false),
        };
        ends
    })
    .collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return value.to_owned() };
    let mut escaped = false;
    inner
        .chars()
        .filter(|&c| {
            escaped = c == '\\' && !escaped;
            !escaped
        })
        .collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let bare = || node.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || node.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    node.parse().ok().or_else(bare).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trusted() -> Vec<Network> {
        ["10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"].map(|network| network.parse().unwrap()).to_vec()
    }

    fn found(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(*name, line.parse().unwrap());
        }
        let origin = origin(Some(peer.parse().unwrap()), &headers, &trusted());
        format!("{}{}", origin.address.unwrap(), if origin.https { " https" } else { "" })
    }

    #[test]
    fn networks_are_what_their_prefix_says() {
        let holds = |network: &str, address: &str| network.parse::<Network>().unwrap().holds(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "192.0.2.1") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1") && holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.6"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"), "IPv4 within IPv6 is IPv4");
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "x/8", "10.0.0.0/-1"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_our_own_proxies_wrote_is_believed() {
        let x = "x-forwarded-for";
        assert_eq!(found("192.0.2.9", &[(x, "198.51.100.1")]), "192.0.2.9", "the peer is not a proxy of ours");
        assert_eq!(found("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(found("10.0.0.1", &[(x, "198.51.100.1")]), "198.51.100.1");
        assert_eq!(
            found("10.0.0.1", &[(x, "6.6.6.6, 198.51.100.1, 10.2.2.2")]),
            "198.51.100.1",
            "the left is the client's"
        );
        assert_eq!(
            found("10.0.0.1", &[(x, "6.6.6.6"), (x, "198.51.100.1:4711")]),
            "198.51.100.1",
            "lines are one list"
        );
        assert_eq!(found("10.0.0.1", &[(x, "6.6.6.6, junk")]), "10.0.0.1");
        assert_eq!(found("::ffff:10.0.0.1", &[(x, "[2001:db8::1]:443")]), "2001:db8::1");
        assert_eq!(
            found("10.0.0.1", &[(x, "198.51.100.1"), ("x-forwarded-proto", "http, https")]),
            "198.51.100.1 https"
        );
    }

    #[test]
    fn forwarded_is_read_as_its_standard_says() {
        let f = "forwarded";
        assert_eq!(found("10.0.0.1", &[(f, "for=198.51.100.1;proto=https;by=10.0.0.1")]), "198.51.100.1 https");
        assert_eq!(
            found("10.0.0.1", &[(f, r#"for=6.6.6.6, For="[2001:db8:cafe::17]:4711";PROTO=http"#)]),
            "2001:db8:cafe::17"
        );
        assert_eq!(
            found("10.0.0.1", &[(f, r#"for=198.51.100.1;host="a,for=6.6.6.6;b\",for=6.6.6.6""#)]),
            "198.51.100.1"
        );
        for hidden in ["for=unknown", "for=_gazonk", "proto=https", "for=6.6.6.6;for=7.7.7.7", "=", "for", r#"for=""#] {
            assert_eq!(found("10.0.0.1", &[(f, hidden)]), "10.0.0.1", "{hidden}");
        }
        let both = |one, other| found("10.0.0.1", &[(f, one), ("x-forwarded-for", other)]);
        assert_eq!(both("for=198.51.100.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(both("for=6.6.6.6", "198.51.100.1"), "10.0.0.1", "one of them is a lie");
    }

    proptest! {
        #[test]
        fn no_header_breaks_it_or_speaks_for_a_stranger(
            text in "[ -~]{0,80}", other in "(for|proto|by|=|;|,|\"|\\\\|\\[|\\]|:|[0-9]{1,3}|\\.| ){0,40}",
        ) {
            let mut headers = HeaderMap::new();
            for (name, line) in [("forwarded", &text), ("x-forwarded-for", &other), ("forwarded", &other), ("x-forwarded-for", &text)] {
                headers.append(name, line.parse().unwrap());
            }
            let stranger: IpAddr = "192.0.2.9".parse().unwrap();
            let said = origin(Some(stranger), &headers, &trusted());
            prop_assert_eq!(said, Origin { address: Some(stranger), https: false });
            let _ = origin(Some("10.0.0.1".parse().unwrap()), &headers, &trusted());
        }

        /// Whatever a client writes before it, the address our proxy adds is the one that counts.
        #[test]
        fn what_a_client_writes_moves_nothing(lie in "[ -~&&[^\"\\\\]]{0,60}", client in any::<[u8; 4]>()) {
            let client = IpAddr::from(client);
            prop_assume!(!trusted().iter().any(|network| network.holds(client)));
            for (name, written) in [("x-forwarded-for", client.to_string()), ("forwarded", format!("for={client}"))] {
                let mut headers = HeaderMap::new();
                headers.append(name, lie.parse().unwrap());
                headers.append(name, written.parse().unwrap());
                let said = origin(Some("10.0.0.1".parse().unwrap()), &headers, &trusted());
                prop_assert_eq!(said.address, Some(client));
            }
        }
    }
}
