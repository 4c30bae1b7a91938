//! The card: what a peer must know of a node.

use ed25519_dalek::VerifyingKey;
use mandorla_kernels::framed_sha256;
use mandorla_protocol::PublicKeys;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::identity::Identity;
use crate::records::peer::PeerRecord;

/// A card has six short lines; what is longer is another file.
pub(crate) const CARD_BYTES_MAX: usize = 4 * 1024;

/// Longest name of an agency and longest host name (RFC 1035, section 2.3.4) with its port.
const TEXT_CHARS_MAX: usize = 261;

/// Bytes of the hash that the fingerprint shows.
const FINGERPRINT_BYTES: usize = 8;

/// A card's facts, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CardFields {
    pub code: String,
    pub name: String,
    pub country: String,
    /// Host and UDP port.
    pub address: String,
    pub signing_key: [u8; 32],
    pub transport_key: [u8; 32],
    pub release_key: [u8; 32],
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CardFile {
    schema: u32,
    code: String,
    name: String,
    country: String,
    address: String,
    signing_key: String,
    transport_key: String,
    release_key: String,
}

/// Why a text is not a card.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CardError {
    #[error("a card has at most {CARD_BYTES_MAX} bytes")]
    TooLong,
    #[error("{0}")]
    Toml(String),
    #[error("schema {0} is not known; this program reads schema 1")]
    Schema(u32),
    #[error("code {0:?}: 2 to 16 of A-Z, 0-9 and -, a letter first")]
    Code(String),
    #[error("country {0:?}: two letters, as GB or RS")]
    Country(String),
    #[error("{0}: 1 to {TEXT_CHARS_MAX} printable characters")]
    Text(&'static str),
    #[error("address {0:?}: host and UDP port, as node.example.org:4433 or [2001:db8::1]:4433")]
    Address(String),
    #[error("{0}: not an ed25519 public key in 64 hexadecimal digits")]
    Key(&'static str),
    #[error("two of the three keys are the same")]
    SameKeys,
}

impl CardFields {
    /// The own card, with the address given.
    pub(crate) fn own(config: &Config, identity: &Identity, address: String) -> Self {
        Self {
            code: config.code.clone(),
            name: config.name.clone(),
            country: config.country.clone(),
            address,
            signing_key: identity.node_key().0,
            transport_key: identity.transport_key().0,
            release_key: identity.release_key(),
        }
    }

    /// The card that was added as this peer; `None` if the record is damaged.
    pub(crate) fn of_record(record: &PeerRecord) -> Option<Self> {
        Some(Self {
            code: record.code.clone(),
            name: record.name.clone(),
            country: record.country.clone(),
            address: record.address.clone(),
            signing_key: key(&record.signing_key)?,
            transport_key: key(&record.transport_key)?,
            release_key: key(&record.release_key)?,
        })
    }

    /// The keys as the protocol has them.
    pub(crate) fn public_keys(&self) -> PublicKeys {
        PublicKeys {
            signing: self.signing_key,
            transport: self.transport_key,
            release: self.release_key,
        }
    }

    /// Reads and checks a card.
    pub(crate) fn parse(text: &str) -> Result<Self, CardError> {
        if text.len() > CARD_BYTES_MAX {
            return Err(CardError::TooLong);
        }
        let file: CardFile =
            toml::from_str(text).map_err(|error| CardError::Toml(error.message().to_owned()))?;
        if file.schema != 1 {
            return Err(CardError::Schema(file.schema));
        }
        if !is_party_code(&file.code) {
            return Err(CardError::Code(file.code));
        }
        if file.country.len() != 2 || !file.country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(CardError::Country(file.country));
        }
        if !is_text(&file.name) {
            return Err(CardError::Text("name"));
        }
        if !is_text(&file.address) || !is_address(&file.address) {
            return Err(CardError::Address(file.address));
        }
        let read = |name, text: &str| key(text).ok_or(CardError::Key(name));
        let card = Self {
            signing_key: read("signing_key", &file.signing_key)?,
            transport_key: read("transport_key", &file.transport_key)?,
            release_key: read("release_key", &file.release_key)?,
            code: file.code,
            name: file.name,
            country: file.country,
            address: file.address,
        };
        let [a, b, c] = card.keys();
        if a == b || b == c || a == c {
            return Err(CardError::SameKeys);
        }
        Ok(card)
    }

    /// The card as a file.
    pub(crate) fn to_text(&self) -> String {
        let file = CardFile {
            schema: 1,
            code: self.code.clone(),
            name: self.name.clone(),
            country: self.country.clone(),
            address: self.address.clone(),
            signing_key: hex::encode(self.signing_key),
            transport_key: hex::encode(self.transport_key),
            release_key: hex::encode(self.release_key),
        };
        let facts = toml::to_string(&file).expect("plain texts");
        format!(
            "# The card of a Mandorla node: for its peer's operator, who adds it with `mandorla peer add FILE`\n\
             # and then compares words by voice with `mandorla peer verify {}`. It holds nothing secret.\n{facts}",
            self.code
        )
    }

    /// Signing, transport and release key.
    pub(crate) fn keys(&self) -> [[u8; 32]; 3] {
        [self.signing_key, self.transport_key, self.release_key]
    }

    /// The first 16 hexadecimal digits of SHA-256 over `framed("mandorla/1 card", fields…)`, in the order of the file.
    pub(crate) fn fingerprint(&self) -> String {
        let hash = framed_sha256(
            "mandorla/1 card",
            [
                self.code.as_bytes(),
                self.name.as_bytes(),
                self.country.as_bytes(),
                self.address.as_bytes(),
                &self.signing_key,
                &self.transport_key,
                &self.release_key,
            ],
        );
        hex::encode(&hash[..FINGERPRINT_BYTES])
    }
}

/// `[A-Z][A-Z0-9-]{1,15}`.
pub(crate) fn is_party_code(code: &str) -> bool {
    let bytes = code.as_bytes();
    let known = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'-';
    (2..=16).contains(&bytes.len()) && bytes[0].is_ascii_uppercase() && bytes.iter().all(known)
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Host, colon, port from 1; an IPv6 address in brackets.
pub(crate) fn is_address(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_fits = if let Some(inner) = bracketed {
        inner.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        let known = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        !host.is_empty() && host.bytes().all(known)
    };
    host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// A usable public key in hexadecimal.
fn key(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    let key = VerifyingKey::from_bytes(&bytes).ok()?;
    (!key.is_weak()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    fn card() -> CardFields {
        let public = |seed: u8| {
            SigningKey::from_bytes(&[seed; 32])
                .verifying_key()
                .to_bytes()
        };
        CardFields {
            code: "UK".into(),
            name: "Fictional \"Border\" Agency".into(),
            country: "GB".into(),
            address: "127.0.0.1:4433".into(),
            signing_key: public(1),
            transport_key: public(2),
            release_key: public(3),
        }
    }

    #[test]
    fn a_card_survives_its_file() {
        assert_eq!(CardFields::parse(&card().to_text()), Ok(card()));
    }

    #[test]
    fn the_fingerprint_covers_every_field() {
        let fingerprint = card().fingerprint();
        assert_eq!(fingerprint.len(), 16);
        let changes: [fn(&mut CardFields); 7] = [
            |c| c.code.push('X'),
            |c| c.name.push('X'),
            |c| c.country = "RS".into(),
            |c| c.address.push('1'),
            |c| c.signing_key[0] ^= 1,
            |c| c.transport_key[0] ^= 1,
            |c| c.release_key[0] ^= 1,
        ];
        for change in changes {
            let mut other = card();
            change(&mut other);
            assert_ne!(other.fingerprint(), fingerprint);
        }
    }

    #[test]
    fn what_is_no_card_is_refused_and_named() {
        let text = card().to_text();
        let with = |from: &str, to: &str| CardFields::parse(&text.replace(from, to)).unwrap_err();
        assert!(matches!(
            with("schema = 1", "schema = 2"),
            CardError::Schema(2)
        ));
        assert!(matches!(with("\"UK\"", "\"uk\""), CardError::Code(_)));
        assert!(matches!(with("\"GB\"", "\"GBR\""), CardError::Country(_)));
        assert!(matches!(
            with("127.0.0.1:4433", "127.0.0.1"),
            CardError::Address(_)
        ));
        assert!(matches!(
            with("127.0.0.1:4433", "a b:1"),
            CardError::Address(_)
        ));
        assert!(matches!(
            with("schema = 1", "schema = 1\nextra = 1"),
            CardError::Toml(_)
        ));
        let identity = format!("01{}", "00".repeat(31));
        let signing = hex::encode(card().signing_key);
        assert_eq!(with(&signing, &identity), CardError::Key("signing_key"));
        assert_eq!(with(&signing, "00"), CardError::Key("signing_key"));
        let transport = hex::encode(card().transport_key);
        assert_eq!(with(&signing, &transport), CardError::SameKeys);
        assert_eq!(
            CardFields::parse(&"#".repeat(CARD_BYTES_MAX + 1)),
            Err(CardError::TooLong)
        );
    }

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for good in ["127.0.0.1:1", "node.example.org:4433", "[2001:db8::1]:4433"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            ":1",
            "host",
            "host:",
            "host:0",
            "host:70000",
            "2001:db8::1:4433",
            "[x]:1",
            "ho st:1",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
