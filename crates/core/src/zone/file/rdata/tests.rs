//! Tests of rdata: text to wire format.

use proptest::prelude::*;

use super::super::entries::Entries;
use super::*;

fn rdata(text: &str) -> Result<Vec<u8>, String> {
    let entry = Entries::new(text.as_bytes()).next().unwrap().unwrap();
    let word = std::str::from_utf8(entry.tokens[0].text).unwrap();
    let rtype = Rtype::from_mnemonic(word).ok_or("no such type")?;
    if let Some(why) = refusal(rtype) {
        return Err(why.to_owned());
    }
    read(rtype, &entry.tokens[1..], b"\x07example\0").map_err(|error| error.message)
}

#[test]
fn character_strings_hold_any_byte() {
    assert_eq!(rdata(r#"TXT ( "a b" c\065\255 "" )"#).unwrap(), b"\x03a b\x03cA\xff\x00");
    assert!(rdata(&format!("TXT \"{}\"", "x".repeat(256))).unwrap_err().contains("255 bytes"));
    assert_eq!(rdata(r#"CAA 0 issue "ca.example; x=1""#).unwrap(), b"\x00\x05issueca.example; x=1");
}

#[test]
fn names_are_completed_by_the_origin_in_every_type() {
    assert_eq!(rdata("MX 10 mail").unwrap(), b"\x00\x0a\x04mail\x07example\0");
    assert_eq!(rdata("HTTPS 1 www alpn=h2").unwrap(), b"\x00\x01\x03www\x07example\0\x00\x01\x00\x03\x02h2");
    assert_eq!(rdata("HTTPS 1 . port=1 alpn=h2").unwrap()[3..], *b"\x00\x01\x00\x03\x02h2\x00\x03\x00\x02\x00\x01");
}

#[test]
fn unknown_types_are_written_in_hex() {
    assert_eq!(rdata(r"TYPE65534 \# 3 ab CDef").unwrap(), b"\xab\xcd\xef");
    assert_eq!(rdata(r"A \# 4 0a000001").unwrap(), [10, 0, 0, 1]);
    assert!(rdata(r"A \# 3 0a0000").unwrap_err().contains("as A rdata"));
    assert!(rdata(r"NS \# 3 0161c0").unwrap_err().contains("as NS rdata"));
    assert!(rdata("TYPE65534 abc").unwrap_err().contains("RFC 3597"));
}

#[test]
fn refused_types_give_the_reason() {
    for (line, why) in [("OPT x", "messages"), ("TYPE255 \\# 0", "queries")] {
        assert!(rdata(line).unwrap_err().contains(why), "{line}");
    }
}

#[test]
fn rdata_that_clients_cannot_decode_is_refused() {
    for line in [
        r"HTTPS \# 1 00",
        r"CAA \# 3 00 00 78",
        r"CERT \# 1 00",
        r"CSYNC \# 2 0000",
        r"SVCB \# 0",
        r"NSEC \# 3 00 00 00",
        r"APL \# 5 0001 08 01 00",
        r"LOC \# 16 01 12 16 13 8000000080000000 00989680",
        r"HTTPS \# 16 0001 00 0003 0002 0050 0001 0003 026832",
        r"HIP \# 4 00 02 0000",
        r"AMTRELAY \# 2 0a 04",
    ] {
        assert!(rdata(line).unwrap_err().contains("clients cannot read"), "{line}");
    }
}

#[test]
fn missing_and_extra_words_are_errors() {
    assert!(rdata("MX 10").unwrap_err().contains("a domain name is missing"));
    assert!(rdata("A 1.2.3.4 5").unwrap_err().contains("nothing more"));
    assert!(rdata("A 1.2.3").unwrap_err().contains("IPv4"));
    assert!(rdata("DS 1 8 2 abc").unwrap_err().contains("odd"));
}

proptest! {
    /// Rdata in hexadecimal digits is read unchanged, and accepted only if it is well formed.
    #[test]
    fn generic_rdata_is_checked(number in 1_u16..300, wire in prop::collection::vec(any::<u8>(), 0..40)) {
        let hex: String = wire.iter().map(|b| format!("{b:02x}")).collect();
        if let Ok(read) = rdata(&format!("TYPE{number} \\# {} {hex}", wire.len())) {
            prop_assert_eq!(&read, &wire);
            if let Some(fields) = fields_of(Rtype(number)) {
                prop_assert!(are_fields(fields, &read));
            }
        }
    }

    #[test]
    fn any_words_are_read_or_refused(number in 1_u16..300, words in "[ -~]{0,60}") {
        let line = format!("{} {words}", Rtype(number));
        if let Some(Ok(entry)) = Entries::new(line.as_bytes()).next() {
            let rtype = Rtype(number);
            if let Ok(wire) = read(rtype, &entry.tokens[1..], b"\x07example\0") {
                prop_assert!(is_well_formed(rtype, &wire));
            }
        }
    }
}

/// The wire format of a line, in hexadecimal digits.
fn hex(line: &str) -> String {
    let wire = rdata(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    wire.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `tests/it/zone_spellings.rs` compares all other types with BIND.
#[test]
fn types_without_a_peer_are_read() {
    for (line, expected) in [
        ("DSYNC CDS NOTIFY 5300 x.", "003b0114b4017800"),
        ("HHIT AQID", "010203"),
        ("BRID AQID", "010203"),
        ("RESINFO qnamemin exterr=15-17", "08716e616d656d696e0c6578746572723d31352d3137"),
        ("WALLET BTC x", "034254430178"),
        ("CLA TLS.1.0", "07544c532e312e30"),
        ("IPN 977000", "00000000000ee868"),
        ("MD a.", "016100"),
        ("SVCB 1 . ohttp tls-supported-groups=29,23", "0001000008000000090004001d0017"),
        ("RRSIG A RSASHA256 2 1h 20301231235959 1 5 x. AQID", "0001080200000e1072bd0bff000000010005017800010203"),
        ("NSEC a. A TYPE1234 NSEC", "0161000006400000000001041b00000000"),
        (
            "NSEC3 1 1 12 aabb 2t7b4g4vsa5smi47k61mv5bv1a22bojr A",
            "0101000c02aabb14174eb2409fe28bcb4887a1836f957f0a8425e27b000140",
        ),
        ("NSEC3PARAM 1 0 0 -", "0100000000"),
        ("DNSKEY 257 3 ECDSAP256SHA256 AQ ID", "0101030d010203"),
    ] {
        assert!(hex(line).starts_with(expected), "{line}: {}", hex(line));
    }
}

#[test]
fn parameters_that_contradict_rfc_9460_are_refused() {
    for (parameters, why) in [
        ("port=80 port=80", "twice"),
        ("mandatory=port", "not there"),
        ("mandatory=mandatory,port port=1", "mandatory needs different keys"),
        ("mandatory=port,port port=1", "different keys"),
        ("mandatory= port=1", "different keys"),
        ("no-default-alpn", "needs alpn"),
        ("no-default-alpn=x alpn=h2", "needs no value"),
        ("alpn", "protocol names"),
        ("alpn=", "protocol names"),
        ("alpn=h2,,h3", "protocol names"),
        ("key1=h2", "protocol names"),
        ("port", "a number"),
        ("port=65536", "a number"),
        ("port=+1", "a number"),
        ("ipv4hint=", "IPv4"),
        ("ipv4hint=1.2.3.4,", "IPv4"),
        ("ipv6hint=1.2.3.4", "IPv6"),
        ("ech=A", "base64"),
        ("dohpath=q", "dns"),
        ("tls-supported-groups=29,29", "different"),
        ("ALPN=h2", "unknown parameter"),
        ("key0001=x", "unknown parameter"),
        ("key65535=x", "unknown parameter"),
        (r#"alpn="h2"port=1"#, "space is missing"),
        (r#""alpn=h2""#, "before a quote"),
        (r#"alpn=h2"h3""#, "before a quote"),
    ] {
        let error = rdata(&format!("HTTPS 1 . {parameters}")).unwrap_err();
        assert!(error.contains(why), "{parameters}: {error}");
    }
}

#[test]
fn the_letter_case_of_names_counts_in_new_types_only() {
    for (line, same) in
        [("MX 10 Mail", true), ("SOA A B 1 2 3 4 5", true), ("NAPTR 1 2 U S X Y", false), ("LP 10 Mail", false)]
    {
        let rtype = Rtype::from_mnemonic(line.split(' ').next().unwrap()).unwrap();
        let [a, b] = [line.to_owned(), line.to_lowercase()].map(|line| canonical(rtype, &rdata(&line).unwrap()));
        assert_eq!(a == b, same, "{line}");
    }
    let [a, b] = ["NAPTR 1 2 u s x Y", "NAPTR 1 2 u s x y"].map(|line| canonical(Rtype(35), &rdata(line).unwrap()));
    assert_eq!(a, b);
}
