//! The house has floors, and a module looks only down.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Item, UseTree,
    visit::{self, Visit},
};

/// Each module of the crate's root, and the floor it is on.
const FLOORS: [(&str, u8); 23] = [
    ("layer", 6),
    ("rule", 5),
    ("judge", 4),
    ("jpush", 3),
    ("observe", 3),
    ("reading", 3),
    ("decision", 2),
    ("denial", 2),
    ("proof", 2),
    ("sandbox", 2),
    ("body", 1),
    ("check", 1),
    ("headers", 1),
    ("json", 1),
    ("path", 1),
    ("verdict", 1),
    ("check_kind", 0),
    ("error", 0),
    ("ex_id", 0),
    ("exhaustion", 0),
    ("foreign_backend", 0),
    ("log", 0),
    ("phone", 0),
];

/// A file longer than this has two subjects.
const LINES: usize = 400;

#[test]
fn a_module_imports_only_from_floors_below() {
    let floors = BTreeMap::from(FLOORS);
    let homes = homes();
    let mut looked_at = 0;
    for file in sources() {
        let module = module_of(&file);
        let Some(floor) = floors.get(module.as_str()) else {
            assert_eq!(module, "lib", "{module} has no floor");
            continue;
        };
        let mut imports = Imports::default();
        imports.visit_file(&syn::parse_file(&fs::read_to_string(&file).unwrap()).unwrap());
        for import in imports.0 {
            let home = homes.get(&import).unwrap_or(&import);
            let below = floors.get(home.as_str()).unwrap_or_else(|| panic!("{}: crate::{import}?", file.display()));
            assert!(home == &module || below < floor, "{}: {module} looks at {home}", file.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 100, "the test found only {looked_at} imports");
}

#[test]
fn a_file_has_one_subject() {
    for file in sources() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", file.display());
    }
}

/// What `crate::` is followed by, anywhere in a file but its tests.
#[derive(Default)]
struct Imports(Vec<String>);

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if let UseTree::Path(path) = &item.tree
            && path.ident == "crate"
        {
            self.0.extend(firsts(&path.tree));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if segments.next().is_some_and(|first| first.ident == "crate")
            && let Some(second) = segments.next()
        {
            self.0.push(second.ident.to_string());
        }
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let is_test = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|cfg| cfg == "test")
        });
        if !is_test {
            visit::visit_item_mod(self, item);
        }
    }
}

/// The first segment of every path in a tree.
fn firsts(tree: &UseTree) -> Vec<String> {
    match tree {
        UseTree::Path(path) => vec![path.ident.to_string()],
        UseTree::Name(name) => vec![name.ident.to_string()],
        UseTree::Rename(rename) => vec![rename.ident.to_string()],
        UseTree::Group(group) => group.items.iter().flat_map(firsts).collect(),
        UseTree::Glob(_) => panic!("a glob from the crate's root"),
    }
}

/// Which module each re-export of the crate's root comes from.
fn homes() -> BTreeMap<String, String> {
    let root = syn::parse_file(&fs::read_to_string(src().join("lib.rs")).unwrap()).unwrap();
    let mut homes = BTreeMap::new();
    for item in root.items {
        let Item::Use(item) = item else { continue };
        let UseTree::Path(path) = item.tree else { continue };
        record(&path.tree, None, &mut homes);
    }
    homes
}

fn record(tree: &UseTree, home: Option<&str>, homes: &mut BTreeMap<String, String>) {
    match (tree, home) {
        (UseTree::Path(path), None) => record(&path.tree, Some(&path.ident.to_string()), homes),
        (UseTree::Path(path), Some(home)) => record(&path.tree, Some(home), homes),
        (UseTree::Group(group), home) => group.items.iter().for_each(|tree| record(tree, home, homes)),
        (UseTree::Name(name), Some(home)) => drop(homes.insert(name.ident.to_string(), home.to_owned())),
        (UseTree::Rename(rename), Some(home)) => drop(homes.insert(rename.rename.to_string(), home.to_owned())),
        (UseTree::Name(_) | UseTree::Rename(_), None) | (UseTree::Glob(_), _) => {}
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All source files but those of unit tests.
fn sources() -> Vec<PathBuf> {
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
    walk(&src(), &mut files);
    files
}

/// The module of the crate's root that a file is part of.
fn module_of(file: &Path) -> String {
    let relative = file.strip_prefix(src()).unwrap();
    let first = relative.components().next().unwrap().as_os_str();
    Path::new(first).file_stem().unwrap().to_string_lossy().into_owned()
}
