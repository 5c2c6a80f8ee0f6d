use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

/// An authority of our own, and what it says of this machine: `ca.pem`, `server.pem`, `server.key`.
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Not the name that its certificates have: OpenSSL would take those for signed by themselves.
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        let own = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), own.pem()).expect("the folder can be written");
        let made = Self { folder, issuer: Issuer::new(params, key) };
        made.renew(|_| ());
        made
    }

    /// Writes another certificate with another key, and returns it.
    pub fn renew(&self, change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("a key");
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let own = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.write("server.key", &key.serialize_pem());
        self.write("server.pem", &own.pem());
        own.der().clone()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("the folder can be written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("a file")
    }

    pub fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
