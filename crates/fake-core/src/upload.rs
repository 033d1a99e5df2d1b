//! Reads an upload: its size, its hashes, and whether it contains the EICAR test string. The
//! content is not stored, so uploads can have any size.

use axum::body::Body;
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use ring::digest;

/// The test string that every engine detects (eicar.org), reversed: scanners must not detect it in
/// this program.
const EICAR_REVERSED: &[u8] = b"*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\\4[PA@%P!O5X";

/// What is known of the content of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upload {
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) md5: String,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
    /// It contains the EICAR test string.
    pub(crate) is_infected: bool,
}

/// How the reading of an upload ended.
pub(crate) enum UploadEnd {
    /// The body was read to its end.
    Complete(Upload),
    /// The limit was reached; the rest of the body is unread.
    LimitReached,
}

/// Reads a body to its end, or until `limit` bytes have arrived; 0 means no limit.
///
/// # Errors
/// The connection broke before the end of the body.
pub(crate) async fn read(mut body: Body, limit: u64) -> Result<UploadEnd, axum::Error> {
    let eicar: Vec<u8> = EICAR_REVERSED.iter().rev().copied().collect();
    let mut md5 = Md5::new();
    let mut sha1 = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    let mut sha256 = digest::Context::new(&digest::SHA256);
    let mut upload = Upload::default();
    // The last bytes of the previous frame: the test string can span two frames.
    let mut window: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame?.into_data() else { continue };
        upload.size += bytes.len() as u64;
        if limit > 0 && upload.size >= limit {
            return Ok(UploadEnd::LimitReached);
        }
        md5.update(&bytes);
        sha1.update(&bytes);
        sha256.update(&bytes);
        if !upload.is_infected {
            window.extend_from_slice(&bytes);
            upload.is_infected = memchr::memmem::find(&window, &eicar).is_some();
            window.drain(..window.len().saturating_sub(eicar.len() - 1));
        }
    }
    upload.md5 = hex(&md5.finalize());
    upload.sha1 = hex(sha1.finish().as_ref());
    upload.sha256 = hex(sha256.finish().as_ref());
    Ok(UploadEnd::Complete(upload))
}

/// Upper-case hexadecimal digits, as in the hashes of Core nodes.
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
    async fn test_string_is_found_across_frames() {
        let eicar: Vec<u8> = EICAR_REVERSED.iter().rev().copied().collect();
        let text = [b"before ".as_slice(), &eicar, b" after"].concat();
        for cut in 1..text.len() {
            let frames = VecDeque::from([text[..cut].to_vec(), text[cut..].to_vec()]);
            let upload = complete(read(Body::new(Frames(frames)), 0).await);
            assert!(upload.is_infected, "cut at {cut}");
            assert_eq!(upload.size, text.len() as u64);
        }
    }

    #[tokio::test]
    async fn reading_stops_at_the_limit() {
        assert!(matches!(read(Body::from("abc"), 3).await, Ok(UploadEnd::LimitReached)));
        assert_eq!(complete(read(Body::from("abc"), 4).await).size, 3);
    }

    #[tokio::test]
    async fn clean_upload_has_hashes() {
        let clean = complete(read(Body::from("abc"), 0).await);
        assert!(!clean.is_infected);
        assert_eq!(clean.md5, "900150983CD24FB0D6963F7D28E17F72");
        assert_eq!(clean.sha1, "A9993E364706816ABA3E25717850C26C9CD0D89D");
    }

    #[track_caller]
    fn complete(end: Result<UploadEnd, axum::Error>) -> Upload {
        match end {
            Ok(UploadEnd::Complete(upload)) => upload,
            _ => panic!("the upload is not complete"),
        }
    }

    /// A body that arrives in these frames.
    struct Frames(VecDeque<Vec<u8>>);

    impl axum::body::HttpBody for Frames {
        type Data = axum::body::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|frame| Ok(http_body::Frame::data(frame.into()))))
        }
    }
}
