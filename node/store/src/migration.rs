//! The schema version of the database and the steps from one version to the next.

use crate::error::StoreError;
use crate::transaction::WriteTx;

/// One step from an older schema to a newer one.
///
/// All steps that a file needs run in one transaction together with the new version number and
/// one ledger entry (`store.migrated`) each: a migration that fails leaves the file as it was.
#[derive(Clone, Copy)]
pub struct Migration {
    /// The version the step starts from.
    pub from: u32,
    /// The version it leads to; larger than `from`.
    pub to: u32,
    /// Rewrites the tables. Old value types are declared beside it, as tables of the same names.
    pub apply: fn(&WriteTx<'_>) -> Result<(), StoreError>,
}

/// The steps from version `found` to version `wanted`, in order.
pub(crate) fn path(
    migrations: &[Migration],
    found: u32,
    wanted: u32,
) -> Result<Vec<Migration>, StoreError> {
    if found > wanted {
        return Err(StoreError::NewerSchema {
            found,
            supported: wanted,
        });
    }
    let mut steps = Vec::new();
    let mut version = found;
    while version < wanted {
        let step = migrations
            .iter()
            .find(|step| step.from == version && version < step.to && step.to <= wanted)
            .ok_or(StoreError::NoMigration {
                from: version,
                to: wanted,
            })?;
        version = step.to;
        steps.push(*step);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: u32, to: u32) -> Migration {
        Migration {
            from,
            to,
            apply: |_| Ok(()),
        }
    }

    fn versions(migrations: &[Migration], found: u32, wanted: u32) -> Option<Vec<u32>> {
        let steps = path(migrations, found, wanted).ok()?;
        Some(steps.iter().map(|step| step.to).collect())
    }

    #[test]
    fn steps_are_taken_in_the_order_of_their_versions() {
        let list = [step(0, 1), step(2, 4), step(1, 2)];
        assert_eq!(versions(&list, 0, 4), Some(vec![1, 2, 4]));
        assert_eq!(versions(&list, 2, 4), Some(vec![4]));
        assert_eq!(versions(&list, 4, 4), Some(vec![]));
    }

    #[test]
    fn a_gap_or_a_step_that_overshoots_or_stands_still_is_no_path() {
        assert_eq!(versions(&[step(0, 1)], 0, 2), None);
        assert_eq!(versions(&[step(0, 3)], 0, 2), None);
        assert_eq!(versions(&[step(0, 0), step(1, 2)], 0, 2), None);
        assert_eq!(versions(&[], 1, 0), None);
    }
}
