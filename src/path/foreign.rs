//! What a backend of another language may read into a path: scripts, extensions, what Windows drops.
//!
//! `/login.json` is Rails' `/login` in another format, `/login.php/x` is PHP's `/login.php` with path-info,
//! `/index.php/login` is a front controller's `/login`, and `/login.` is `/login` on Windows. None of these means a guarded
//! path for sure, so a hit is a refusal.

/// More segments with a dot than this are a path made to confuse.
const DOTTED: usize = 8;

/// The readings that another backend may have of a folded path, besides itself; `None` if there are too many.
pub(super) fn readings(text: &str) -> Option<Vec<String>> {
    if !text.contains(['.', ' ', ':']) {
        return Some(Vec::new());
    }
    let segments: Vec<&str> = text.strip_prefix('/').unwrap_or(text).split('/').collect();
    let trimmed: Vec<&str> = segments.iter().map(|segment| trim(segment)).collect();
    let dotted: Vec<usize> =
        (0..trimmed.len()).filter(|&at| trimmed.get(at).is_some_and(|s| s.contains('.'))).collect();
    if dotted.len() > DOTTED {
        return None;
    }
    let mut all = vec![path(&trimmed)];
    all.extend(without_extension(&trimmed));
    for at in dotted {
        let (before, script_and_after) = trimmed.split_at_checked(at)?;
        let (script, after) = script_and_after.split_first()?;
        // The script is what is asked for; the rest is its path-info.
        let script: Vec<&str> = before.iter().chain([script]).copied().collect();
        all.extend(without_extension(&script));
        all.push(path(&script));
        if after.is_empty() {
            // The page that a directory is answered with.
            if trimmed.get(at).is_some_and(|name| name.starts_with("index.") || name.starts_with("default.")) {
                all.push(path(before));
            }
            continue;
        }
        // The script is a front controller; the rest is what is asked for, there or from the root.
        let beside: Vec<&str> = before.iter().chain(after).copied().collect();
        for asked in [beside.as_slice(), after] {
            all.extend(without_extension(asked));
            all.push(path(asked));
        }
    }
    Some(all)
}

/// A segment as Windows takes it: without trailing dots and spaces, and without the name of an NTFS stream.
fn trim(segment: &str) -> &str {
    segment.split(':').next().unwrap_or_default().trim_end_matches(['.', ' '])
}

/// A path whose last segment lost its extension: the last one, and all of them.
fn without_extension(segments: &[&str]) -> Vec<String> {
    let Some((last, before)) = segments.split_last() else { return Vec::new() };
    let cuts = [last.rfind('.'), last.find('.')];
    let stems = cuts.into_iter().flatten().filter_map(|at| last.get(..at));
    stems.map(|stem| path(&before.iter().copied().chain([stem]).collect::<Vec<_>>())).collect()
}

fn path(segments: &[&str]) -> String {
    let mut path = String::with_capacity(segments.iter().map(|segment| segment.len() + 1).sum());
    for segment in segments {
        path.push('/');
        path.push_str(segment);
    }
    path
}
