//! Suggestions for unknown names.

/// A hint for an unknown name: the most similar name that is defined, or else a list of names.
///
/// `what` is the noun for one of them, `word` the unknown name.
pub fn defined<'c>(what: &str, word: &str, candidates: impl IntoIterator<Item = &'c str> + Clone) -> String {
    const MAX_LISTED: usize = 12;
    if let Some(similar) = nearest(word, candidates.clone()) {
        return format!("did you mean \"{similar}\"?");
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    match all.len() {
        0 => format!("no {what} is defined"),
        len if len > MAX_LISTED => {
            format!("defined {what}s: {}, and {} more", all[..MAX_LISTED].join(", "), len - MAX_LISTED)
        }
        _ => format!("defined {what}s: {}", all.join(", ")),
    }
}

/// The candidate that is most similar to `word`, if one is similar enough to be meant.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= 1.max(candidate.len() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in bytes, without regard to ASCII case.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(!x.eq_ignore_ascii_case(&y));
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested_and_others_are_listed() {
        let names = ["interval", "timeout"];
        assert_eq!(nearest("intervall", names), Some("interval"));
        assert_eq!(nearest("zzz", names), None);
        assert_eq!(defined("key", "intervall", names), "did you mean \"interval\"?");
        assert_eq!(defined("key", "zzz", names), "defined keys: interval, timeout");
    }
}
