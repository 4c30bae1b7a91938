//! TLS and QUIC, configured by hand: nothing here is a library's default by accident.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{SupportedProtocolVersion, quic};

use crate::verifier::{AdmittedPeers, ED25519_ONLY, PinnedPeer, VerdictSlot};
use crate::{Limits, PeerDirectory, PeerKey, TransportKey};

/// The application protocol both sides must name (RFC 7301).
pub const ALPN: &[u8] = b"mandorla/1";

/// quinn wants a name to connect to. It is never sent (no server name indication) and never checked: the key is the name.
pub(crate) const SERVER_NAME: &str = "mandorla.invalid";

/// QUIC version 1 (RFC 9000); quinn would also speak the drafts before it.
const QUIC_VERSIONS: [u32; 1] = [1];

static TLS_VERSIONS: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

/// Everything needed to configure either side of a connection.
pub(crate) struct Config {
    provider: Arc<CryptoProvider>,
    identity: Arc<CertifiedKey>,
    directory: Arc<dyn PeerDirectory>,
    client_transport: Arc<quinn::TransportConfig>,
    /// The accepting side without the per-handshake verifier; holds the key that retry tokens are made with.
    server: quinn::ServerConfig,
}

impl Config {
    pub(crate) fn new(
        key: &TransportKey,
        directory: Arc<dyn PeerDirectory>,
        limits: &Limits,
    ) -> Self {
        let provider = Arc::new(provider());
        let identity = key.certified();
        let crypto = server_crypto(&provider, &identity, &directory, VerdictSlot::default());
        let mut tokens = quinn::ValidationTokenConfig::default();
        // Tokens for later connections would link them; retry tokens are another thing and stay.
        tokens.sent(0).log(Arc::new(quinn::NoneTokenLog));
        let mut server = quinn::ServerConfig::with_crypto(quic_server(crypto));
        server
            .transport_config(Arc::new(limits.transport(quinn::Side::Server)))
            .validation_token_config(tokens)
            .retry_token_lifetime(limits.retry_token_lifetime)
            .migration(false)
            .max_incoming(limits.incoming_max)
            .incoming_buffer_size(limits.incoming_buffer_bytes)
            .incoming_buffer_size_total(limits.incoming_buffer_total_bytes);
        let client_transport = Arc::new(limits.transport(quinn::Side::Client));
        Self {
            provider,
            identity,
            directory,
            client_transport,
            server,
        }
    }

    pub(crate) fn endpoint() -> quinn::EndpointConfig {
        let mut endpoint = quinn::EndpointConfig::default();
        endpoint.supported_versions(QUIC_VERSIONS.to_vec());
        endpoint
    }

    /// The accepting side as the endpoint holds it, for first packets and retries.
    pub(crate) fn server(&self) -> quinn::ServerConfig {
        self.server.clone()
    }

    /// The accepting side of one handshake, whose verdict goes to `slot`.
    pub(crate) fn accept(&self, slot: VerdictSlot) -> Arc<quinn::ServerConfig> {
        let crypto = server_crypto(&self.provider, &self.identity, &self.directory, slot);
        let mut server = self.server.clone();
        server.crypto = quic_server(crypto);
        Arc::new(server)
    }

    /// The connecting side of one handshake with the holder of `expected`.
    pub(crate) fn connect(&self, expected: PeerKey, slot: VerdictSlot) -> quinn::ClientConfig {
        let crypto = client_crypto(&self.provider, &self.identity, expected, slot);
        let crypto = QuicClientConfig::with_initial(Arc::new(crypto), initial_suite())
            .expect("the initial suite is AES-128-GCM");
        let mut client = quinn::ClientConfig::new(Arc::new(crypto));
        client
            .transport_config(Arc::clone(&self.client_transport))
            .token_store(Arc::new(quinn::NoneTokenStore));
        client
    }
}

/// aws-lc-rs reduced to what nodes use: two suites at 256 bits, one hybrid key exchange, one signature scheme.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![kx_group::X25519MLKEM768],
        signature_verification_algorithms: *ED25519_ONLY,
        ..aws_lc_rs::default_provider()
    }
}

/// QUIC protects first packets with AES-128-GCM under keys everybody can compute (RFC 9001, section 5.2); given apart, the
/// suite is not offered for traffic.
fn initial_suite() -> quic::Suite {
    cipher_suite::TLS13_AES_128_GCM_SHA256
        .tls13()
        .and_then(rustls::Tls13CipherSuite::quic_suite)
        .expect("aws-lc-rs has AES-128-GCM for QUIC")
}

fn client_crypto(
    provider: &Arc<CryptoProvider>,
    identity: &Arc<CertifiedKey>,
    expected: PeerKey,
    slot: VerdictSlot,
) -> rustls::ClientConfig {
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&TLS_VERSIONS)
        .expect("the provider has suites and a group for TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedPeer { expected, slot }))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
            Arc::clone(identity),
        )));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.check_selected_alpn = true;
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    config
}

fn server_crypto(
    provider: &Arc<CryptoProvider>,
    identity: &Arc<CertifiedKey>,
    directory: &Arc<dyn PeerDirectory>,
    slot: VerdictSlot,
) -> rustls::ServerConfig {
    let verifier = AdmittedPeers {
        directory: Arc::clone(directory),
        slot,
    };
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&TLS_VERSIONS)
        .expect("the provider has suites and a group for TLS 1.3")
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(
            Arc::clone(identity),
        )));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.send_half_rtt_data = false;
    config
}

fn quic_server(crypto: rustls::ServerConfig) -> Arc<QuicServerConfig> {
    let crypto = QuicServerConfig::with_initial(Arc::new(crypto), initial_suite())
        .expect("the initial suite is AES-128-GCM");
    Arc::new(crypto)
}

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

    use super::*;
    use crate::Admission;

    struct Everybody;

    impl PeerDirectory for Everybody {
        fn admit(&self, _key: &PeerKey) -> Admission {
            Admission::Known
        }
    }

    fn both() -> (rustls::ClientConfig, rustls::ServerConfig) {
        let provider = Arc::new(provider());
        let key = TransportKey::from_seed([1; 32]);
        let directory: Arc<dyn PeerDirectory> = Arc::new(Everybody);
        (
            client_crypto(
                &provider,
                &key.certified(),
                key.public(),
                VerdictSlot::default(),
            ),
            server_crypto(
                &provider,
                &key.certified(),
                &directory,
                VerdictSlot::default(),
            ),
        )
    }

    #[test]
    fn the_hybrid_group_is_the_only_key_exchange() {
        let (client, server) = both();
        for provider in [client.crypto_provider(), server.crypto_provider()] {
            let groups: Vec<_> = provider
                .kx_groups
                .iter()
                .map(|group| group.name())
                .collect();
            assert_eq!(groups, [NamedGroup::X25519MLKEM768]);
        }
    }

    #[test]
    fn traffic_suites_have_256_bit_keys() {
        let (client, server) = both();
        for provider in [client.crypto_provider(), server.crypto_provider()] {
            let suites: Vec<_> = provider
                .cipher_suites
                .iter()
                .map(rustls::SupportedCipherSuite::suite)
                .collect();
            assert_eq!(
                suites,
                [
                    CipherSuite::TLS13_AES_256_GCM_SHA384,
                    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                ]
            );
        }
    }

    #[test]
    fn ed25519_is_the_only_signature_scheme() {
        let (client, server) = both();
        for provider in [client.crypto_provider(), server.crypto_provider()] {
            let schemes = provider
                .signature_verification_algorithms
                .supported_schemes();
            assert_eq!(schemes, [SignatureScheme::ED25519]);
            assert_eq!(provider.signature_verification_algorithms.all.len(), 1);
        }
    }

    #[test]
    fn tls_1_3_is_the_only_version_configured_and_compiled() {
        assert_eq!(
            TLS_VERSIONS.map(|version| version.version),
            [ProtocolVersion::TLSv1_3]
        );
        let suites_of_tls13 = provider()
            .cipher_suites
            .iter()
            .filter(|suite| suite.tls13().is_some())
            .count();
        assert_eq!(suites_of_tls13, provider().cipher_suites.len());
    }

    #[test]
    fn early_data_resumption_tickets_and_server_names_are_off() {
        let (client, server) = both();
        assert!(!client.enable_early_data);
        assert!(!client.enable_sni);
        assert!(format!("{:?}", client.resumption).contains("NoClientSessionStorage"));
        assert_eq!(server.max_early_data_size, 0);
        assert_eq!(server.send_tls13_tickets, 0);
        assert!(!server.send_half_rtt_data);
        assert!(!server.ticketer.enabled());
        assert!(!server.session_storage.can_cache());
    }

    #[test]
    fn the_application_protocol_is_required_on_both_sides() {
        let (client, server) = both();
        assert_eq!(client.alpn_protocols, [b"mandorla/1".to_vec()]);
        assert_eq!(server.alpn_protocols, [b"mandorla/1".to_vec()]);
        assert!(client.check_selected_alpn);
    }

    #[test]
    fn the_accepting_side_neither_migrates_nor_hands_out_tokens() {
        let key = TransportKey::from_seed([1; 32]);
        let limits = Limits {
            incoming_max: 77,
            incoming_buffer_bytes: 88,
            ..Limits::default()
        };
        let config = Config::new(&key, Arc::new(Everybody), &limits);
        for server in [
            config.server(),
            (*config.accept(VerdictSlot::default())).clone(),
        ] {
            let printed = format!("{server:?}");
            for setting in [
                "migration: false",
                "sent: 0",
                "max_incoming: 77",
                "incoming_buffer_size: 88",
                "retry_token_lifetime: 10s",
            ] {
                assert!(
                    printed.contains(setting),
                    "{setting} missing from {printed}"
                );
            }
        }
    }
}
