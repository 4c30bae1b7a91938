//! Every event that a node records, with its operation in the sense of the law's logging duties.
//!
//! The names are stable: scripts and auditors search for them. `docs/reference/ledger.md` is made from this table.

use mandorla_store::Operation;

#[cfg(test)]
mod reference;

/// Declares the events once: variant, name, operation, meaning, names of its details.
macro_rules! events {
    ($($variant:ident $name:literal $operation:ident $meaning:literal [$($detail:literal)*];)*) => {
        /// What can happen on a node.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Event {
            $(#[doc = $meaning] $variant,)*
        }

        impl Event {
            /// All of them, in the order of the reference.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The dotted name in the ledger.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The kind of processing that it is.
            pub(crate) const fn operation(self) -> Operation {
                match self { $(Self::$variant => Operation::$operation,)* }
            }

            /// What happened, for the reference.
            #[cfg(test)]
            pub(crate) const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What an entry may say beside who, when, under which agreement and in which round.
            #[cfg(test)]
            pub(crate) const fn details(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($detail),*],)* }
            }
        }
    };
}

events! {
    NodeStarted "node.started" Admin "The daemon started."
        ["version" "listen" "fingerprint" "kernel" "keys_sealed_under"];
    NodeStopped "node.stopped" Admin "The daemon stopped in an orderly way."
        [];
    PseudonymKeyMade "node.pseudonym_key_made" Admin "A key for the pseudonyms of subjects was made: earlier pseudonyms, if there are any, are of another key."
        ["check_value"];
    KeysSealed "keys.sealed" Admin "The way in which the node's keys are sealed on its disk was changed."
        ["before" "now"];
    KeysMade "keys.made" Admin "New keys were made, and the succession to them was signed by the old and the new ones."
        ["sequence" "overlap_until" "without"];
    KeysOfferedAgain "keys.offered_again" Admin "A change of keys that was begun went on."
        ["sequence" "overlap_until" "without"];
    KeysCountersigned "keys.countersigned" Admin "A peer knows the new keys and countersigned."
        ["peer" "sequence"];
    KeysPromoted "keys.promoted" Admin "Every peer that is waited for knows the new keys; they take over at the next start."
        ["sequence" "overlap_until"];
    KeysErased "keys.erased" Admin "The overlap ended, no open round names the old keys, and they were erased."
        ["sequence"];
    KeysRevoked "keys.revoked" Admin "All trust was taken from this node's keys and new ones were made."
        ["reason_commitment" "fingerprint"];
    CallRefused "call.refused" Admin "A call on the control socket was refused: the caller does not hold the role."
        ["call" "needs"];
    PeerAdded "peer.added" Admin "A peer's card was added."
        ["peer" "fingerprint" "address"];
    PeerUpdated "peer.updated" Admin "A known peer's card was added again, with another address."
        ["peer" "fingerprint" "address"];
    PeerVerified "peer.verified" Admin "The operators compared the words of a card."
        ["peer" "fingerprint"];
    PeerKeysFollowed "peer.keys_followed" Admin "A peer's keys were followed by new ones, by a succession that was verified."
        ["peer" "before" "fingerprint" "sequence" "overlap_until"];
    PeerRevoked "peer.revoked" Admin "All trust was taken from a peer's keys."
        ["peer" "fingerprint" "reason_commitment"];
    PeerRemoved "peer.removed" Admin "A peer was removed."
        ["peer" "fingerprint"];
    AgreementProposed "agreement.proposed" Admin "An agreement's text was stored and signed by this node."
        ["state"];
    AgreementImported "agreement.imported" Admin "A peer's bundle was imported."
        ["state" "signed_by" "activated_by"];
    AgreementSigned "agreement.signed" Admin "An imported agreement was signed by this node."
        ["state"];
    AgreementActivated "agreement.activated" Admin "This node activated an agreement."
        ["state" "sequence"];
    AgreementSuspended "agreement.suspended" Admin "This node suspended an agreement."
        ["state" "code" "sequence"];
    AgreementResumed "agreement.resumed" Admin "This node signed that a suspension is over."
        ["state" "sequence"];
    DatasetLoaded "dataset.loaded" Collection "A dataset was loaded."
        ["dataset" "generation" "digest" "rows_in" "accepted" "rejected" "excluded_rows" "excluded" "flagged" "warnings"
        "file_digest" "synthetic"];
    DatasetRemoved "dataset.removed" Erasure "A dataset and its subjects were removed."
        ["dataset" "subjects" "digest"];
    RoundProposed "round.proposed" Consultation "An analyst proposed a round."
        ["peer" "dataset" "purpose" "regime" "legal_basis" "subject_categories" "necessity" "case_reference"];
    RoundRefused "round.refused" Consultation "A round was refused before anything was sent or evaluated."
        ["peer" "agreement_hash" "rule" "clause" "count"];
    RoundTerms "round.terms" Consultation "Both nodes signed the terms of a round."
        ["wire_id" "evaluations" "dataset" "excluded_*" "purpose" "regime" "legal_basis" "subject_categories" "necessity"
        "case_reference"];
    RoundEvaluated "round.evaluated" Consultation "The evaluation of a round is complete."
        ["evaluation_root" "blinding_seed_sealed_to" "blinding_seed"];
    RoundCancelled "round.cancelled" Consultation "An analyst cancelled a round."
        ["reason_commitment"];
    RoundLapsed "round.lapsed" Consultation "A round lapsed: nobody decided in time."
        [];
    RoundWithdrawn "round.withdrawn" Consultation "The peer knows that no question comes."
        ["peer_told" "why"];
    RoundEnded "round.ended" Consultation "A round ended before its time."
        ["reason" "why"];
    RoundClosed "round.closed" Erasure "A round is over; what it left is erased."
        [];
    RoundMatched "round.matched" Combination "The question was matched with the own dataset."
        ["hits" "dropped_subjects" "ignored_numbers" "over_max_overlap"];
    QuestionApproved "question.approved" Consultation "An authoriser approved sending a question."
        ["reason_commitment" "purpose" "regime" "legal_basis" "subject_categories" "necessity"
        "case_reference"];
    QuestionDeclined "question.declined" Consultation "An authoriser declined to send a question."
        ["reason_commitment"];
    QuestionNotSent "question.not_sent" Consultation "An approved question was not sent."
        ["why"];
    QuestionAcknowledged "question.acknowledged" Consultation "The peer acknowledged the question."
        ["question_root" "t0"];
    QuestionReceived "question.received" Consultation "A peer's question is durable here."
        ["question_root" "t0" "purpose" "regime" "legal_basis" "subject_categories" "necessity"
        "case_reference"];
    ReviewViewed "review.viewed" Consultation "An authoriser looked at a hit on an own record."
        ["item"];
    HitReleasedByFirst "hit.released_by_first" Consultation "The first of two authorisers released a hit; nothing leaves yet."
        ["hit" "reason_commitment" "second_officer" "dropped"];
    HitReleased "hit.released" Disclosure "An authoriser released a hit, or some of its fields."
        ["reason_commitment" "dropped" "recipient" "transfer_basis" "purpose" "regime" "legal_basis"
        "subject_categories" "necessity" "case_reference" "hit"
        "subject" "match_keys" "grade" "fields" "package_digest" "handling" "retention_days_at_recipient"
        "decided_by" "asked_at" "decided_at" "slot" "earlier_disclosures"];
    HitRefused "hit.refused" Disclosure "An authoriser refused a hit."
        ["hit" "subject" "reason"];
    ItemDisclosed "item.disclosed" Disclosure "A released hit is in a frozen answer: from here on it leaves."
        ["answer_digest" "recipient" "transfer_basis" "purpose" "regime" "legal_basis"
        "subject_categories" "necessity" "case_reference" "hit" "subject" "match_keys"
        "grade" "fields" "package_digest" "handling" "retention_days_at_recipient" "decided_by" "asked_at"
        "decided_at" "slot" "earlier_disclosures"];
    AnswerFrozen "answer.frozen" Disclosure "The answer of a slot was frozen."
        ["slot" "items" "answer_digest" "asked_at" "due_at"];
    AnswerServed "answer.served" Disclosure "An answer was asked for by the peer for the first time."
        ["peer" "slot" "answer_digest" "asked_at" "sent_at"];
    AnswerReceived "answer.received" Collection "A peer's answer is durable here."
        ["slot" "answer_digest"];
    AnswerOpened "answer.opened" Collection "The items of a peer's answer were opened."
        ["slot" "released" "set_aside"];
    ItemReceived "item.received" Collection "A peer released a record on an own subject."
        ["peer" "slot" "hit" "subject" "match_keys" "grade" "fields" "handling_as_agreed" "handling"
        "retention_days"];
    ReceiptReceived "receipt.received" Disclosure "The peer signed for an answer."
        ["slot" "answer_digest" "receipt" "receipt_digest" "asked_at" "sent_at" "acknowledged_at" "again"];
    ReceiptAcknowledged "receipt.acknowledged" Collection "The peer has this node's receipt."
        ["slot" "receipt_digest"];
    ReceiptTooLate "receipt.too_late" Collection "The peer did not take this node's receipt any more."
        ["slot" "receipt_digest"];
    BackupStarted "backup.started" Consultation "A backup began to leave the node."
        ["left_out"];
    BackupCreated "backup.created" Consultation "A whole backup has left the node."
        ["ledger_entries" "ledger_root" "open_rounds" "bytes" "file_digest" "left_out"];
    BackupRestored "backup.restored" Alteration "The node was restored from a backup: what happened after it is not here."
        ["backup_created_at" "backup_ledger_entries" "backup_ledger_root" "backup_file_digest" "rounds_ended"
        "spent_until" "reconcile"];
    PairLogNotCountersigned "pair_log.not_countersigned" Admin "The peer did not countersign the pair log."
        ["peer" "why"];
    PairLogReconciled "pair_log.reconciled" Admin "A pair log was compared with the peer."
        ["peer" "direction" "outcome" "own_size" "peer_size"];
    PairLogAdopted "pair_log.adopted" Admin "After a restore, facts of the peer's copy were taken over, verified against a note that both nodes had signed."
        ["peer" "direction" "first" "size"];
    PairLogDropped "pair_log.dropped" Admin "A pending fact of a round that is over was dropped: the peer does not know it and will not."
        ["peer" "direction" "fact" "wire_id"];
    LedgerExported "ledger.exported" Consultation "An auditor exported the ledger."
        ["first" "size"];
    ReasonRead "reason.read" Consultation "An auditor read the words of a reason."
        ["reason_commitment"];
    ReasonErased "reason.erased" Erasure "The words of a reason were erased; its commitment stays."
        ["reason_commitment"];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Event;

    #[test]
    fn every_event_has_a_name_of_its_own_and_says_what_happened() {
        let names: BTreeSet<_> = Event::ALL.iter().map(|event| event.name()).collect();
        assert_eq!(names.len(), Event::ALL.len());
        for event in Event::ALL {
            assert!(event.name().split_once('.').is_some(), "{}", event.name());
            assert!(event.meaning().ends_with('.'), "{}", event.name());
            let details: BTreeSet<_> = event.details().iter().collect();
            assert_eq!(details.len(), event.details().len(), "{}", event.name());
        }
    }
}
