//! Who stays out of every round.

use mandorla_linkage::Exclusion;

use crate::{Agreement, LocalPolicy};

impl Agreement {
    /// The predicate that keeps an own subject out of rounds under this agreement and this node's policy; `None` if the
    /// subject may take part.
    ///
    /// `flags` are the subject's exclusions and `nationalities` its nationalities as loaded. Codes compare as they are
    /// given, in either case: `RS` and `rs` are the same, `RS` and `SRB` are not, so both sides of an agreement keep to
    /// one form. A subject stays out if any of its nationalities stands in `nationalities_out`, or if
    /// `nationalities_in` is not empty and none of its nationalities stands in it, as when none is known.
    ///
    /// The name is a word of [`Exclusion`], `nationalities_in` or `nationalities_out`; reports count by it.
    pub fn excludes<S: AsRef<str>>(
        &self,
        policy: &LocalPolicy,
        flags: impl IntoIterator<Item = Exclusion>,
        nationalities: &[S],
    ) -> Option<&'static str> {
        let scope = &self.terms().scope;
        let layers: Vec<_> = policy.layers(self.id()).collect();
        let excluded = |flag: &Exclusion| {
            scope.exclude.contains(flag)
                || layers
                    .iter()
                    .any(|layer| layer.policy.exclude.contains(flag))
        };
        let listed = |list: &[String]| {
            let same = |a: &S, b: &String| a.as_ref().trim().eq_ignore_ascii_case(b);
            nationalities
                .iter()
                .any(|own| list.iter().any(|code| same(own, code)))
        };
        if let Some(flag) = flags.into_iter().find(|flag| excluded(flag)) {
            return Some(flag.word());
        }
        let out = listed(&scope.nationalities_out)
            || layers
                .iter()
                .any(|layer| listed(&layer.policy.nationalities_out));
        if out {
            return Some("nationalities_out");
        }
        (!scope.nationalities_in.is_empty() && !listed(&scope.nationalities_in))
            .then_some("nationalities_in")
    }
}

/// An ISO 3166 code of two or three letters, as far as its form goes.
pub(crate) fn is_nationality(code: &str) -> bool {
    matches!(code.len(), 2 | 3) && code.bytes().all(|b| b.is_ascii_alphabetic())
}
