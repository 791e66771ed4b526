//! What is left of a request that is refused from its headers alone.

use std::time::Duration;

use http::Version;
use http::header::EXPECT;
use http::request::Parts;
use http_body_util::BodyExt as _;

use super::Body;

/// As long as a client may take to end a request that was refused.
const LINGER: Duration = Duration::from_millis(500);
/// As much of it as is read.
const LINGER_BYTES_MAX: usize = 64 << 10;

/// Reads a refused HTTP/2 request to its end, for a moment and up to some KiB. An answer closes the
/// stream, and on a closed stream what a client does wrong is ignored (RFC 9113, section 5.1): so
/// the answer waits until the client has said everything. Over HTTP/1.1 the connection ends instead.
pub async fn linger(parts: &Parts, mut body: Body) {
    if parts.version != Version::HTTP_2 || parts.headers.contains_key(EXPECT) {
        return;
    }
    let rest = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, bytes::Bytes::len);
            if read > LINGER_BYTES_MAX {
                return;
            }
        }
    };
    // Whoever takes longer is answered all the same.
    drop(tokio::time::timeout(LINGER, rest).await);
}
