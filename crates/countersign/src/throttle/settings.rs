//! `[throttling]`: how requests and attempts at passwords are counted.

use super::rate::Rate;
use super::shared::SharedCounters;

/// How requests are counted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ThrottlingSettings {
    /// Bytes that the counters of one scope may fill, and those of logins. Beyond it clients share counters.
    pub memory: usize,
    /// How often passwords may be guessed; `None` is without limit.
    pub logins: Option<LoginLimits>,
    /// Where all nodes count together; `None` has each count for itself.
    pub shared: Option<SharedCounters>,
    /// How many nodes there are, at least one: each lets through its part of a rate while it counts for itself.
    pub nodes: u32,
}

impl Default for ThrottlingSettings {
    /// 16 MiB, logins limited, one node that counts for itself.
    fn default() -> Self {
        Self { memory: 16 * 1024 * 1024, logins: Some(LoginLimits::default()), shared: None, nodes: 1 }
    }
}

/// How often a password may be guessed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoginLimits {
    /// Failures at one account from one client address, in a row.
    pub account_and_address: Rate,
    /// Failures at one account from addresses that nobody has logged in to it from.
    pub account: Rate,
    /// Failures from one client address at accounts that nobody has logged in to from there.
    pub address: Rate,
}

impl Default for LoginLimits {
    /// `20/hour`, `100/day`, `200/hour`.
    fn default() -> Self {
        let rate = |requests, hours: i64| Rate { requests, period: hours * 3_600_000_000 };
        Self { account_and_address: rate(20, 1), account: rate(100, 24), address: rate(200, 1) }
    }
}
