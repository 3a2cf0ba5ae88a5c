//! The shapes of a denial: which clients get a page, what `type` names, and what pages of other origins may read.

mod attack2;
mod browser;
mod cors;
mod page;
mod types;
