//! What the server says about itself: TXT records of class CH (RFC 4892).

/// The texts, as rdata.
#[derive(Clone, Debug, Default)]
pub struct ServerTexts {
    id: Option<Box<[u8]>>,
    version: Option<Box<[u8]>>,
}

impl ServerTexts {
    /// Texts of at most 255 bytes; longer ones are cut.
    pub fn new(id: Option<&[u8]>, version: Option<&[u8]>) -> Self {
        let rdata = |text: &[u8]| {
            let text = &text[..text.len().min(255)];
            [&[text.len() as u8], text].concat().into_boxed_slice()
        };
        Self { id: id.map(rdata), version: version.map(rdata) }
    }

    /// The rdata of a name in wire format; `None` if it is another name, or has no text.
    ///
    /// `hostname.bind` and `version.bind` are older names, which tools still use.
    pub fn rdata(&self, name: &[u8]) -> Option<&[u8]> {
        let is = |names: [&[u8]; 2]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
        if is([b"\x02id\x06server\0", b"\x08hostname\x04bind\0"]) {
            self.id.as_deref()
        } else if is([b"\x07version\x06server\0", b"\x07version\x04bind\0"]) {
            self.version.as_deref()
        } else {
            None
        }
    }
}
