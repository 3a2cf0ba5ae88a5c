//! `docs/step-up.md` and its Chinese version have the same commands, answers and tables.

use std::fs;

use super::{code, root};

/// The programs, requests and answers in a page.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.filter(|block| ["sh\n", "json\n"].iter().any(|kind| block.starts_with(kind))).map(str::to_owned).collect()
}

#[test]
fn the_chinese_page_on_passes_has_the_same_commands_and_answers() {
    let english = blocks("docs/step-up.md");
    assert!(english.len() >= 5, "{english:?}");
    assert_eq!(blocks("docs/step-up.zh-CN.md"), english);
    let english = names_of_rows("docs/step-up.md");
    assert!(english.len() >= 30, "{english:?}");
    assert_eq!(names_of_rows("docs/step-up.zh-CN.md"), english);
}

/// What the first cell of each row of a page's tables has between backticks.
fn names_of_rows(page: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    rows.map(|cell| code(cell).into_iter().map(str::to_owned).collect()).collect()
}
