//! TLS to PostgreSQL, which its URL says in `sslmode` (names and meanings are libpq's). Left out, libpq and our client
//! would take plain text from a server that offers nothing better, and so from whoever pretends to be one. On this machine
//! nobody listens in who could not read the process, and TLS would cost every statement: there it is plain.

use std::path::PathBuf;

use url::Url;

use super::{Mistake, is_local};

const DISABLE: &str = "disable";
const PREFER: &str = "prefer";
const VERIFY_FULL: &str = "verify-full";
const MODES: [&str; 5] = [DISABLE, PREFER, "require", "verify-ca", VERIFY_FULL];

/// What a URL says about TLS.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) struct PostgresTls {
    mode: String,
    /// PEM file of authorities to trust besides the public ones.
    pub(in crate::config) authorities: Option<PathBuf>,
    local: bool,
}

impl PostgresTls {
    pub(in crate::config) fn of(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let last = |names: &[&str]| {
            let named = url.query_pairs().filter(|(name, _)| names.contains(&name.as_ref()));
            named.last().map(|(_, value)| value.into_owned())
        };
        let local = match last(&["host", "hostaddr"]) {
            Some(host) if host.starts_with('/') => true,
            Some(host) => Url::parse(&format!("postgres://{host}")).is_ok_and(|url| is_local(&url)),
            None => is_local(&url),
        };
        let mode = last(&["sslmode", "ssl-mode"]).map(|mode| mode.to_ascii_lowercase());
        Some(Self {
            mode: mode.unwrap_or_else(|| if local { DISABLE } else { VERIFY_FULL }.to_owned()),
            authorities: last(&["sslrootcert", "ssl-root-cert", "ssl-ca"]).map(PathBuf::from),
            local,
        })
    }

    /// Whether a connection that leaves this machine is made in plain text where the server has no TLS.
    pub(in crate::config) fn falls_back(&self) -> bool {
        self.mode == PREFER && !self.local
    }

    /// Adds the mode that holds where none is written, so that nothing else decides it.
    pub(super) fn spelt_out(self, text: &str) -> Result<String, Mistake> {
        if !MODES.contains(&self.mode.as_str()) {
            return Err(Mistake::new(
                format!("has an sslmode that is not known here: {:?}", self.mode),
                "write sslmode=verify-full, verify-ca, require, prefer or disable",
            ));
        }
        if self.authorities.is_some() && !self.mode.starts_with("verify-") {
            return Err(Mistake::new(
                format!("has an sslrootcert, and with sslmode={} nobody would ask it", self.mode),
                "write sslmode=verify-full",
            ));
        }
        if ["sslmode=", "ssl-mode="].iter().any(|option| text.contains(option)) {
            return Ok(text.to_owned());
        }
        let mark = if text.contains('?') { '&' } else { '?' };
        Ok(format!("{text}{mark}sslmode={}", self.mode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt_out(text: &str) -> String {
        PostgresTls::of(text).unwrap().spelt_out(text).unwrap()
    }

    #[test]
    fn without_a_word_tls_is_checked_unless_nothing_leaves_this_machine() {
        for (text, mode) in [
            ("postgres://u:p@db.example.com/d", "?sslmode=verify-full"),
            ("postgres://10.1.2.3/d?application_name=x", "&sslmode=verify-full"),
            ("postgres://localhost/d?host=db.example.com", "&sslmode=verify-full"),
            ("postgres://u@127.0.0.1:5432/d", "?sslmode=disable"),
            ("postgres://u@[::1]/d", "?sslmode=disable"),
            ("postgres://localhost/d", "?sslmode=disable"),
            ("postgres:///d?host=/run/postgresql", "&sslmode=disable"),
            ("postgres://db/d?sslmode=disable", ""),
            ("postgres://db/d?ssl-mode=require", ""),
            ("postgres://db/d?sslmode=verify-full&sslrootcert=/etc/ca.pem", ""),
        ] {
            assert_eq!(spelt_out(text), format!("{text}{mode}"));
        }
    }

    #[test]
    fn only_what_was_written_falls_back() {
        let falls_back = |text: &str| PostgresTls::of(text).unwrap().falls_back();
        assert!(falls_back("postgres://db/d?sslmode=prefer"));
        for text in
            ["postgres://db/d", "postgres://db/d?sslmode=disable", "postgres://localhost/d?sslmode=prefer"]
        {
            assert!(!falls_back(text), "{text}");
        }
    }

    #[test]
    fn a_mode_that_would_not_do_as_it_says_is_refused() {
        for (text, says) in [
            ("postgres://db/d?sslmode=allow", "not known"),
            ("postgres://db/d?sslmode=verify", "not known"),
            ("postgres://db/d?sslmode=", "not known"),
            ("postgres://db/d?sslmode=require&sslrootcert=/ca.pem", "nobody would ask"),
            ("postgres://localhost/d?sslrootcert=/ca.pem", "nobody would ask"),
        ] {
            let mistake = PostgresTls::of(text).unwrap().spelt_out(text).unwrap_err();
            assert!(mistake.message.contains(says) && mistake.fix.contains("verify-full"), "{mistake:?}");
        }
        assert_eq!(
            PostgresTls::of("postgres://db/d?sslrootcert=/ca.pem").unwrap().authorities,
            Some("/ca.pem".into())
        );
    }
}
