//! The grammar of a PostgreSQL address. It is narrower than libpq's: where that leaves open which character ends the password, or
//! takes a part of one for a name, there is no address. So whatever is a name here may be shown, by us or by the server in its
//! refusals, and the driver is never given a text that it could read in another way.

use std::net::IpAddr;

use tokio_postgres::Config;

use super::postgres::DEFAULT_SOCKET_FOLDER;
use super::{DatabaseUrlError, percent_decode};

/// What follows a name where a password or a parameter got into it, be it percent-encoded.
const NO_PART_OF_A_NAME: [char; 6] = [':', '=', '?', '&', ';', '#'];

pub(super) const NAME: &str = "may hold none of : = ? & ; # and no control character; \
                               write postgresql://user:password@host:5432/name, the password percent-encoded";

const HOST: &str = "must be names, addresses or folders of sockets, separated by commas";

const PORT: &str = "must be a number up to 65535; a colon in the user or the password must be written %3A";

/// Decoded values by libpq's names; the later of two counts, as in libpq.
#[derive(Default)]
pub(super) struct Parts(Vec<(&'static str, String)>);

impl Parts {
    /// Reads what stands between `//` and `?`: `user:password@host:port,host:port/name`, where anything may be missing.
    pub(super) fn read(address: &str) -> Result<Self, DatabaseUrlError> {
        let (authority, name) = address.split_once('/').unwrap_or((address, ""));
        // With a bare slash in the password, its end and the host would be the name of the database.
        if name.contains(['@', '/']) {
            return Err(DatabaseUrlError::BareSlash);
        }
        let (login, hosts) = authority.split_once('@').unwrap_or(("", authority));
        // With a bare @ in the password, its end would be a part of the host.
        if hosts.contains('@') {
            return Err(DatabaseUrlError::BareAt);
        }
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let mut parts = Self::default();
        parts.set("user", percent_decode(user)?)?;
        parts.set("password", percent_decode(password)?)?;
        parts.set("dbname", percent_decode(name)?)?;
        let (mut names, mut ports) = (Vec::new(), Vec::new());
        for host in hosts.split(',').filter(|_| !hosts.is_empty()) {
            let (name, port) = split_port(host).ok_or(DatabaseUrlError::BadPostgres)?;
            let name = percent_decode(name)?;
            if name.contains(',') {
                return Err(wrong("host", HOST));
            }
            names.push(if name.is_empty() { DEFAULT_SOCKET_FOLDER.to_owned() } else { name });
            ports.push(port.unwrap_or("5432"));
        }
        parts.set("host", names.join(","))?;
        parts.set("port", ports.join(","))?;
        Ok(parts)
    }

    /// Takes a value; an empty one is none.
    pub(super) fn set(&mut self, key: &'static str, value: String) -> Result<(), DatabaseUrlError> {
        let all = |is_fine: fn(&str) -> bool| value.is_empty() || value.split(',').all(is_fine);
        match key {
            "user" | "dbname" if !is_name(&value) => return Err(wrong(key, NAME)),
            "host" if !all(is_host) => return Err(wrong(key, HOST)),
            "hostaddr" if !all(|one| one.parse::<IpAddr>().is_ok()) => return Err(wrong(key, "must be IP addresses")),
            "port" if !all(|one| one.is_empty() || one.parse::<u16>().is_ok()) => return Err(wrong(key, PORT)),
            _ => {}
        }
        self.0.retain(|(known, _)| *known != key);
        if !value.is_empty() {
            self.0.push((key, value));
        }
        Ok(())
    }

    /// For the driver: in libpq's other form, `key='value'`, which leaves nothing open, and never the names and the password.
    pub(super) fn into_config(self) -> Result<Config, DatabaseUrlError> {
        let pair = |key: &str, value: &str| format!("{key}='{}' ", value.replace('\\', "\\\\").replace('\'', "\\'"));
        let is_set_below = |key: &str| matches!(key, "user" | "password" | "dbname");
        let mut pairs = String::new();
        for (key, value) in self.0.iter().filter(|(key, _)| !is_set_below(key)) {
            let pair = pair(key, value);
            pair.parse::<Config>().map_err(|_| wrong(key, "has a value that it cannot have"))?;
            pairs.push_str(&pair);
        }
        let mut config: Config = pairs.parse().map_err(|_| DatabaseUrlError::BadPostgres)?;
        for (key, value) in self.0 {
            match key {
                "user" => drop(config.user(value)),
                "password" => drop(config.password(value)),
                "dbname" => drop(config.dbname(value)),
                _ => {}
            }
        }
        Ok(config)
    }
}

/// Host and port.
fn split_port(host: &str) -> Option<(&str, Option<&str>)> {
    let Some(bracketed) = host.strip_prefix('[') else {
        return Some(host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))));
    };
    match bracketed.split_once(']')? {
        (address, "") => Some((address, None)),
        (address, port) => Some((address, Some(port.strip_prefix(':')?))),
    }
}

fn is_host(text: &str) -> bool {
    let is_of_a_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
    if text.starts_with('/') {
        is_name(text)
    } else {
        text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.chars().all(is_of_a_name))
    }
}

/// Whether this may stand in messages, and in what the server is told in clear: nothing in it can be a password that got there by
/// a mistake with the address.
pub(super) fn is_name(text: &str) -> bool {
    !text.contains(NO_PART_OF_A_NAME) && !text.contains(char::is_control)
}

pub(super) fn wrong(key: &str, problem: &'static str) -> DatabaseUrlError {
    DatabaseUrlError::Parameter { name: key.to_owned(), problem }
}
