//! No events: the feature `tracing` is off.

use std::time::Duration;

use super::{
    decided::Decided,
    meters::{BudgetMark, Phase},
};

#[inline]
pub(super) fn decided(_: &Decided<'_>, _: Option<&'static str>) {}

#[inline]
pub(super) fn sandbox_elsewhere(_: &str) {}

#[inline]
pub(super) fn breaker(_: &str, _: &str, _: Phase, _: Duration, _: bool) {}

#[inline]
pub(super) fn budget(_: &str, _: BudgetMark, _: u64) {}

#[inline]
pub(super) fn unknown_client(_: &str) {}

#[inline]
pub(super) fn store_full() {}

pub(super) fn store_local(_: &'static str) {}

#[inline]
pub(super) fn pass_ratio_collapsed(_: &str, _: u64, _: u64) {}

#[inline]
pub(super) fn pass_ratio_recovered(_: &str, _: u64, _: u64) {}

#[inline]
pub(super) fn misconfigured_app(_: &str, _: &str) {}
