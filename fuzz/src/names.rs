//! The names that lenient parsers read from a key of a form or a query.

/// All of them.
pub const READINGS: [fn(&str) -> String; 4] = [exact, php, brackets, folded];

fn exact(key: &str) -> String {
    key.to_owned()
}

/// `php_register_variable_ex`: leading spaces dropped, cut at NUL, the name before `[`, and `_` for dots and spaces.
fn php(key: &str) -> String {
    let key = key.trim_start_matches(' ').split('\0').next().unwrap_or_default();
    let key = match key.find('[') {
        Some(open) if open > 0 && key.get(open..).is_some_and(|rest| rest.contains(']')) => &key[..open],
        _ => key,
    };
    key.replace([' ', '.', '['], "_")
}

/// qs: the name before the first bracket, or within it at the beginning.
fn brackets(key: &str) -> String {
    let name = key.strip_prefix('[').unwrap_or(key);
    name.split(['[', ']']).next().unwrap_or_default().to_owned()
}

fn folded(key: &str) -> String {
    key.to_lowercase()
}
