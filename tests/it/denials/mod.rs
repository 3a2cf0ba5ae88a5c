//! The shapes of a denial: which clients get a page, what `type` names, and what pages of other origins may read.

mod browser;
mod cors;
mod page;
mod reflected;
mod types;
