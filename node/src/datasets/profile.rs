//! `dataset/profile`: how good the rows are, in counts.

use std::sync::Arc;

use mandorla_control::{ApiError, DatasetProfile, FieldProfileView, ProfileView};
use mandorla_linkage::Profile;
use mandorla_store::StoreError;

use super::uses::{Use, naming};
use super::{find, for_each_subject};
use crate::node::{Caller, Node, storage};
use crate::server::ServeBlocking;

impl ServeBlocking for DatasetProfile {
    fn serve_blocking(self, node: &Arc<Node>, _: &Caller) -> Result<ProfileView, ApiError> {
        let record = find(node, &self.name)?;
        let agreements = naming(node, &self.name)?;
        let mut uses: Vec<Use<'_>> = agreements.iter().map(Use::new).collect();
        let mut profile = Profile::default();
        for_each_subject(node, record.generation, record.subjects, |_, subject| {
            profile.count(&subject);
            for of_agreement in &mut uses {
                of_agreement.count(node, &subject);
            }
            Ok::<_, StoreError>(())
        })
        .map_err(storage)?;
        let subjects = profile.subjects;
        let fields = profile
            .fields
            .iter()
            .map(|(field, counts)| FieldProfileView {
                field: field.to_string(),
                usable: counts.usable,
                placeholders: counts.placeholders,
                missing: subjects - counts.usable - counts.placeholders,
                several: counts.several,
            });
        Ok(ProfileView {
            name: self.name,
            subjects,
            fields: fields.collect(),
            default_dates: profile.default_dates,
            mixed_scripts: profile.mixed_scripts,
            jmbg: profile.jmbg,
            jmbg_bad: profile.jmbg_bad,
            flagged: super::by_word(&profile.flagged),
            agreements: uses.into_iter().map(Use::into_profile).collect(),
        })
    }
}
