//! Peers built by hand from quinn and rustls, different from a node in one respect each.
//!
//! Nothing here uses the crate under test: not its encodings, not its configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::world::{loopback, public};

pub(crate) const GREETING: &[u8; 16] = b"mandorla\x01\x00\x01\x00\x00\x00\x00\x00";
pub(crate) const REPLY: &[u8; 16] = b"mandorla\x01\x00\x02\x00\x00\x00\x00\x00";

/// A peer's TLS; as a node's unless a test changes a field.
pub(crate) struct Crafted {
    pub(crate) groups: Vec<&'static dyn SupportedKxGroup>,
    pub(crate) alpn: Vec<Vec<u8>>,
    /// What is sent as certificate.
    pub(crate) chain: Option<Vec<CertificateDer<'static>>>,
    /// What signs the handshake.
    pub(crate) signer: Arc<dyn SigningKey>,
    /// Whether this peer says that it sends, and takes, raw public keys.
    pub(crate) raw: bool,
    /// As a client: keeps sessions and tries early data. As a server: hands out tickets and takes early data.
    pub(crate) early: bool,
    /// As a server: how many client keys it has looked at. A resumed session shows none.
    pub(crate) keys_seen: Arc<AtomicUsize>,
}

impl Crafted {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            groups: vec![kx_group::X25519MLKEM768],
            alpn: vec![b"mandorla/1".to_vec()],
            chain: Some(vec![spki(seed)]),
            signer: signer(seed),
            raw: true,
            early: false,
            keys_seen: Arc::default(),
        }
    }

    /// The same key in a self-signed X.509 certificate.
    pub(crate) fn x509(seed: u8) -> Self {
        Self {
            chain: Some(vec![certificate(seed)]),
            raw: false,
            ..Self::new(seed)
        }
    }

    pub(crate) fn client(self) -> quinn::ClientConfig {
        let provider = self.provider();
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody::new(true, &self.keys_seen)))
            .with_client_cert_resolver(Arc::new(self.identity()));
        config.alpn_protocols = self.alpn;
        config.enable_early_data = self.early;
        config.resumption = if self.early {
            Resumption::in_memory_sessions(8)
        } else {
            Resumption::disabled()
        };
        quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()))
    }

    /// A listening peer.
    pub(crate) fn server(self) -> quinn::Endpoint {
        let provider = self.provider();
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(Arc::new(Anybody::new(self.raw, &self.keys_seen)))
            .with_cert_resolver(Arc::new(self.identity()));
        config.alpn_protocols = self.alpn;
        if self.early {
            config.max_early_data_size = u32::MAX;
        } else {
            config.send_tls13_tickets = 0;
        }
        let crypto = QuicServerConfig::try_from(config).unwrap();
        let server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        quinn::Endpoint::server(server, loopback()).unwrap()
    }

    fn identity(&self) -> Identity {
        let key = self
            .chain
            .clone()
            .map(|chain| Arc::new(CertifiedKey::new(chain, self.signer.clone())));
        Identity { key, raw: self.raw }
    }

    fn provider(&self) -> Arc<CryptoProvider> {
        Arc::new(CryptoProvider {
            kx_groups: self.groups.clone(),
            ..aws_lc_rs::default_provider()
        })
    }
}

pub(crate) fn endpoint() -> quinn::Endpoint {
    quinn::Endpoint::client(loopback()).unwrap()
}

/// One attempt of a crafted client, as far as the end of the client's own handshake.
pub(crate) async fn attempt(
    config: quinn::ClientConfig,
    to: std::net::SocketAddr,
) -> Result<(quinn::Endpoint, quinn::Connection), quinn::ConnectionError> {
    let endpoint = endpoint();
    let connection = endpoint
        .connect_with(config, to, "any.invalid")
        .unwrap()
        .await?;
    Ok((endpoint, connection))
}

pub(crate) fn spki(seed: u8) -> CertificateDer<'static> {
    let mut spki = hex::decode("302a300506032b6570032100").unwrap();
    spki.extend(public(seed).0);
    spki.into()
}

pub(crate) fn signer(seed: u8) -> Arc<dyn SigningKey> {
    aws_lc_rs::sign::any_eddsa_type(&pkcs8(seed)).unwrap()
}

fn pkcs8(seed: u8) -> PrivatePkcs8KeyDer<'static> {
    let mut pkcs8 = hex::decode("302e020100300506032b657004220420").unwrap();
    pkcs8.extend([seed; 32]);
    pkcs8.into()
}

pub(crate) fn certificate(seed: u8) -> CertificateDer<'static> {
    let key =
        rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8(seed), &rcgen::PKCS_ED25519).unwrap();
    let params = rcgen::CertificateParams::new(vec!["any.invalid".to_owned()]).unwrap();
    params.self_signed(&key).unwrap().der().clone()
}

#[derive(Debug)]
struct Identity {
    key: Option<Arc<CertifiedKey>>,
    raw: bool,
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.key.clone()
    }

    fn only_raw_public_keys(&self) -> bool {
        self.raw
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.key.clone()
    }

    fn only_raw_public_keys(&self) -> bool {
        self.raw
    }
}

/// Believes everything; the side under test is the other one.
#[derive(Debug)]
struct Anybody {
    raw: bool,
    keys_seen: Arc<AtomicUsize>,
}

impl Anybody {
    fn new(raw: bool, keys_seen: &Arc<AtomicUsize>) -> Self {
        Self {
            raw,
            keys_seen: Arc::clone(keys_seen),
        }
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ED25519,
            SignatureScheme::ECDSA_NISTP256_SHA256,
        ]
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.raw
    }
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.keys_seen.fetch_add(1, Ordering::SeqCst);
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.raw
    }
}
