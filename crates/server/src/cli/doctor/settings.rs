//! What of the configuration does less, or more, than it seems.

use countersign::settings::AuthenticationBackend;
use countersign_formats::password::{Algorithm, Work, WorkFactors};

use super::Finding;
use crate::client::NumProxies;
use crate::config::Config;

pub(super) fn examine(config: &Config, findings: &mut Vec<Finding>) {
    for warning in &config.warnings {
        // Short keys have a finding of their own.
        if !warning.contains("is shorter than") {
            findings.push(Finding::warning("configuration-warning", warning.clone(), "Correct it, or remove it."));
        }
    }
    rotation(config, findings);
    preferred_hasher(config, findings);
    let jwt = &config.settings.simple_jwt;
    if !jwt.check_user_is_active {
        findings.push(Finding::note(
            "inactive-users-accepted",
            "check_user_is_active is off: tokens of disabled users go on working",
            "Switch it on, here and in Django, unless that is wanted.",
        ));
    }
    if config.settings.backend == AuthenticationBackend::AllowAllUsers {
        findings.push(Finding::note(
            "inactive-users-log-in",
            "AllowAllUsersModelBackend is configured: disabled users can log in",
            "Use ModelBackend, here and in Django, unless that is wanted.",
        ));
    }
    throttles(config, findings);
}

/// Limits that a client can get round, that count others along, or that count less than it seems.
fn throttles(config: &Config, findings: &mut Vec<Finding>) {
    let throttling = &config.settings.throttling;
    if config.views.num_proxies == NumProxies::WholeHeader {
        findings.push(Finding::warning(
            "throttle-by-header",
            "num_proxies is off: throttles tell clients apart by the whole X-Forwarded-For header, of which they write the beginning",
            "Set NUM_PROXIES to the number of proxies, here and in Django, or take num_proxies out.",
        ));
    }
    if throttling.logins.is_none() {
        findings.push(Finding::warning(
            "logins-not-limited",
            "throttling.logins.enabled is off: passwords can be guessed as fast as they can be hashed",
            "Take it out, unless something in front of Countersign limits logins.",
        ));
    } else if config.bind.ip().is_loopback() && config.views.trusted_proxies.is_empty() {
        findings.push(Finding::note(
            "clients-are-one",
            "only this machine can connect, and trusted_proxies names no proxy: all that a proxy passes on counts as one client",
            "Name the proxy, as in trusted_proxies = [\"127.0.0.1/32\"]: else whoever guesses passwords makes everybody wait.",
        ));
    }
    if config.resources.iter().any(|resource| !resource.throttles.is_empty()) {
        findings.push(Finding::note(
            "throttles-counted-apart",
            "requests are throttled here and in Django, and each counts for itself: a client has the rate of a scope at both",
            "Nothing, where all paths of a scope are on one side. Several Countersigns count together with throttling.redis.",
        ));
    }
}

/// Rotation that voids nothing, and voiding that never happens.
fn rotation(config: &Config, findings: &mut Vec<Finding>) {
    let jwt = &config.settings.simple_jwt;
    let has_blacklist = config.settings.apps.token_blacklist;
    match (jwt.rotate_refresh_tokens, jwt.blacklist_after_rotation) {
        (true, false) if has_blacklist => findings.push(Finding::warning(
            "rotation-without-blacklisting",
            "rotate_refresh_tokens is on and blacklist_after_rotation is off: a refresh token works until it expires, also after it was exchanged",
            "Set BLACKLIST_AFTER_ROTATION, here and in Django.",
        )),
        (true, false) => findings.push(Finding::warning(
            "rotation-without-blacklist",
            "rotate_refresh_tokens is on without the blacklist app: a refresh token works until it expires, also after it was exchanged, and there is no logout",
            "Add rest_framework_simplejwt.token_blacklist to INSTALLED_APPS here and in Django, migrate, and set BLACKLIST_AFTER_ROTATION.",
        )),
        (false, true) => findings.push(Finding::warning(
            "blacklist-without-rotation",
            "blacklist_after_rotation is on without rotate_refresh_tokens: nothing is rotated, so nothing is blacklisted",
            "Set ROTATE_REFRESH_TOKENS as well, here and in Django, or take it out.",
        )),
        _ => {}
    }
}

/// The work of the preferred hasher, against Django 5.2's.
fn preferred_hasher(config: &Config, findings: &mut Vec<Finding>) {
    let hashers = &config.settings.hashers;
    let (given, usual) = match hashers.preferred_work() {
        Work::Argon2(params) => {
            let usual = WorkFactors::default();
            let given = u64::from(params.memory_kib) * u64::from(params.passes);
            (given, u64::from(usual.argon2_memory_cost) * u64::from(usual.argon2_time_cost))
        }
        Work::Pbkdf2Sha256 { rounds } | Work::Pbkdf2Sha1 { rounds } => {
            (u64::from(rounds), usual_cost(hashers.preferred()))
        }
        Work::BcryptSha256 { cost } | Work::Bcrypt { cost } => (u64::from(cost), usual_cost(hashers.preferred())),
        Work::Scrypt { log_n, .. } => (1 << log_n, usual_cost(hashers.preferred())),
        _ => return,
    };
    if given < usual {
        let unit = if hashers.preferred() == Algorithm::Argon2 { "KiB times passes" } else { "rounds" };
        findings.push(Finding::warning(
            "hasher-work-low",
            format!("new {} hashes cost {given} {unit}; Django 5.2 makes them at {usual}", hashers.preferred()),
            "Raise it here and in Django at once: each of the two re-hashes what the other made with other work.",
        ));
    }
    if hashers.order().contains(&Algorithm::Md5) {
        findings.push(Finding::note(
            "hasher-md5",
            "md5 is among password_hashers: such hashes are verified, then replaced",
            "Remove it once no user has one; `hashes-outdated` counts them.",
        ));
    }
}

/// What Django 5.2 makes new hashes at, in the unit of [`HashKind::Named`](countersign_store::HashKind): 0 for an algorithm that
/// nobody should use.
pub(super) fn usual_cost(algorithm: Algorithm) -> u64 {
    let usual = WorkFactors::default();
    u64::from(match algorithm {
        Algorithm::Pbkdf2Sha256 => usual.pbkdf2_sha256_iterations,
        Algorithm::Pbkdf2Sha1 => usual.pbkdf2_sha1_iterations,
        Algorithm::Argon2 => usual.argon2_memory_cost,
        Algorithm::BcryptSha256 => usual.bcrypt_sha256_rounds,
        Algorithm::Bcrypt => usual.bcrypt_rounds,
        Algorithm::Scrypt => usual.scrypt_work_factor,
        _ => return 0,
    })
}
