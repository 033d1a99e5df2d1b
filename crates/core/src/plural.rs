//! Numbers in messages, with the singular or the plural of what they count.
//!
//! The status of pools and the messages of the server call it. It cannot fail.

/// `1 node`, `2 nodes`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_singular_and_every_other_number_the_plural() {
        assert_eq!(counted(0, "node is", "nodes are"), "0 nodes are");
        assert_eq!(counted(1, "node is", "nodes are"), "1 node is");
        assert_eq!(counted(2, "node is", "nodes are"), "2 nodes are");
    }
}
