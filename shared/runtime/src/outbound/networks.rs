//! Where an address leads: to the public internet, or to somewhere that strangers must not send us.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::edge::forwarded::Network;

/// IPv4 that is not public: what IANA's special-purpose registry does not call globally reachable, multicast, the rest, and
/// one address by which a platform (Azure) answers each of its machines.
const NOT_PUBLIC_4: [&str; 17] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
];
/// Of IPv6 only this is given out at all (RFC 4291 §2.4): what lies outside is local, multicast, or nothing yet.
const GIVEN_OUT_6: &str = "2000::/3";
/// And of that, what is not public: protocols' own (Teredo among them), examples, what hides an IPv4 address (6to4).
const NOT_PUBLIC_6: [&str; 4] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];
/// How a network that has no IPv4 says one (RFC 6052 §2.1): judged by what it says.
const TRANSLATED: &str = "64:ff9b::/96";

/// Networks besides the public ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Whether the address is in one of them.
    pub fn hold(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(address))
    }
}

impl FromStr for Networks {
    type Err = &'static str;

    /// `10.20.0.0/16,2001:db8::/32`; nothing is none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
        networks.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// Whether an address is of the public internet: no network of somebody's own, no machine's own, none by which a platform
/// tells its machines their secrets.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !within(address.into(), &NOT_PUBLIC_4),
        IpAddr::V6(address) if within(address.into(), &[TRANSLATED]) => is_public(translated(address).into()),
        IpAddr::V6(address) => within(address.into(), &[GIVEN_OUT_6]) && !within(address.into(), &NOT_PUBLIC_6),
    }
}

fn within(address: IpAddr, networks: &[&str]) -> bool {
    networks.iter().any(|network| network.parse::<Network>().is_ok_and(|network| network.holds(address)))
}

/// The last four bytes.
fn translated(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn public(address: &str) -> bool {
        is_public(address.parse().unwrap())
    }

    #[test]
    fn every_list_is_one() {
        for network in NOT_PUBLIC_4.iter().chain(&NOT_PUBLIC_6).chain(&[GIVEN_OUT_6, TRANSLATED]) {
            assert!(network.parse::<Network>().is_ok(), "{network}");
        }
    }

    #[test]
    fn what_is_not_public_is_known_by_its_first_and_last_address() {
        for address in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.255",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.1.2.3",
            "64:ff9b:1::1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "3fff:fff:ffff::",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff02::1",
            "ffff::1",
            "4000::1",
        ] {
            assert!(!public(address), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a01:e00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn networks_are_read_or_refused_whole() {
        let networks: Networks = "10.20.0.0/16, ::1".parse().unwrap();
        assert!(networks.hold("10.20.3.4".parse().unwrap()) && networks.hold("::1".parse().unwrap()));
        assert!(networks.hold("::ffff:10.20.3.4".parse().unwrap()));
        assert!(!networks.hold("10.21.0.1".parse().unwrap()));
        assert!(!Networks::default().hold("127.0.0.1".parse().unwrap()));
        assert_eq!("".parse::<Networks>(), Ok(Networks::default()));
        assert!("10.0.0.0/8,everywhere".parse::<Networks>().is_err());
    }

    proptest! {
        #[test]
        fn an_address_is_judged_alike_in_all_its_forms(bits: u32) {
            let plain = Ipv4Addr::from_bits(bits);
            let judged = is_public(plain.into());
            prop_assert_eq!(is_public(plain.to_ipv6_mapped().into()), judged);
            let [a, b, c, d] = plain.octets();
            let within = Ipv6Addr::from([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]);
            prop_assert_eq!(is_public(within.into()), judged);
            // Deprecated forms lead nowhere that a sound receiver is.
            prop_assert!(!is_public(Ipv6Addr::from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d]).into()));
            prop_assert!(!is_public(Ipv6Addr::from([0x20, 0x02, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).into()));
        }

        #[test]
        fn what_the_standard_library_calls_local_is_never_public(bits: u32, more: u128) {
            let four = Ipv4Addr::from_bits(bits);
            if four.is_private() || four.is_loopback() || four.is_link_local() || four.is_multicast() || four.is_unspecified()
                || four.is_broadcast() || four.is_documentation()
            {
                prop_assert!(!is_public(four.into()));
            }
            let six = Ipv6Addr::from_bits(more);
            if six.is_unique_local() || six.is_unicast_link_local() || six.is_multicast() {
                prop_assert!(!is_public(six.into()));
            }
        }
    }
}
