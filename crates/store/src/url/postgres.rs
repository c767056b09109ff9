//! A PostgreSQL address: libpq's URI with libpq's parameters.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::{DatabaseUrlError, percent_decode};

/// Where Debian's servers, and libpq there, have their socket.
const DEFAULT_SOCKET_FOLDER: &str = "/var/run/postgresql";

/// Parameters that the driver takes as they are.
const DRIVER_PARAMETERS: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Parameters of libpq that mean nothing here, or would need what is not here.
const UNSUPPORTED_PARAMETERS: &[&str] = &[
    "client_encoding",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "krbsrvname",
    "passfile",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "service",
    "ssl",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslnegotiation",
    "sslpassword",
    "sslsni",
];

/// A server, a database, who we are there, and how the connection is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PostgresUrl {
    /// What the driver knows of it; its `Debug` hides the password.
    pub(crate) config: Config,
    pub(crate) ssl_mode: SslMode,
    /// `sslrootcert`: authorities to trust; `system` stands for the machine's.
    pub(crate) root_certificates: Option<PathBuf>,
    /// `sslcert` and `sslkey`: our own certificate and its key.
    pub(crate) client_certificate: Option<(PathBuf, PathBuf)>,
}

/// `sslmode`, as libpq means it (PostgreSQL 15 documentation, §34.19.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS if the server refuses without.
    Allow,
    /// TLS if the server has it.
    Prefer,
    /// TLS, with whomever. With `sslrootcert` as `VerifyCa`, as in libpq.
    Require,
    /// TLS with a server that an authority vouches for.
    VerifyCa,
    /// As `VerifyCa`, and the certificate is for the host we asked for.
    VerifyFull,
}

impl PostgresUrl {
    /// Reads what follows the scheme's colon.
    pub(super) fn parse(rest: &str) -> Result<Self, DatabaseUrlError> {
        let Some(rest) = rest.strip_prefix("//") else { return Err(DatabaseUrlError::BadPostgres) };
        let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        // With a bare slash in the password, its end and the host would be read, and shown, as the name of the database.
        if address.split_once('/').is_some_and(|(_, name)| name.contains('@')) {
            return Err(DatabaseUrlError::BareSlash);
        }
        let mut url = Self {
            config: Config::new(),
            ssl_mode: SslMode::Prefer,
            root_certificates: None,
            client_certificate: None,
        };
        let (mut certificate, mut key) = (None, None);
        let mut options = Vec::new();
        let mut for_driver = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, raw) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = percent_decode(raw)?;
            let wrong = |problem| DatabaseUrlError::Parameter { name: name.to_owned(), problem };
            match name {
                "sslmode" => url.ssl_mode = SslMode::parse(&value).ok_or_else(|| wrong(SSL_MODES))?,
                // JDBC's word, which libpq takes too.
                "ssl" if value == "true" => url.ssl_mode = SslMode::Require,
                "sslrootcert" => url.root_certificates = Some(value.into()),
                "sslcert" => certificate = Some(PathBuf::from(value)),
                "sslkey" => key = Some(PathBuf::from(value)),
                // dj-database-url's name for the search path.
                "currentSchema" => options.push(format!("-csearch_path%3D{raw}")),
                "options" => options.push(raw.to_owned()),
                "gssencmode" if value != "require" => {}
                known if DRIVER_PARAMETERS.contains(&known) => for_driver.push(parameter.to_owned()),
                known if UNSUPPORTED_PARAMETERS.contains(&known) => return Err(wrong("is not supported; remove it")),
                // Not shown: it may be the end of a password with a bare question mark in it.
                _ => return Err(DatabaseUrlError::UnknownParameter),
            }
        }
        url.client_certificate = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (certificate, _) => {
                let name = if certificate.is_some() { "sslcert" } else { "sslkey" }.to_owned();
                return Err(DatabaseUrlError::Parameter { name, problem: "needs both sslcert and sslkey" });
            }
        };
        if !options.is_empty() {
            for_driver.push(format!("options={}", options.join("%20")));
        }
        let query = if for_driver.is_empty() { String::new() } else { format!("?{}", for_driver.join("&")) };
        url.config = format!("postgresql://{address}{query}").parse().map_err(|_| DatabaseUrlError::BadPostgres)?;
        url.complete_hosts()?;
        if url.root_certificates.as_ref().is_some_and(|path| path.as_os_str() == "system")
            && url.ssl_mode != SslMode::VerifyFull
        {
            let problem = "= system needs sslmode=verify-full: everybody has a certificate of such an authority";
            return Err(DatabaseUrlError::Parameter { name: "sslrootcert".to_owned(), problem });
        }
        if url.config.get_dbname().is_none_or(str::is_empty) && url.config.get_user().is_none_or(str::is_empty) {
            return Err(DatabaseUrlError::BadPostgres);
        }
        if url.config.get_application_name().is_none() {
            url.config.application_name("countersign");
        }
        Ok(url)
    }

    /// Without a host it is the socket. An address alone is its host as well, so that TLS has somebody to talk to.
    fn complete_hosts(&mut self) -> Result<(), DatabaseUrlError> {
        let wrong = |problem| Err(DatabaseUrlError::Parameter { name: "hostaddr".to_owned(), problem });
        let addresses = self.config.get_hostaddrs().to_vec();
        match (self.config.get_hosts(), addresses.is_empty()) {
            ([], true) => drop(self.config.host_path(DEFAULT_SOCKET_FOLDER)),
            ([], false) if self.ssl_mode == SslMode::VerifyFull => {
                return wrong("has no name that sslmode=verify-full could compare; give the host too");
            }
            ([], false) => {
                for address in addresses {
                    self.config.host(address.to_string());
                }
            }
            (hosts, false) if hosts.iter().any(|host| matches!(host, Host::Unix(_))) => {
                return wrong("cannot stand beside a socket's folder");
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether all of its hosts are this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let is_here = |host: &Host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
            Host::Unix(_) => true,
        };
        self.config.get_hosts().iter().all(is_here) && self.config.get_hostaddrs().iter().all(IpAddr::is_loopback)
    }
}

const SSL_MODES: &str = "must be disable, allow, prefer, require, verify-ca or verify-full";

impl SslMode {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

/// The address without password and parameters.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgresql://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                // A socket in its usual folder is what an address without a host means.
                Host::Unix(folder) if folder == DEFAULT_SOCKET_FOLDER => continue,
                Host::Unix(folder) => write!(f, "{comma}{}", folder.display().to_string().replace('/', "%2F"))?,
            }
            if let Some(port) = ports.get(index).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DatabaseUrl;

    fn parsed(text: &str) -> PostgresUrl {
        PostgresUrl::parse(text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"))
    }

    #[test]
    fn parts_and_parameters_are_read() {
        let url = parsed(
            "//us%40er:p%20w@db.example:5433/na%2Fme?sslmode=verify-ca&sslrootcert=/etc/ca.pem&options=-csearch_path%3Da%2Cb",
        );
        assert_eq!(url.config.get_user(), Some("us@er"));
        assert_eq!(url.config.get_password(), Some(&b"p w"[..]));
        assert_eq!(url.config.get_dbname(), Some("na/me"));
        assert_eq!(url.config.get_options(), Some("-csearch_path=a,b"));
        assert_eq!((url.ssl_mode, url.root_certificates), (SslMode::VerifyCa, Some("/etc/ca.pem".into())));
    }

    #[test]
    fn without_a_host_it_is_the_socket() {
        let url = parsed("//ann@/site");
        assert_eq!(url.config.get_hosts(), [Host::Unix(DEFAULT_SOCKET_FOLDER.into())]);
        assert_eq!(url.to_string(), "postgresql://ann@/site");
        assert!(url.is_loopback() && url.ssl_mode == SslMode::Prefer);
    }

    #[test]
    fn loopback_is_told_from_the_network() {
        for (text, here) in [
            ("//localhost/x", true),
            ("//127.0.0.1:5/x", true),
            ("//[::1]/x", true),
            ("//%2Fvar%2Frun/x", true),
            ("//10.0.0.1/x", false),
            ("//localhost,db.example/x", false),
        ] {
            assert_eq!(parsed(text).is_loopback(), here, "{text}");
        }
    }

    #[test]
    fn an_address_alone_keeps_its_ssl_mode() {
        let url = parsed("//ann@/site?hostaddr=10.0.0.5&sslmode=require");
        assert_eq!(url.config.get_hosts(), [Host::Tcp("10.0.0.5".to_owned())]);
        assert!(!url.is_loopback() && url.ssl_mode == SslMode::Require);
    }

    #[test]
    fn both_spellings_of_options_count() {
        let url = parsed("//h/x?currentSchema=a&options=-crole%3Dbob");
        assert_eq!(url.config.get_options(), Some("-csearch_path=a -crole=bob"));
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (text, part) in [
            ("//ann@/x?hostaddr=10.0.0.5&sslmode=verify-full", "`hostaddr` has no name"),
            ("//ann@/x?host=/tmp&hostaddr=10.0.0.5", "`hostaddr` cannot stand beside"),
            ("//h/x?sslmode=require&sslrootcert=system", "`sslrootcert` = system needs sslmode=verify-full"),
            ("//ann:hunter?2secret@db.example/site", "unknown parameter"),
            ("//ann:5/secret@db.example/site", "must be written %2F"),
            ("//h/x?sslmode=yes", "`sslmode` must be disable, allow"),
            ("//h/x?sslcert=a", "`sslcert` needs both"),
            ("//h/x?sslpassword=secret", "`sslpassword` is not supported"),
            ("//h:port/x", "no PostgreSQL address"),
            ("h/x", "no PostgreSQL address"),
            ("//h", "no PostgreSQL address"),
        ] {
            let refusal = PostgresUrl::parse(text).expect_err(text).to_string();
            assert!(refusal.contains(part), "{refusal}");
            assert!(!refusal.contains("secret"));
        }
    }

    #[test]
    fn s2_the_password_is_never_shown() {
        let url: DatabaseUrl = "postgresql://ann:hunter2@h/site?password=hunter2".parse().expect("an address");
        assert!(!format!("{url:?} {url}").contains("hunter2"), "{url:?} {url}");
        for text in
            ["postgresql://ann:hunter?hunter2@h/site", "postgresql://ann:hunter?x=1&hunter2@h/s", "hunter2://h/x"]
        {
            let refusal = text.parse::<DatabaseUrl>().expect_err(text);
            assert!(!format!("{refusal:?} {refusal}").contains("hunter2"), "{refusal}");
        }
    }
}
