use std::fs;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// What to do about a file of authorities that is none.
pub const AUTHORITIES_FIX: &str = "name a PEM file of certificates, which this process may read";

/// Looks at a file of authorities that a client is to trust; `Err` says what is wrong with it.
///
/// It is read again at each connection, so that it may change.
pub fn check_authorities(path: &Path) -> Result<(), String> {
    let wrong = |what: String| format!("{} {what}", path.display());
    let pem = fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(()),
        Ok(_) => Err(wrong("holds no certificate".to_owned())),
        Err(error) => Err(wrong(format!("is not PEM: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_authorities_is_pem_with_a_certificate_in_it() {
        const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(check_authorities(&path).unwrap_err().contains("cannot be read"));
        for (text, says) in [("", "no certificate"), ("hello", "no certificate"), (&CERTIFICATE[..40], "PEM")]
        {
            fs::write(&path, text).unwrap();
            let wrong = check_authorities(&path).unwrap_err();
            assert!(wrong.contains(says), "{wrong}");
        }
        fs::write(&path, CERTIFICATE).unwrap();
        assert_eq!(check_authorities(&path), Ok(()));
    }
}
