//! Who the other side is: pinned raw public keys in place of certificates (RFC 7250).

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};

use crate::{Admission, PeerDirectory, PeerKey};

/// Ed25519 and nothing else, taken out of the provider's own table.
pub(crate) static ED25519_ONLY: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let entry = provider
        .signature_verification_algorithms
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == SignatureScheme::ED25519)
        .expect("aws-lc-rs verifies ed25519");
    WebPkiSupportedAlgorithms {
        all: entry.1,
        mapping: std::slice::from_ref(entry),
    }
});

/// How far a peer has come in proving who it is. rustls can only answer with an alert; the verdict keeps the reason, for
/// one handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not exactly one ed25519 key, or one under which anybody can sign.
    NotAKey,
    /// A key other than the pinned one.
    OtherKey(PeerKey),
    /// A key that may be the right one; its holder has proven nothing yet.
    Presented(PeerKey),
    /// A proven key that the directory does not know.
    Unknown(PeerKey),
    /// The right key, and its holder has signed this handshake.
    Proven(PeerKey),
}

/// Where a verifier leaves its verdict for the code that started the handshake.
#[derive(Clone, Debug, Default)]
pub(crate) struct VerdictSlot(Arc<Mutex<Option<Verdict>>>);

impl VerdictSlot {
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, verdict: Verdict) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
    }

    /// Takes note of what the peer presented. Once in a handshake: a second certificate message is refused.
    fn present(
        &self,
        chain: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        judge: impl FnOnce(PeerKey) -> Verdict,
    ) -> Result<(), Error> {
        if self.verdict().is_some() {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let verdict = presented_key(chain).map_or(Verdict::NotAKey, judge);
        self.record(verdict);
        match verdict {
            Verdict::Presented(_) => Ok(()),
            Verdict::NotAKey => Err(CertificateError::BadEncoding.into()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    /// Checks the proof that the peer holds the key it presented: its signature over the handshake so far (RFC 8446,
    /// section 4.4.3). `judge` then has the last word.
    fn prove(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
        judge: impl FnOnce(PeerKey) -> Verdict,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(Verdict::Presented(key)) = self.verdict() else {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        };
        if cert.as_ref() != key.to_spki() {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let spki = SubjectPublicKeyInfoDer::from(cert.as_ref());
        let valid = verify_tls13_signature_with_raw_key(message, &spki, dss, &ED25519_ONLY)?;
        let verdict = judge(key);
        self.record(verdict);
        match verdict {
            Verdict::Proven(_) => Ok(valid),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }
}

/// The connecting side's verifier: one peer, by its key.
#[derive(Debug)]
pub(crate) struct PinnedPeer {
    pub(crate) expected: PeerKey,
    pub(crate) slot: VerdictSlot,
}

impl ServerCertVerifier for PinnedPeer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.slot.present((end_entity, intermediates), |key| {
            if key == self.expected {
                Verdict::Presented(key)
            } else {
                Verdict::OtherKey(key)
            }
        })?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.slot.prove(message, cert, dss, Verdict::Proven)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ED25519_ONLY.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// The accepting side's verifier: the peers of this node.
pub(crate) struct AdmittedPeers {
    pub(crate) directory: Arc<dyn PeerDirectory>,
    pub(crate) slot: VerdictSlot,
}

impl ClientCertVerifier for AdmittedPeers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Whether the key is known is not asked yet: the answer would tell a stranger who this node's peers are.
        self.slot
            .present((end_entity, intermediates), Verdict::Presented)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.slot
            .prove(message, cert, dss, |key| match self.directory.admit(&key) {
                Admission::Known | Admission::Quiet => Verdict::Proven(key),
                Admission::Unknown => Verdict::Unknown(key),
            })
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ED25519_ONLY.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl fmt::Debug for AdmittedPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmittedPeers")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

/// The one usable ed25519 key a side presented. A chain is no raw public key.
fn presented_key(
    (end_entity, intermediates): (&CertificateDer<'_>, &[CertificateDer<'_>]),
) -> Option<PeerKey> {
    if !intermediates.is_empty() {
        return None;
    }
    PeerKey::from_spki(end_entity).filter(PeerKey::is_usable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TransportKey;

    struct Nobody;

    impl PeerDirectory for Nobody {
        fn admit(&self, _key: &PeerKey) -> Admission {
            Admission::Unknown
        }
    }

    fn pinned(expected: PeerKey) -> PinnedPeer {
        PinnedPeer {
            expected,
            slot: VerdictSlot::default(),
        }
    }

    fn present(verifier: &PinnedPeer, chain: &[&[u8]]) -> Result<ServerCertVerified, Error> {
        let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(*der)).collect();
        let name = ServerName::try_from("any.invalid").unwrap();
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now())
    }

    #[test]
    fn both_verifiers_take_raw_ed25519_keys_and_nothing_else() {
        let server = pinned(TransportKey::from_seed([1; 32]).public());
        let client = AdmittedPeers {
            directory: Arc::new(Nobody),
            slot: VerdictSlot::default(),
        };
        assert!(server.requires_raw_public_keys() && client.requires_raw_public_keys());
        assert!(client.offer_client_auth() && client.client_auth_mandatory());
        assert_eq!(
            server.supported_verify_schemes(),
            [SignatureScheme::ED25519]
        );
        assert_eq!(
            client.supported_verify_schemes(),
            [SignatureScheme::ED25519]
        );
    }

    #[test]
    fn only_the_pinned_key_alone_is_acceptable() {
        let key = TransportKey::from_seed([1; 32]).public();
        let other = TransportKey::from_seed([2; 32]).public();

        let verifier = pinned(key);
        assert!(present(&verifier, &[&key.to_spki()]).is_ok());
        assert_eq!(verifier.slot.verdict(), Some(Verdict::Presented(key)));

        let verifier = pinned(key);
        assert!(present(&verifier, &[&other.to_spki()]).is_err());
        assert_eq!(verifier.slot.verdict(), Some(Verdict::OtherKey(other)));

        let verifier = pinned(key);
        assert!(present(&verifier, &[&key.to_spki(), &other.to_spki()]).is_err());
        assert_eq!(verifier.slot.verdict(), Some(Verdict::NotAKey));

        let verifier = pinned(key);
        assert!(present(&verifier, &[b"not DER at all"]).is_err());
        assert_eq!(verifier.slot.verdict(), Some(Verdict::NotAKey));
    }

    #[test]
    fn a_pinned_key_under_which_anybody_can_sign_is_not_acceptable() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let weak = PeerKey(identity);
        assert!(present(&pinned(weak), &[&weak.to_spki()]).is_err());
    }

    #[test]
    fn a_refused_handshake_stays_refused_if_an_acceptable_key_follows() {
        let key = TransportKey::from_seed([1; 32]).public();
        let other = TransportKey::from_seed([2; 32]).public();
        let verifier = pinned(key);
        assert!(present(&verifier, &[&other.to_spki()]).is_err());
        assert!(present(&verifier, &[&key.to_spki()]).is_err());
    }
}
