//! The certificate of the public listener: two files, and whether what is in them can be served.

use std::{fmt, fs, io, path::Path, sync::Arc, time::Duration};

use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use zeroize::Zeroizing;

use super::problem::Mistake;
use super::settings::TlsFiles;

const CERT: &str = "tls.cert";
const KEY: &str = "tls.key";

/// What the two files hold. Equal is what needs no new look.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificatePem {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

/// A certificate with its chain and the key that fits it.
#[derive(Debug, Clone)]
pub struct ServerCertificate {
    pub certified_key: Arc<CertifiedKey>,
    /// Seconds since 1970.
    pub not_before: u64,
    /// Seconds since 1970.
    pub not_after: u64,
}

/// Why there is no certificate: each mistake with the setting that it is in.
#[derive(Debug)]
pub struct CertificateFlaws(pub(super) Vec<(&'static str, Mistake)>);

impl TlsFiles {
    pub fn read(&self) -> Result<CertificatePem, CertificateFlaws> {
        match (read(CERT, &self.cert), read(KEY, &self.key)) {
            (Ok(cert), Ok(key)) => Ok(CertificatePem { cert, key: Zeroizing::new(key) }),
            (cert, key) => Err(CertificateFlaws(cert.err().into_iter().chain(key.err()).collect())),
        }
    }
}

impl CertificatePem {
    /// Reads the contents as what they should be. Whether the time is right is for the caller to judge.
    pub fn parse(&self) -> Result<ServerCertificate, CertificateFlaws> {
        let (chain, key) = match (self.chain(), self.private_key()) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(CertificateFlaws(chain.err().into_iter().chain(key.err()).collect())),
        };
        let one = |setting, mistake| CertificateFlaws(vec![(setting, mistake)]);
        let own = chain.first().ok_or_else(|| one(CERT, no_certificate()))?;
        let (not_before, not_after) = validity(own).map_err(|error| {
            one(CERT, Mistake::new(format!("holds no certificate of a server: {error:?}"), CERT_FIX))
        })?;
        let certified_key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let certified_key = certified_key.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => one(
                KEY,
                Mistake::new(
                    "is not the key of the certificate in tls.cert",
                    "name the key that the certificate was made for; in tls.cert the server's own certificate comes \
                     first, and after it those above it",
                ),
            ),
            rustls::Error::InvalidCertificate(error) => {
                one(CERT, Mistake::new(format!("holds no certificate of a server: {error}"), CERT_FIX))
            }
            _ => one(KEY, Mistake::new("holds a key that cannot be used", KEY_FIX)),
        })?;
        Ok(ServerCertificate { certified_key: Arc::new(certified_key), not_before, not_after })
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, (&'static str, Mistake)> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.cert).collect();
        let chain = chain.map_err(|_| (CERT, Mistake::new("is not PEM", CERT_FIX)))?;
        if chain.is_empty() { Err((CERT, no_certificate())) } else { Ok(chain) }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, (&'static str, Mistake)> {
        // The error may quote what stands in the file.
        PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            let message = match error {
                pem::Error::NoItemsFound => "holds no private key",
                _ => "is not PEM",
            };
            (KEY, Mistake::new(message, KEY_FIX))
        })
    }
}

impl ServerCertificate {
    /// Tells whether clients that look for this host, a name or an address, accept it.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        // URLs have IPv6 between brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let own = self.certified_key.end_entity_cert().ok().and_then(|own| EndEntityCert::try_from(own).ok());
        let name = ServerName::try_from(host).ok();
        own.zip(name).is_some_and(|(own, name)| own.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

const CERT_FIX: &str = "name a PEM file with the server's own certificate first, and after it those above it";
const KEY_FIX: &str = "name a PEM file with an RSA, ECDSA or Ed25519 key that needs no passphrase";

fn no_certificate() -> Mistake {
    Mistake::new("holds no certificate", CERT_FIX)
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, (&'static str, Mistake)> {
    fs::read(path).map_err(|error| {
        let fix = match error.kind() {
            io::ErrorKind::PermissionDenied => "let the user that runs keyward read it",
            _ => "name a file that exists and that this user may read",
        };
        (setting, Mistake::new(format!("{} cannot be read: {error}", path.display()), fix))
    })
}

/// Finds out the first and the last second, by asking at times that are surely before and after.
fn validity(certificate: &CertificateDer<'_>) -> Result<(u64, u64), webpki::Error> {
    let parsed = EndEntityCert::try_from(certificate)?;
    let asked_at = |seconds| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        // Times are looked at before the issuer is looked for.
        parsed.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    };
    let not_after = match asked_at(u64::MAX) {
        Some(webpki::Error::CertExpired { not_after, .. }) => not_after.as_secs(),
        other => return Err(other.unwrap_or(webpki::Error::InvalidCertValidity)),
    };
    let not_before = match asked_at(0) {
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => not_before.as_secs(),
        _ => 0,
    };
    Ok((not_before, not_after))
}

impl fmt::Display for CertificateFlaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (setting, Mistake { message, fix })) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{setting} {message}\n  fix: {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CertificateFlaws {}

/// Without the key.
impl fmt::Debug for CertificatePem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificatePem({} bytes)", self.cert.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair {
        cert: String,
        key: String,
    }

    fn pair() -> Pair {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        Pair { cert: own.cert.pem(), key: own.signing_key.serialize_pem() }
    }

    fn parse(cert: &str, key: &str) -> Result<ServerCertificate, CertificateFlaws> {
        CertificatePem { cert: cert.into(), key: Zeroizing::new(key.into()) }.parse()
    }

    #[test]
    fn a_pair_that_fits_is_served_and_its_times_are_known() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 2, 3);
        params.not_after = rcgen::date_time_ymd(2002, 3, 4);
        let old = parse(&params.self_signed(&key).unwrap().pem(), &key.serialize_pem()).unwrap();
        assert_eq!((old.not_before, old.not_after), (981_158_400, 1_015_200_000));
        params.not_before = rcgen::date_time_ymd(1990, 1, 1);
        params.not_after = rcgen::date_time_ymd(4096, 1, 1);
        let long = parse(&params.self_signed(&key).unwrap().pem(), &key.serialize_pem()).unwrap();
        assert!(long.not_after > 60_000_000_000, "{}", long.not_after);
    }

    #[test]
    fn whatever_cannot_be_served_is_told_with_its_setting() {
        let (ours, other) = (pair(), pair());
        let cut = &ours.cert[..60];
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let no_cert = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (cert, key, says) in [
            ("", ours.key.as_str(), "tls.cert holds no certificate"),
            (cut, &ours.key, "tls.cert is not PEM"),
            (no_cert, &ours.key, "tls.cert holds no certificate of a server"),
            (&ours.key, &ours.key, "tls.cert holds no certificate"),
            (&ours.cert, "", "tls.key holds no private key"),
            (&ours.cert, "hunter2", "tls.key holds no private key"),
            (&ours.cert, &ours.cert, "tls.key holds no private key"),
            (&ours.cert, locked, "tls.key holds no private key"),
            (&ours.cert, no_key, "tls.key holds a key that cannot be used"),
            (&ours.cert, &ours.key[..60], "tls.key is not PEM"),
            (&ours.cert, &other.key, "tls.key is not the key of the certificate"),
        ] {
            let told = parse(cert, key).unwrap_err().to_string();
            assert!(told.starts_with(says) && told.contains("fix: "), "{says}: {told}");
        }
        let told = parse("", "").unwrap_err().to_string();
        assert_eq!(told.matches("fix: ").count(), 2, "{told}");
    }

    #[test]
    fn files_that_cannot_be_read_are_both_told() {
        let files = TlsFiles { cert: "/no/such/tls.crt".into(), key: "/no/such/tls.key".into() };
        let told = files.read().unwrap_err().to_string();
        assert!(told.contains("tls.cert /no/such/tls.crt cannot be read"), "{told}");
        assert!(told.contains("tls.key /no/such/tls.key cannot be read"), "{told}");
    }
}
