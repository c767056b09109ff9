//! A PostgreSQL address: libpq's URI with libpq's parameters.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::address::{NAME, Parts, is_name, wrong};
use super::{DatabaseUrlError, percent_decode};

/// Where Debian's servers, and libpq there, have their socket.
pub(super) const DEFAULT_SOCKET_FOLDER: &str = "/var/run/postgresql";

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
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostgresUrl {
    /// What the driver knows of it, the password too.
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
        let mut parts = Parts::read(address)?;
        // Behind a bare question mark in the password there is the end of it, and the host.
        if parameters.contains('@') {
            return Err(DatabaseUrlError::BareAt);
        }
        let mut url = Self {
            config: Config::new(),
            ssl_mode: SslMode::Prefer,
            root_certificates: None,
            client_certificate: None,
        };
        let (mut certificate, mut key) = (None, None);
        let mut options = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, raw) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = percent_decode(raw)?;
            let path = |value: String| if is_name(&value) { Ok(PathBuf::from(value)) } else { Err(wrong(name, NAME)) };
            match name {
                "sslmode" => url.ssl_mode = SslMode::parse(&value).ok_or_else(|| wrong(name, SSL_MODES))?,
                // JDBC's word, which libpq takes too.
                "ssl" if value == "true" => url.ssl_mode = SslMode::Require,
                "sslrootcert" => url.root_certificates = Some(path(value)?),
                "sslcert" => certificate = Some(path(value)?),
                "sslkey" => key = Some(path(value)?),
                // dj-database-url's name for the search path.
                "currentSchema" => options.push(format!("-csearch_path={value}")),
                "options" => options.push(value),
                "gssencmode" if value != "require" => {}
                _ if UNSUPPORTED_PARAMETERS.contains(&name) => return Err(wrong(name, "is not supported; remove it")),
                _ => {
                    // Not shown: it may be the end of a password with a bare question mark in it.
                    let known = DRIVER_PARAMETERS.iter().find(|known| **known == name);
                    parts.set(known.ok_or(DatabaseUrlError::UnknownParameter)?, value)?;
                }
            }
        }
        url.client_certificate = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (certificate, _) => {
                let name = if certificate.is_some() { "sslcert" } else { "sslkey" };
                return Err(wrong(name, "needs both sslcert and sslkey"));
            }
        };
        parts.set("options", options.join(" "))?;
        url.config = parts.into_config()?;
        url.complete_hosts()?;
        if url.root_certificates.as_ref().is_some_and(|path| path.as_os_str() == "system")
            && url.ssl_mode != SslMode::VerifyFull
        {
            let problem = "= system needs sslmode=verify-full: everybody has a certificate of such an authority";
            return Err(wrong("sslrootcert", problem));
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
        let refuse = |problem| Err(wrong("hostaddr", problem));
        let addresses = self.config.get_hostaddrs().to_vec();
        match (self.config.get_hosts(), addresses.is_empty()) {
            ([], true) => drop(self.config.host_path(DEFAULT_SOCKET_FOLDER)),
            ([], false) if self.ssl_mode == SslMode::VerifyFull => {
                return refuse("has no name that sslmode=verify-full could compare; give the host too");
            }
            ([], false) => {
                for address in addresses {
                    self.config.host(address.to_string());
                }
            }
            (hosts, false) if hosts.iter().any(|host| matches!(host, Host::Unix(_))) => {
                return refuse("cannot stand beside a socket's folder");
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

/// As `Display`, which shows names alone, and how the connection is protected.
impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self}, {:?})", self.ssl_mode)
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

    /// PostgreSQL 15 documentation, §34.1.1.2: what stands in the query goes before what stands in the address.
    #[test]
    fn the_query_goes_before_the_address() {
        let url = parsed("//ann:one@db:1,[::1]:2/x?password=it's%5C&port=3&host=h1,/run/pg&dbname=y&user=bob");
        assert_eq!(url.config.get_password(), Some(&b"it's\\"[..]));
        assert_eq!(url.config.get_hosts(), [Host::Tcp("h1".to_owned()), Host::Unix("/run/pg".into())]);
        assert_eq!(
            (url.config.get_ports(), url.config.get_dbname(), url.config.get_user()),
            (&[3][..], Some("y"), Some("bob"))
        );
        let url = parsed("//db:1,[::1]:2,[::2]/x?application_name=it's%20%5C me");
        assert_eq!(url.config.get_application_name(), Some("it's \\ me"));
        assert_eq!((url.config.get_hosts().len(), url.config.get_ports()), (3, &[1, 2, 5432][..]));
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
            ("//ann:hunter?2secret@db.example/site", "`port` must be a number"),
            ("//ann:5/secret@db.example/site", "must be written %2F"),
            ("//h/site//secret", "must be written %2F"),
            ("//ann:p@secret@h/site", "an @"),
            ("//ann:5?host=x@secret/site", "an @"),
            ("//ann:5?secret", "unknown parameter"),
            ("///site?password=s@secret", "an @"),
            ("///name?host=/po@stgres:5432//Run&password=secret", "an @"),
            ("//h/site password=secret", "`dbname` may hold none of"),
            ("//h/site&password=secret", "`dbname` may hold none of"),
            ("//h/site%3Fpassword%3Dsecret", "`dbname` may hold none of"),
            ("//ann%3Asecret@h/site", "`user` may hold none of"),
            ("//h%2Csecret/site", "`host` must be"),
            ("//h;secret/site", "`host` must be"),
            ("//h/site?host=/run;password=secret", "`host` must be"),
            ("//h/site?port=1,x", "`port` must be"),
            ("//h/site?hostaddr=secret", "`hostaddr` must be"),
            ("//h/site?connect_timeout=secret", "`connect_timeout` has a value"),
            ("//h/site?sslrootcert=/ca.pem?password=secret", "`sslrootcert` may hold none of"),
            ("//[::1/site", "no PostgreSQL address"),
            ("//h/x?sslmode=yes", "`sslmode` must be disable, allow"),
            ("//h/x?sslcert=a", "`sslcert` needs both"),
            ("//h/x?sslpassword=secret", "`sslpassword` is not supported"),
            ("//h:port/x", "`port` must be a number"),
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
