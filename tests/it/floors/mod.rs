//! Modules have floors, and import only from lower floors.

mod imports;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use self::imports::{Import, Modules};

/// Each module of the crate's root, and the floor it is on.
const FLOORS: [(&str, u8); 36] = [
    ("layer", 7),
    ("rule", 6),
    ("judge", 5),
    ("observe", 4),
    ("pass", 4),
    ("decision", 3),
    ("jpush", 3),
    ("reading", 3),
    ("denial", 2),
    ("failure", 2),
    ("proof", 2),
    ("sandbox", 2),
    ("store", 2),
    ("body", 1),
    ("call_error", 1),
    ("check", 1),
    ("headers", 1),
    ("json", 1),
    ("mac", 1),
    ("path", 1),
    ("phone_grammar", 1),
    ("verdict", 1),
    ("bytewise", 0),
    ("check_kind", 0),
    ("clock", 0),
    ("error", 0),
    ("ex_id", 0),
    ("exhaustion", 0),
    ("foreign_backend", 0),
    ("health", 0),
    ("invisible", 0),
    ("log", 0),
    ("metric", 0),
    ("opaque", 0),
    ("phone", 0),
    ("secret", 0),
];

/// A file longer than this has two subjects.
const LINES: usize = 400;

#[test]
fn a_module_imports_only_from_floors_below() {
    let floors = BTreeMap::from(FLOORS);
    let imports = Modules::read(&src()).imports();
    for import in &imports {
        let (module, home) = (module_of(&import.file), module_of(&import.home));
        if module == "lib" {
            continue;
        }
        let floor = floors.get(module).unwrap_or_else(|| panic!("{module} has no floor"));
        let below = floors.get(home).unwrap_or_else(|| panic!("{}: {}?", import.file, import.path));
        assert!(home == module || below < floor, "{}: {module} looks at {home}", import.file);
    }
    assert!(imports.len() > 400, "the test found only {} imports", imports.len());
}

#[test]
fn the_architecture_document_has_the_same_floors() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    let text = fs::read_to_string(&document).unwrap();
    let mut documented = Vec::new();
    for line in text.lines() {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (Some(Ok(floor)), Some(modules)) = (cells.next().map(str::parse::<u8>), cells.next()) else { continue };
        documented.extend(modules.split(", ").map(|module| (module.trim_matches('`').to_owned(), floor)));
    }
    documented.sort();
    let mut floors = FLOORS.map(|(module, floor)| (module.to_owned(), floor));
    floors.sort();
    assert_eq!(documented, floors);
}

#[test]
fn no_folders_and_no_files_of_one_folder_import_each_other() {
    let imports = looked_at();
    let between = |name: fn(&str) -> &str| {
        let pairs = imports.iter().map(|import| (name(&import.file).to_owned(), name(&import.home).to_owned()));
        circle(&pairs.collect())
    };
    assert_eq!(between(module_of), None, "folders");
    assert_eq!(between(inner_folder_of), None, "files, and folders inside of folders");
    assert_eq!(between(|file| file), None, "files");
}

#[test]
fn what_is_shared_is_imported_from_its_home() {
    let detours = looked_at().into_iter().filter(|import| import.is_detour);
    let detours: Vec<String> =
        detours.map(|import| format!("{}: `{}` is from {}", import.file, import.path, import.home)).collect();
    assert!(detours.is_empty(), "{}", detours.join("\n"));
}

#[test]
fn a_file_has_one_subject() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let files = [sources(), sources_in(&tests)].concat();
    assert!(files.len() > 400, "the test looked at only {} files", files.len());
    for file in files {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", file.display());
    }
}

#[test]
fn the_generic_modules_name_no_vendor() {
    // `exhaustion`, `jpush` and `sandbox` aside, whatever a request passes through, whichever verifier is asked.
    const GENERIC: [&str; 13] = [
        "call_error",
        "check",
        "decision",
        "denial",
        "failure",
        "judge",
        "layer",
        "observe",
        "opaque",
        "proof",
        "reading",
        "rule",
        "verdict",
    ];
    let mut looked_at = 0;
    for file in sources() {
        let relative = file.strip_prefix(src()).unwrap().to_string_lossy().into_owned();
        if !GENERIC.contains(&module_of(&relative)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            let code = line.split_once("//").map_or(line, |(code, _)| code).to_ascii_lowercase();
            assert!(!code.contains("jpush") && !code.contains("jiguang"), "{}:{}: {line}", file.display(), number + 1);
            looked_at += usize::from(!code.trim().is_empty());
        }
    }
    assert!(looked_at > 3000, "the test looked at only {looked_at} lines");
}

#[test]
fn the_prose_of_the_neutral_modules_names_the_vendor_only_in_links_and_examples() {
    const NEUTRAL: [&str; 5] = ["decision", "denial", "judge", "layer", "observe"];
    let mut looked_at = 0;
    for file in sources() {
        let relative = file.strip_prefix(src()).unwrap().to_string_lossy().into_owned();
        if !NEUTRAL.contains(&module_of(&relative)) {
            continue;
        }
        let mut is_example = false;
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let Some((_, comment)) = line.split_once("//") else { continue };
            let prose = comment.trim_start_matches(['/', '!', ' ']);
            if prose.starts_with("```") {
                is_example = !is_example;
                continue;
            }
            let prose = prose.to_ascii_lowercase().replace("[`jpush`](crate::jpush)", "");
            let prose = prose.replace("[`jpush::account`](crate::jpush)", "");
            let names = ["jpush", "jiguang", "极光"];
            let found = names.iter().find(|name| !is_example && prose.contains(**name));
            assert!(found.is_none(), "{}:{}: {line}", file.display(), number + 1);
            looked_at += 1;
        }
    }
    assert!(looked_at > 800, "the test looked at only {looked_at} lines");
}

#[test]
fn only_the_reader_of_replies_scans_json_leniently() {
    let having =
        |text: &str| sources().into_iter().filter(|file| fs::read_to_string(file).unwrap().contains(text)).collect();
    let lenient: Vec<_> = having("LENIENT: bool = true");
    assert_eq!(lenient, [src().join("jpush/wire.rs")]);
    let modes: Vec<_> = having("impl Mode for");
    assert_eq!(modes.len(), 2, "`Strict`, and the replies': {modes:?}");
}

/// What is imported by all files but `lib.rs`, which sees everything.
fn looked_at() -> Vec<Import> {
    let imports = Modules::read(&src()).imports();
    imports.into_iter().filter(|import| import.file != "lib.rs").collect()
}

/// Those that can be reached from themselves, if any can.
fn circle(edges: &BTreeSet<(String, String)>) -> Option<Vec<String>> {
    let mut left: BTreeSet<(String, String)> = edges.iter().filter(|(from, to)| from != to).cloned().collect();
    loop {
        // What imports nothing, or is imported by nothing, is on no circle.
        let (from, to): (BTreeSet<_>, BTreeSet<_>) = left.iter().cloned().unzip();
        let before = left.len();
        left.retain(|(one, other)| to.contains(one) && from.contains(other));
        if left.len() == before {
            let names: BTreeSet<String> = left.into_iter().map(|(from, to)| format!("{from} -> {to}")).collect();
            return (!names.is_empty()).then(|| names.into_iter().collect());
        }
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All source files but those of unit tests.
fn sources() -> Vec<PathBuf> {
    sources_in(&src())
}

/// The files of Rust in a folder, except unit tests.
fn sources_in(folder: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(folder, &mut files);
    files
}

/// The module of the crate's root that a file is part of.
fn module_of(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// The folder that a file is in, if that is inside of another; else the file.
fn inner_folder_of(file: &str) -> &str {
    match file.rsplit_once('/') {
        Some((folder, _)) if folder.contains('/') => folder,
        _ => file,
    }
}

#[test]
fn a_circle_is_found_and_what_leads_to_it_is_not() {
    let edges = |pairs: &[(&str, &str)]| pairs.iter().map(|&(from, to)| (from.to_owned(), to.to_owned())).collect();
    assert_eq!(circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c"), ("c", "c")])), None);
    let found = circle(&edges(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]));
    assert_eq!(found, Some(vec!["b -> c".to_owned(), "c -> b".to_owned()]));
}
