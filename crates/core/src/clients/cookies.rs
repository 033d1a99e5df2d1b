//! Server cookies (RFC 7873), in the form that all servers share (RFC 9018): any server with the
//! same secret accepts them.
//!
//! A client sends its client cookie with each query, and the server cookie that it got last. If
//! the server cookie is right, the client has received a response at its source address, so the
//! address is not forged.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

/// Chosen by a client for a server.
pub type ClientCookie = [u8; 8];

/// What the server gives a client: version, reserved bytes, time and hash.
pub type ServerCookie = [u8; 16];

/// The version of RFC 9018, and three reserved bytes.
const HEAD: [u8; 4] = [1, 0, 0, 0];

/// How long a server cookie is good, in seconds (RFC 9018 §4.3).
const MAX_AGE: u32 = 3600;

/// The age from which a client gets a new server cookie, in seconds (RFC 9018 §4.3).
const RENEWAL: u32 = 1800;

/// How far the clock of another server with the same secret may be ahead, in seconds (RFC 9018
/// §4.3).
const MAX_AHEAD: u32 = 300;

/// The secrets that server cookies are made with.
#[derive(Clone, Eq, PartialEq)]
pub struct CookieSecrets {
    /// Makes cookies.
    pub current: [u8; 16],
    /// Other secrets whose cookies are accepted: the one before, or the one that comes next.
    pub accepted: Vec<[u8; 16]>,
}

impl std::fmt::Debug for CookieSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CookieSecrets").finish_non_exhaustive()
    }
}

impl CookieSecrets {
    /// Answers the server cookie that a client has sent, or none if it is empty: returns the one
    /// that the client has to send next, and whether the one that it has sent is right.
    ///
    /// A right cookie is sent back unchanged for half an hour, and then replaced (RFC 9018 §4.3).
    /// `unix` is the time in seconds.
    pub fn answer(&self, sent: &[u8], client: &ClientCookie, address: IpAddr, unix: u64) -> (ServerCookie, bool) {
        let is_right = self.accept(sent, client, address, unix);
        match <ServerCookie>::try_from(sent) {
            Ok(sent) if is_right && (unix as u32).wrapping_sub(made_at(&sent)) < RENEWAL => (sent, true),
            _ => (self.server_cookie(client, address, unix), is_right),
        }
    }

    /// The server cookie for a client. `unix` is the time in seconds.
    pub fn server_cookie(&self, client: &ClientCookie, address: IpAddr, unix: u64) -> ServerCookie {
        let [version, reserved @ ..] = HEAD;
        let [a, b, c, d] = (unix as u32).to_be_bytes();
        let head = [version, reserved[0], reserved[1], reserved[2], a, b, c, d];
        let mut cookie = [0; 16];
        cookie[..8].copy_from_slice(&head);
        cookie[8..].copy_from_slice(&hash(&self.current, client, head, address));
        cookie
    }

    /// Returns true if a server with one of these secrets has made the cookie for this client at
    /// this address, and it is not too old.
    pub fn accept(&self, cookie: &[u8], client: &ClientCookie, address: IpAddr, unix: u64) -> bool {
        let Some((head, hashed)) = cookie.split_first_chunk::<8>() else { return false };
        // Serial number arithmetic (RFC 1982): the time wraps in 2106.
        let age = (unix as u32).wrapping_sub(made_at(head));
        let is_timely = age <= MAX_AGE || age.wrapping_neg() <= MAX_AHEAD;
        let secrets = std::iter::once(&self.current).chain(&self.accepted);
        // The reserved bytes are hashed as received (RFC 9018 §4.2).
        head[0] == HEAD[0]
            && is_timely
            && secrets.map(|secret| hash(secret, client, *head, address)).any(|hash| is_equal(&hash, hashed))
    }
}

/// The time of a server cookie: the last four of its first eight bytes.
fn made_at(cookie: &[u8]) -> u32 {
    cookie.get(4..8).and_then(|time| time.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The hash of a server cookie (RFC 9018 §4.4).
fn hash(secret: &[u8; 16], client: &ClientCookie, head: [u8; 8], address: IpAddr) -> [u8; 8] {
    let mut input = [0; 32];
    input[..8].copy_from_slice(client);
    input[8..16].copy_from_slice(&head);
    let len = match address {
        IpAddr::V4(v4) => {
            input[16..20].copy_from_slice(&v4.octets());
            20
        }
        IpAddr::V6(v6) => {
            input[16..].copy_from_slice(&v6.octets());
            32
        }
    };
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(&input[..len]);
    hasher.finish().to_le_bytes()
}

/// Compares in a time that does not depend on where the bytes differ.
fn is_equal(a: &[u8; 8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    fn secrets(current: &str, accepted: &[&str]) -> CookieSecrets {
        CookieSecrets { current: bytes(current), accepted: accepted.iter().map(|hex| bytes(hex)).collect() }
    }

    /// RFC 9018, appendix A.
    #[test]
    fn the_vectors_of_the_rfc_hold() {
        let one = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf", &[]);
        let client = bytes("2464c4abcf10c957");
        let address = "198.51.100.100".parse().unwrap();
        let first = bytes("010000005cf79f111f8130c3eee29480");
        assert_eq!(one.server_cookie(&client, address, 1_559_731_985), first);
        assert!(one.accept(&first, &client, address, 1_559_734_385));
        assert_eq!(one.server_cookie(&client, address, 1_559_734_385), bytes("010000005cf7a871d4a564a1442aca77"));
        // Reserved bytes that are not 0.
        let client = bytes("fc93fc62807ddb86");
        let address = "203.0.113.203".parse().unwrap();
        let odd: ServerCookie = bytes("01abcdef5cf78f71a314227b6679ebf5");
        assert!(one.accept(&odd, &client, address, 1_559_728_000));
        assert_eq!(one.server_cookie(&client, address, 1_559_734_700), bytes("010000005cf7a9acf73a7810aca2381e"));
        // A secret that was replaced, over IPv6.
        let two = secrets("445536bcd2513298075a5d379663c962", &["dd3bdf9344b678b185a6f5cb60fca715"]);
        let client = bytes("22681ab97d52c298");
        let address = "2001:db8:220:1:59de:d0f4:8769:82b8".parse().unwrap();
        let old: ServerCookie = bytes("010000005cf7c57926556bd0934c72f8");
        assert!(two.accept(&old, &client, address, 1_559_741_961));
        assert_eq!(two.server_cookie(&client, address, 1_559_741_961), bytes("010000005cf7c609a6bb79d16625507a"));
    }

    #[test]
    fn a_right_cookie_is_replaced_after_half_an_hour() {
        let secrets = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf", &[]);
        let (client, address) = ([1; 8], "192.0.2.1".parse().unwrap());
        let (first, is_right) = secrets.answer(&[], &client, address, 1_000_000);
        assert!(!is_right);
        assert_eq!(secrets.answer(&first, &client, address, 1_001_799), (first, true));
        let (second, is_right) = secrets.answer(&first, &client, address, 1_001_800);
        assert!(is_right && second != first);
    }

    #[test]
    fn a_cookie_is_good_for_an_hour() {
        let secrets = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf", &[]);
        let (client, address) = ([1; 8], "192.0.2.1".parse().unwrap());
        let cookie = secrets.server_cookie(&client, address, 1_000_000);
        for (at, accepted) in
            [(1_000_000, true), (1_003_600, true), (1_003_601, false), (999_700, true), (999_699, false)]
        {
            assert_eq!(secrets.accept(&cookie, &client, address, at), accepted, "{at}");
        }
        // The 32-bit time wraps in 2106.
        let wraps = u64::from(u32::MAX);
        let cookie = secrets.server_cookie(&client, address, wraps - 10);
        assert!(secrets.accept(&cookie, &client, address, wraps + 100));
    }

    proptest! {
        #[test]
        fn no_other_bytes_client_or_address_are_accepted(
            secret in any::<[u8; 16]>(), client in any::<[u8; 8]>(), address in any::<IpAddr>(), unix in any::<u32>(),
            at in 0..16_usize, change in 1_u8.., other in any::<[u8; 8]>(), elsewhere in any::<IpAddr>(),
            junk in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let secrets = CookieSecrets { current: secret, accepted: Vec::new() };
            let unix = u64::from(unix);
            let cookie = secrets.server_cookie(&client, address, unix);
            prop_assert!(secrets.accept(&cookie, &client, address, unix));
            let mut changed = cookie;
            changed[at] ^= change;
            prop_assert!(!secrets.accept(&changed, &client, address, unix));
            prop_assert_eq!(secrets.accept(&cookie, &other, address, unix), other == client);
            prop_assert_eq!(secrets.accept(&cookie, &client, elsewhere, unix), elsewhere == address);
            prop_assert_eq!(secrets.accept(&junk, &client, address, unix), junk == cookie);
        }
    }
}
