//! The hash that two nodes compare before they compare anything else.

use sha2::{Digest, Sha256};

use super::{DefaultDob, LinkageRules, PROFILE_VERSION, Strength};

const LABEL: &[u8] = b"mandorla/linkage-rules/1\0";

impl LinkageRules {
    /// SHA-256 of [`to_canonical_bytes`](Self::to_canonical_bytes): equal on two nodes exactly if both derive the same
    /// match keys from the same subjects and grade them alike.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_canonical_bytes()).into()
    }

    /// The bytes that are hashed.
    ///
    /// ```text
    /// "mandorla/linkage-rules/1\0" ‖ string(profile) ‖ profile version u16
    ///   ‖ Unicode version of the normalisation tables u8 u8 u8 ‖ of the case tables u8 u8 u8
    ///   ‖ default_dob u8 (0 missing, 1 keep) ‖ match key count u16
    ///   ‖ per match key, in order:
    ///       string(id) ‖ strength u8 (0 weak, 1 medium, 2 strong) ‖ alone u8 ‖ has bits u8 ‖ bits u16 (0 if none)
    ///       ‖ field count u16 ‖ per field, in order: string(field name) ‖ string(transform name)
    /// string(s) = length in bytes u16 ‖ UTF-8; integers little-endian
    /// ```
    ///
    /// The two ways to write a transform (for all, by field) give the same bytes if they mean the same.
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = LABEL.to_vec();
        put_string(&mut bytes, &self.profile);
        put_u16(&mut bytes, PROFILE_VERSION);
        for (major, minor, update) in [
            unicode_normalization::UNICODE_VERSION,
            char::UNICODE_VERSION,
        ] {
            bytes.extend_from_slice(&[major, minor, update]);
        }
        bytes.push(match self.default_dob {
            DefaultDob::Missing => 0,
            DefaultDob::Keep => 1,
        });
        put_u16(&mut bytes, self.match_keys.len() as u16);
        for rule in &self.match_keys {
            put_string(&mut bytes, &rule.id);
            bytes.push(match rule.strength {
                Strength::Weak => 0,
                Strength::Medium => 1,
                Strength::Strong => 2,
            });
            bytes.push(u8::from(rule.alone));
            bytes.push(u8::from(rule.bits.is_some()));
            put_u16(&mut bytes, rule.bits.unwrap_or(0));
            put_u16(&mut bytes, rule.fields.len() as u16);
            for field in &rule.fields {
                put_string(&mut bytes, field.name());
                put_string(&mut bytes, rule.transform.of(*field).name());
            }
        }
        bytes
    }
}

fn put_u16(bytes: &mut Vec<u8>, number: u16) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    put_u16(
        bytes,
        u16::try_from(text.len()).expect("names are checked to be short"),
    );
    bytes.extend_from_slice(text.as_bytes());
}
