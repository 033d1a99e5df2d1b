//! The labels of a name in wire format.

/// Longest name in wire format, in bytes, with the root label (RFC 1035 §2.3.4).
pub const MAX_WIRE_LEN: usize = 255;

/// Longest label, in bytes (RFC 1035 §2.3.4).
pub const MAX_LABEL_LEN: usize = 63;

/// Most labels of a name, without the root label: each takes at least two bytes.
pub(super) const MAX_LABELS: usize = MAX_WIRE_LEN / 2;

/// Iterator over the labels of a name in wire format, from left to right, without the root label.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Labels<'a> {
    /// The labels of a complete, valid name in wire format.
    pub fn of(wire: &'a [u8]) -> Self {
        Self { rest: wire }
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&len, rest) = self.rest.split_first()?;
        if len == 0 {
            return None;
        }
        let (label, rest) = rest.split_at(usize::from(len));
        self.rest = rest;
        Some(label)
    }
}

/// Length of the name in wire format at the start of `bytes`, with the root label. Returns `None` if
/// it is malformed, too long or compressed.
pub fn wire_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => return Some(at + 1),
            len if len <= MAX_LABEL_LEN && at + 1 + len < MAX_WIRE_LEN => at += 1 + len,
            _ => return None,
        }
    }
}

/// All suffixes of a name in wire format, the longest first: the name itself, its parent, …, the
/// root.
pub fn suffixes(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(wire);
    std::iter::from_fn(move || {
        let suffix = rest?;
        rest = match suffix[0] {
            0 => None,
            len => Some(&suffix[1 + usize::from(len)..]),
        };
        Some(suffix)
    })
}

/// Writes a name in wire format into `buffer`, in lower case.
///
/// The name must be complete and valid, which includes at most [`MAX_WIRE_LEN`] bytes.
pub fn fold<'b>(name: &[u8], buffer: &'b mut [u8; MAX_WIRE_LEN]) -> &'b [u8] {
    let folded = &mut buffer[..name.len()];
    // Length bytes do not change: the length of a label is less than any letter.
    for (to, from) in folded.iter_mut().zip(name) {
        *to = from.to_ascii_lowercase();
    }
    folded
}
