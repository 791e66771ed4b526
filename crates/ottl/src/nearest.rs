//! The name that was probably meant.

/// The most similar of some names, if any is similar enough.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let worst = (name.len() / 3).max(1) + 1;
    let scored = names.map(|other| (distance(name, other), other));
    scored
        .filter(|(distance, _)| *distance <= worst)
        .min_by_key(|(distance, _)| *distance)
        .map(|found| found.1)
}

/// Insertions, deletions and substitutions between two names; letter case does not count.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, byte) in left.bytes().enumerate() {
        let mut diagonal = index;
        let mut previous = index + 1;
        for (slot, other) in row.iter_mut().skip(1).zip(right.bytes()) {
            let above = *slot;
            let changed = diagonal + usize::from(!byte.eq_ignore_ascii_case(&other));
            *slot = changed.min(above + 1).min(previous + 1);
            diagonal = above;
            previous = *slot;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
