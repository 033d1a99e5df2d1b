//! Figures of the workspace: lengths of files and functions, numbers of dependencies.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::package::{File, Package};
use crate::workspace::{self, Workspace};

/// The columns of the table.
const COLUMNS: [&str; 10] = [
    "package",
    "files",
    "lines",
    "unit tests",
    "median file",
    "90 % of files",
    "longest file",
    "longest function",
    "direct",
    "all dependencies",
];

/// A table in Markdown: one row per package, and one for all together. Lengths are in lines, with
/// the unit tests of a file, but without files that hold nothing else.
///
/// # Errors
/// Cargo cannot tell the dependencies of a package.
pub(crate) fn table(workspace: &Workspace) -> Result<String> {
    let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
    let (mut all_direct, mut all_together) = (BTreeSet::new(), BTreeSet::new());
    for package in &workspace.packages {
        let (direct, all) = workspace::dependencies(&package.name)?;
        rows.push(row(&package.name, std::slice::from_ref(package), &direct, &all));
        all_direct.extend(direct);
        all_together.extend(all);
    }
    rows.push(row("together", &workspace.packages, &all_direct, &all_together));
    Ok(aligned(&rows))
}

/// The figures of some packages.
fn row(name: &str, packages: &[Package], direct: &BTreeSet<String>, all: &BTreeSet<String>) -> Vec<String> {
    let files: Vec<&File> = packages.iter().flat_map(|package| &package.files).collect();
    let mut lengths: Vec<usize> = files.iter().map(|file| file.lines).collect();
    lengths.sort_unstable();
    let longest = files.iter().max_by_key(|file| file.lines);
    let functions = files.iter().flat_map(|file| file.functions.iter().map(move |function| (file, function)));
    let function = functions.max_by_key(|(_, function)| function.lines);
    vec![
        name.to_owned(),
        files.len().to_string(),
        lengths.iter().sum::<usize>().to_string(),
        files.iter().map(|file| file.test_lines).sum::<usize>().to_string(),
        percentile(&lengths, 50).to_string(),
        percentile(&lengths, 90).to_string(),
        longest.map(|file| format!("{} {}", file.lines, file.path)).unwrap_or_default(),
        function
            .map(|(file, function)| format!("{} {} in {}", function.lines, function.name, file.path))
            .unwrap_or_default(),
        direct.len().to_string(),
        all.len().to_string(),
    ]
}

/// The smallest number that at least `percent` percent of the sorted numbers do not exceed.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// A Markdown table with aligned columns.
fn aligned(rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> =
        (0..COLUMNS.len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default()).collect();
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if at == 0 {
            let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width + 2)).collect();
            text.push_str(&format!("|{}|\n", rules.join("|")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_numbers_of_the_list() {
        assert_eq!(percentile(&[1, 2, 3, 4], 50), 2);
        assert_eq!(percentile(&[1, 2, 3, 4, 5], 50), 3);
        assert_eq!(percentile(&(1..=100).collect::<Vec<_>>(), 90), 90);
        assert_eq!(percentile(&[7], 90), 7);
        assert_eq!(percentile(&[], 90), 0);
    }
}
