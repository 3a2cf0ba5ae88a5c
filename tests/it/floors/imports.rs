//! The crate's modules, and the imports of each file: the `use` lines, and the paths in bodies, types and macros.
//!
//! Tests may import everything, so code that is compiled only for tests is not read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Item, ItemMod, Meta, UseTree, Visibility,
    visit::{self, Visit},
};

/// A module by the names that lead to it from the root.
type Name = Vec<String>;

#[derive(Default)]
pub(super) struct Modules(BTreeMap<Name, Module>);

#[derive(Default)]
struct Module {
    /// The file that it is written in, from `src`.
    file: String,
    /// What is defined there.
    items: BTreeSet<String>,
    /// What is imported there, and from where: a child sees it through `super::`, others see what is public of it.
    imported: BTreeMap<String, Vec<String>>,
    /// What it names by a path. Re-exports of a `mod.rs` are not here: they import nothing for the file.
    named: Vec<Vec<String>>,
}

/// One file names something of another.
pub(super) struct Import {
    pub(super) file: String,
    /// As it is written there.
    pub(super) path: String,
    /// The file in which it is defined.
    pub(super) home: String,
    /// Whether it is named by a module that only re-exports it, where a path to its home would do.
    pub(super) is_detour: bool,
}

// === impl Modules ===

impl Modules {
    /// Every module under `src`, but those of tests.
    pub(super) fn read(src: &Path) -> Self {
        let mut modules = Self::default();
        modules.add_file(src, &Vec::new(), "lib.rs");
        modules
    }

    fn add_file(&mut self, src: &Path, name: &Name, file: &str) {
        let text = fs::read_to_string(src.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let items = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}")).items;
        self.add(src, name, file, &items);
    }

    fn add(&mut self, src: &Path, name: &Name, file: &str, items: &[Item]) {
        let mut module = Module { file: file.into(), ..Module::default() };
        let mut children = Vec::new();
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            match item {
                Item::Mod(child) => children.push(child),
                Item::Use(item) => {
                    let is_export = !matches!(item.vis, Visibility::Inherited) && is_of_folder(file);
                    for (path, called) in leaves(&item.tree) {
                        if called == path.last().map_or("", String::as_str) && path.len() == 1 {
                            continue;
                        }
                        if !is_export {
                            module.named.push(path.clone());
                        }
                        module.imported.insert(called, path);
                    }
                }
                item => {
                    module.items.extend(defined(item));
                    let mut paths = Paths(&mut module.named);
                    paths.visit_item(item);
                }
            }
        }
        self.0.insert(name.clone(), module);
        for child in children {
            let mut name = name.clone();
            name.push(child.ident.to_string());
            match &child.content {
                Some((_, items)) => self.add(src, &name, file, items),
                None => self.add_file(src, &name, &file_of(src, &name)),
            }
        }
    }

    /// Every import from a file of the crate.
    pub(super) fn imports(&self) -> Vec<Import> {
        let mut imports = Vec::new();
        for (name, module) in &self.0 {
            for path in &module.named {
                let Some((home, is_detour)) = self.home_of(name, path) else { continue };
                let home = self.0.get(&home).map(|module| module.file.clone()).unwrap_or_default();
                if home != module.file {
                    imports.push(Import { file: module.file.clone(), path: path.join("::"), home, is_detour });
                }
            }
        }
        imports
    }

    /// The module that defines what a path in `from` names, and whether there is a shorter way. `None` for other crates.
    fn home_of(&self, from: &Name, path: &[String]) -> Option<(Name, bool)> {
        let mut segments = path.iter();
        let mut at = match segments.clone().next()?.as_str() {
            "crate" | "$crate" => Vec::new(),
            "self" | "super" => from.clone(),
            child => {
                let mut name = from.clone();
                name.push(child.into());
                return self
                    .0
                    .contains_key(&name)
                    .then(|| self.home_in(from, false, from.clone(), path.iter()))
                    .flatten();
            }
        };
        for segment in segments.clone() {
            match segment.as_str() {
                "super" => drop(at.pop()),
                "crate" | "$crate" | "self" => {}
                _ => break,
            }
            segments.next();
        }
        self.home_in(from, path.first().is_some_and(|first| first == "$crate"), at, segments)
    }

    fn home_in<'p>(
        &self,
        from: &Name,
        is_of_macro: bool,
        mut at: Name,
        segments: impl Iterator<Item = &'p String>,
    ) -> Option<(Name, bool)> {
        for segment in segments {
            let mut inner = at.clone();
            inner.push(segment.clone());
            if self.0.contains_key(&inner) {
                at = inner;
                continue;
            }
            let module = self.0.get(&at)?;
            if module.items.contains(segment) || segment == "self" {
                return Some((at, false));
            }
            let path = module.imported.get(segment).unwrap_or_else(|| {
                panic!("{}: what is `{segment}`, named in `{}`?", module.file, from.join("::"));
            });
            // From another folder the re-exports of a `mod.rs` are the only way; the root is a way for users.
            // So they are for a macro, which is expanded in any folder.
            let is_detour = at.is_empty() || (at.first() == from.first() && !is_of_macro);
            let (home, _) = self.home_of(&at, path).unwrap_or_default();
            return Some((home, is_detour));
        }
        Some((at, false))
    }
}

/// What a path is followed by, anywhere in an item.
struct Paths<'m>(&'m mut Vec<Vec<String>>);

impl Paths<'_> {
    /// Paths in the tokens of a macro, but not in its texts and documentation.
    fn add_tokens(&mut self, tokens: &str) {
        let code = without_texts(tokens).replace(" ::", "::").replace(":: ", "::").replace("$ crate", "$crate");
        for word in code.split(|c: char| !(c.is_alphanumeric() || "_:$".contains(c))) {
            let path: Vec<String> = word.split("::").map(str::to_owned).collect();
            if path.len() > 1 && path.iter().all(|segment| !segment.is_empty()) {
                self.0.push(path);
            }
        }
    }
}

/// Code without what is quoted in it.
fn without_texts(code: &str) -> String {
    let mut rest = code.chars();
    let mut left = String::new();
    while let Some(c) = rest.next() {
        if c != '"' {
            left.push(c);
            continue;
        }
        while let Some(quoted) = rest.next().filter(|c| *c != '"') {
            if quoted == '\\' {
                rest.next();
            }
        }
        left.push(' ');
    }
    left
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.0.extend(leaves(&item.tree).into_iter().map(|(path, _)| path));
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.add_tokens(&item.tokens.to_string());
        visit::visit_macro(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        panic!("a module in a function: {}", item.ident);
    }
}

/// The paths of a tree, and what each is called afterwards.
fn leaves(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    match tree {
        UseTree::Path(path) => {
            let first = path.ident.to_string();
            let below = leaves(&path.tree).into_iter();
            let joined = below.map(|(path, called)| {
                let called = if called == "self" { first.clone() } else { called };
                ([first.clone()].into_iter().chain(path.into_iter().filter(|name| name != "self")).collect(), called)
            });
            joined.collect()
        }
        UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        UseTree::Rename(rename) => vec![(vec![rename.ident.to_string()], rename.rename.to_string())],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
        UseTree::Glob(_) => panic!("a glob says nothing about what is imported"),
    }
}

fn defined(item: &Item) -> Vec<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => {
            let own = item.ident.iter().map(ToString::to_string);
            return own.chain(types_in(&item.mac.tokens.to_string())).collect();
        }
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return Vec::new(),
    };
    vec![ident.to_string()]
}

/// The types that a macro defines: in its call, as `pin_project!` does, or in its own rules.
fn types_in(tokens: &str) -> Vec<String> {
    let words: Vec<&str> =
        tokens.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    let named = words.windows(2).filter(|pair| matches!(pair, ["struct" | "enum", _]));
    named.map(|pair| pair[1].to_owned()).collect()
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether it is compiled for tests only: `#[cfg(test)]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Meta>().is_ok_and(|condition| match condition {
                Meta::Path(path) => path.is_ident("test"),
                Meta::List(list) => list.path.is_ident("all") && list.tokens.to_string().contains("test"),
                Meta::NameValue(_) => false,
            })
    })
}

/// The file of a module that is not written inside of its parent.
fn file_of(src: &Path, name: &Name) -> String {
    let path: PathBuf = name.iter().collect();
    let alone = path.with_extension("rs");
    let file = if src.join(&alone).exists() { alone } else { path.join("mod.rs") };
    file.to_string_lossy().into_owned()
}

fn is_of_folder(file: &str) -> bool {
    file == "lib.rs" || file.ends_with("/mod.rs")
}
