//! What makes two log records equal.
//!
//! Keys are 128 bits of a hash with a secret that no two installations share: nobody outside can
//! choose records that collide, and by chance none will.

use std::hash::Hash as _;
use std::sync::Arc;

use bessemer_record::Draft;
use bessemer_record::edit::{Field, fields};
use bessemer_runtime::Random;
use xxhash_rust::xxh3::Xxh3;

/// Fields of a `LogRecord` that say when and in which trace: two times, flags, trace id, span id.
const NOT_CONTENT: [u32; 5] = [1, 11, 8, 9, 10];
/// The field of a `LogRecord` with its body.
const BODY: u32 = 5;
/// Bytes of a secret of XXH3.
const SECRET_BYTES: usize = 192;

/// What keys are made with.
pub(super) type Secret = [u8; SECRET_BYTES];

/// Stands for the content of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) u128);

/// Makes keys.
#[derive(Clone)]
pub(super) struct Hasher(Arc<Secret>);

impl Hasher {
    pub(super) fn new(secret: Secret) -> Self {
        Self(Arc::new(secret))
    }

    /// A secret that is nobody's yet.
    pub(super) fn secret(random: &dyn Random) -> Secret {
        let mut secret = [0; SECRET_BYTES];
        for word in secret.chunks_mut(8) {
            let bytes = random.next_u64().to_le_bytes();
            word.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
        secret
    }

    /// All but times and trace ids.
    pub(super) fn content(&self, draft: &Draft, index: usize) -> Key {
        self.key(draft, index, None)
    }

    /// The same with all numbers in a text body taken as equal.
    pub(super) fn shape(&self, draft: &Draft, index: usize) -> Key {
        let body = draft.body(index);
        let body = (!body.is_empty()).then(|| without_numbers(body));
        self.key(draft, index, body.as_deref())
    }

    fn key(&self, draft: &Draft, index: usize, body: Option<&[u8]>) -> Key {
        let mut out = Xxh3::with_secret(*self.0);
        draft.resource(index).hash(&mut out);
        draft.scope(index).hash(&mut out);
        body.hash(&mut out);
        let own = fields(draft.item_bytes(index)).filter(|(number, _)| {
            !NOT_CONTENT.contains(number) && (body.is_none() || *number != BODY)
        });
        for (number, field) in own {
            number.hash(&mut out);
            match field {
                Field::Varint(value) | Field::Fixed64(value) => value.hash(&mut out),
                Field::Fixed32(value) => value.hash(&mut out),
                Field::Bytes(bytes) => bytes.hash(&mut out),
            }
        }
        Key(out.digest128())
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Hasher(***)")
    }
}

/// The text with one sign in the place of each run of digits.
fn without_numbers(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut is_number = false;
    for byte in text {
        if !byte.is_ascii_digit() {
            out.push(*byte);
        } else if !is_number {
            out.push(b'#');
        }
        is_number = byte.is_ascii_digit();
    }
    out
}
