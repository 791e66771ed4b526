//! Masking bodies: any bytes have a masked text, which masked again stays as it is; bodies of one
//! masked text find one template.
#![no_main]

use bessemer_classify::templates::Templates;
use bessemer_classify::templates::mask::{BODY_BYTES_MAX, mask};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    let shape = mask(body, &mut once);
    assert_eq!(mask(body, &mut twice), shape);
    mask(&once, &mut twice);
    if once.len() <= BODY_BYTES_MAX {
        assert_eq!(once, twice);
    }
    let mut templates = Templates::new(16);
    let first = templates.find(&once, &|word| word.len() == 3).0;
    assert_eq!(templates.find(&once, &|word| word.len() == 3).0, first);
    assert!(templates.len() == 1);
});
