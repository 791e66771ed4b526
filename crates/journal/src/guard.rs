//! What the bytes of a segment are checked by: checksums bound to it, and its cipher when sealed.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::cipher::{Cipher, MAC_BYTES, Mac, Secret, TAG_BYTES};
use crate::format::{BlockHeader, SegmentHeader};
use crate::keys::{Key, SALT_BYTES};

/// What the bytes of a segment are checked by.
#[derive(Clone)]
pub(crate) struct Guard {
    /// Binds the checksums of pages, blocks and footer to the segment.
    pub seed: u32,
    sealed: Option<Arc<Sealed>>,
}

struct Sealed {
    blocks: Cipher,
    headers: Mac,
    footers: Key,
    /// Journal and segment, for what blocks are bound to.
    segment: [u8; 16],
}

impl Guard {
    /// The guard of a segment that is not sealed.
    pub(crate) fn plain(header: &SegmentHeader) -> Self {
        Self { seed: header.seed(), sealed: None }
    }

    /// The guard of a sealed segment; none when the key is not the one, or the header changed.
    pub(crate) fn unlock(header: &SegmentHeader, key: &Key) -> io::Result<Option<Self>> {
        let Some(seal) = &header.seal else { return Ok(Some(Self::plain(header))) };
        let secret = Secret::new(key, &header.salt);
        let mac = secret.mac("segment header", b"")?;
        if !mac.verify(&[&header.encode_bare()], &seal.tag) {
            return Ok(None);
        }
        Self::sealed(header, &secret, &seal.tag).map(Some)
    }

    /// Gives the header of a new segment its tag, and the guard that goes with it.
    pub(crate) fn seal(header: &mut SegmentHeader, key: &Key) -> io::Result<Self> {
        let secret = Secret::new(key, &header.salt);
        let tag = secret.mac("segment header", b"")?.code(&[&header.encode_bare()]);
        if let Some(seal) = &mut header.seal {
            seal.tag = tag;
        }
        Self::sealed(header, &secret, &tag)
    }

    // All subkeys are bound to the tag, and so to every byte of the header.
    fn sealed(header: &SegmentHeader, secret: &Secret, tag: &[u8; TAG_BYTES]) -> io::Result<Self> {
        let mut segment = [0; 16];
        let numbers = [header.incarnation, header.id];
        let bytes = numbers.into_iter().flat_map(u64::to_le_bytes);
        segment.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        let sealed = Sealed {
            blocks: secret.cipher("blocks", tag)?,
            headers: secret.mac("block headers", tag)?,
            footers: secret.key("footers", tag)?,
            segment,
        };
        Ok(Self { seed: header.seed(), sealed: Some(Arc::new(sealed)) })
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Seals the bytes of a block that will stand at `offset`, where they are, and tells its header.
    pub(crate) fn seal_block(
        &self,
        header: &mut BlockHeader,
        offset: u64,
        bytes: &mut [u8],
    ) -> io::Result<()> {
        let Some(sealed) = &self.sealed else { return Ok(()) };
        header.tag = sealed.blocks.seal(offset, &sealed.bound(header, offset), bytes)?;
        header.payload_crc = crc32c::crc32c(bytes);
        Ok(())
    }

    /// The bytes of the block at `offset` as they were before they were sealed; none when they are
    /// not those that were written there.
    pub(crate) fn open_block(
        &self,
        header: &BlockHeader,
        offset: u64,
        stored: Bytes,
    ) -> Option<Bytes> {
        let intact = stored.len() == header.stored_bytes as usize
            && crc32c::crc32c(&stored) == header.payload_crc;
        let Some(sealed) = &self.sealed else { return intact.then_some(stored) };
        let bound = sealed.bound(header, offset);
        let opened = || sealed.blocks.open(offset, &bound, &stored, &header.tag);
        intact.then(opened).flatten().map(Bytes::from)
    }

    /// What makes a block header one of this segment's writer; zeros when nothing is sealed.
    pub(crate) fn header_code(&self, offset: u64, header: &[u8]) -> [u8; MAC_BYTES] {
        let code = |sealed: &Arc<Sealed>| sealed.headers.code(&[&offset.to_le_bytes(), header]);
        self.sealed.as_ref().map(code).unwrap_or_default()
    }

    pub(crate) fn is_header_code(&self, offset: u64, header: &[u8], code: [u8; MAC_BYTES]) -> bool {
        let verify =
            |sealed: &Arc<Sealed>| sealed.headers.verify(&[&offset.to_le_bytes(), header], &code);
        self.sealed.as_ref().is_none_or(verify)
    }

    /// A footer sealed under a salt that is used for it alone: one may be written again, by another
    /// process and with other content.
    pub(crate) fn seal_footer(
        &self,
        body: Vec<u8>,
        salt: &[u8; SALT_BYTES],
    ) -> io::Result<Vec<u8>> {
        let Some(sealed) = &self.sealed else { return Ok(body) };
        let mut body = body;
        let tag = sealed.footer(salt)?.seal(0, b"", &mut body)?;
        Ok([&salt[..], &body, &tag].concat())
    }

    pub(crate) fn open_footer<'a>(&self, body: &'a [u8]) -> Option<std::borrow::Cow<'a, [u8]>> {
        let Some(sealed) = &self.sealed else { return Some(body.into()) };
        let (salt, rest) = body.split_first_chunk::<SALT_BYTES>()?;
        let (body, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        sealed.footer(salt).ok()?.open(0, b"", body, tag).map(Into::into)
    }
}

impl Sealed {
    fn footer(&self, salt: &[u8; SALT_BYTES]) -> io::Result<Cipher> {
        Secret::new(&self.footers, salt).cipher("footer", b"")
    }

    // Journal, segment, place and the header itself, so that a block is what it is only where it is.
    fn bound(&self, header: &BlockHeader, offset: u64) -> Vec<u8> {
        let mut bound = Vec::with_capacity(self.segment.len() + 8 + 96);
        bound.extend_from_slice(&self.segment);
        bound.extend_from_slice(&offset.to_le_bytes());
        header.encode_clear(&mut bound);
        bound
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_sealed() { "Guard(sealed)" } else { "Guard(plain)" })
    }
}
