//! The name that somebody who mistyped most likely meant.

/// The candidate closest to `wanted`, if one is close enough to be worth a suggestion.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = wanted.to_lowercase();
    let allowed = (wanted.chars().count() / 3).clamp(1, 5);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(wanted.len()) <= allowed)
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = '\0';
    for (row, x) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        let mut left = '\0';
        for (column, y) in b.iter().copied().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX);
            let replaced = at(&last, column) + usize::from(x != y);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if row > 0 && column > 0 && x == left && y == previous {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
            left = y;
        }
        before_last = std::mem::replace(&mut last, current);
        previous = x;
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        let names = ["endpoint", "timeout", "compression"];
        assert_eq!(nearest("endpiont", names), Some("endpoint"));
        assert_eq!(nearest("time_out", names), Some("timeout"));
        assert_eq!(nearest("Compresion", names), Some("compression"));
        assert_eq!(nearest("tls", names), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn a_swap_of_neighbours_counts_once() {
        assert_eq!(distance("abcd", "abdc"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
