//! Reading an upload: its size, its hashes and whether it holds the EICAR test string, without keeping it.

use axum::body::Body;
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use ring::digest;

/// The test string that every engine finds (eicar.org), backwards, so that this program does not hold it.
const RACIE: &[u8] = b"*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\\4[PA@%P!O5X";

/// What was found in the bytes of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upload {
    pub(crate) size: u64,
    pub(crate) md5: String,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
    pub(crate) is_infected: bool,
}

/// How far an upload was read.
pub(crate) enum Read {
    /// To its end.
    Whole(Upload),
    /// As far as it should be.
    UpTo,
}

/// Reads a body to its end, or until so many bytes have come if that is more than none.
///
/// # Errors
/// It broke off.
pub(crate) async fn read(mut body: Body, up_to: u64) -> Result<Read, axum::Error> {
    let eicar: Vec<u8> = RACIE.iter().rev().copied().collect();
    let (mut sha1, mut sha256) =
        (digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY), digest::Context::new(&digest::SHA256));
    let mut md5 = Md5::new();
    let mut upload = Upload::default();
    // The end of what was read: the string may stand across two parts.
    let mut tail: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame?.into_data() else { continue };
        upload.size += bytes.len() as u64;
        if up_to > 0 && upload.size >= up_to {
            return Ok(Read::UpTo);
        }
        md5.update(&bytes);
        sha1.update(&bytes);
        sha256.update(&bytes);
        if !upload.is_infected {
            tail.extend_from_slice(&bytes);
            upload.is_infected = memchr::memmem::find(&tail, &eicar).is_some();
            tail.drain(..tail.len().saturating_sub(eicar.len() - 1));
        }
    }
    upload.md5 = hex(&md5.finalize());
    (upload.sha1, upload.sha256) = (hex(sha1.finish().as_ref()), hex(sha256.finish().as_ref()));
    Ok(Read::Whole(upload))
}

/// In capital letters, as Core nodes write hashes.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::*;

    #[tokio::test]
    async fn the_test_string_is_found_wherever_parts_end() {
        let eicar: Vec<u8> = RACIE.iter().rev().copied().collect();
        let text = [b"before ".as_slice(), &eicar, b" after"].concat();
        for cut in 1..text.len() {
            let parts = VecDeque::from([text[..cut].to_vec(), text[cut..].to_vec()]);
            let Ok(Read::Whole(upload)) = read(Body::new(Parts(parts)), 0).await else { panic!("it is whole") };
            assert!(upload.is_infected, "cut at {cut}");
            assert_eq!(upload.size, text.len() as u64);
        }
        assert!(matches!(read(Body::from("abc"), 3).await, Ok(Read::UpTo)));
        let Ok(Read::Whole(clean)) = read(Body::from("abc"), 4).await else { panic!("it is whole") };
        assert!(!clean.is_infected);
        assert_eq!(clean.md5, "900150983CD24FB0D6963F7D28E17F72");
        assert_eq!(clean.sha1, "A9993E364706816ABA3E25717850C26C9CD0D89D");
    }

    /// A body that comes in parts.
    struct Parts(VecDeque<Vec<u8>>);

    impl axum::body::HttpBody for Parts {
        type Data = axum::body::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|part| Ok(http_body::Frame::data(part.into()))))
        }
    }
}
