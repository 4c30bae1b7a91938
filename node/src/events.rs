//! Every event that a node records, with its operation in the sense of the law's logging duties.
//!
//! The names are stable: scripts and auditors search for them. `docs/reference/ledger.md` lists them.

use mandorla_store::Operation;

/// Declares the events once: variant, name, operation, meaning.
macro_rules! events {
    ($($variant:ident $name:literal $operation:ident $meaning:literal;)*) => {
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
        }
    };
}

events! {
    NodeStarted "node.started" Admin "The daemon started.";
    NodeStopped "node.stopped" Admin "The daemon stopped in an orderly way.";
    KeysSealed "keys.sealed" Admin "The way in which the node's keys are sealed on its disk was changed.";
    KeysMade "keys.made" Admin "New keys were made, and the succession to them was signed by the old and the new ones.";
    KeysOfferedAgain "keys.offered_again" Admin "A change of keys that was begun went on.";
    KeysCountersigned "keys.countersigned" Admin "A peer knows the new keys and countersigned.";
    KeysPromoted "keys.promoted" Admin "Every peer that is waited for knows the new keys; they take over at the next start.";
    KeysErased "keys.erased" Admin "The overlap ended, no open round names the old keys, and they were erased.";
    KeysRevoked "keys.revoked" Admin "All trust was taken from this node's keys and new ones were made.";
    CallRefused "call.refused" Admin "A call on the control socket was refused: the caller does not hold the role.";
    PeerAdded "peer.added" Admin "A peer's card was added.";
    PeerUpdated "peer.updated" Admin "A known peer's card was added again, with another address.";
    PeerVerified "peer.verified" Admin "The operators compared the words of a card.";
    PeerKeysFollowed "peer.keys_followed" Admin "A peer's keys were followed by new ones, by a succession that was verified.";
    PeerRevoked "peer.revoked" Admin "All trust was taken from a peer's keys.";
    PeerRemoved "peer.removed" Admin "A peer was removed.";
    AgreementProposed "agreement.proposed" Admin "An agreement's text was stored and signed by this node.";
    AgreementImported "agreement.imported" Admin "A peer's bundle was imported.";
    AgreementSigned "agreement.signed" Admin "An imported agreement was signed by this node.";
    AgreementActivated "agreement.activated" Admin "This node activated an agreement.";
    AgreementSuspended "agreement.suspended" Admin "This node suspended an agreement.";
    AgreementResumed "agreement.resumed" Admin "This node signed that a suspension is over.";
    DatasetLoaded "dataset.loaded" Collection "A dataset was loaded.";
    DatasetRemoved "dataset.removed" Erasure "A dataset and its subjects were removed.";
    RoundProposed "round.proposed" Consultation "An analyst proposed a round.";
    RoundRefused "round.refused" Consultation "A round was refused before anything was sent or evaluated.";
    RoundTerms "round.terms" Consultation "Both nodes signed the terms of a round.";
    RoundEvaluated "round.evaluated" Consultation "The evaluation of a round is complete.";
    RoundCancelled "round.cancelled" Consultation "An analyst cancelled a round.";
    RoundLapsed "round.lapsed" Consultation "A round lapsed: nobody decided in time.";
    RoundWithdrawn "round.withdrawn" Consultation "The peer knows that no question comes.";
    RoundEnded "round.ended" Consultation "A round ended before its time.";
    RoundClosed "round.closed" Erasure "A round is over; what it left is erased.";
    RoundMatched "round.matched" Combination "The question was matched with the own dataset.";
    QuestionApproved "question.approved" Consultation "An authoriser approved sending a question.";
    QuestionDeclined "question.declined" Consultation "An authoriser declined to send a question.";
    QuestionNotSent "question.not_sent" Consultation "An approved question was not sent.";
    QuestionAcknowledged "question.acknowledged" Consultation "The peer acknowledged the question.";
    QuestionReceived "question.received" Consultation "A peer's question is durable here.";
    ReviewViewed "review.viewed" Consultation "An authoriser looked at a hit on an own record.";
    HitReleased "hit.released" Disclosure "An authoriser released a hit, or some of its fields.";
    HitRefused "hit.refused" Disclosure "An authoriser refused a hit.";
    AnswerFrozen "answer.frozen" Disclosure "The answer of a slot was frozen.";
    AnswerReceived "answer.received" Collection "A peer's answer is durable here.";
    AnswerOpened "answer.opened" Collection "The items of a peer's answer were opened.";
    ReceiptReceived "receipt.received" Disclosure "The peer signed for an answer.";
    ReceiptAcknowledged "receipt.acknowledged" Collection "The peer has this node's receipt.";
    ReceiptTooLate "receipt.too_late" Collection "The peer did not take this node's receipt any more.";
    BackupStarted "backup.started" Consultation "A backup began to leave the node.";
    BackupCreated "backup.created" Consultation "A whole backup has left the node.";
    BackupRestored "backup.restored" Alteration "The node was restored from a backup: what happened after it is not here.";
    PairLogNotCountersigned "pair_log.not_countersigned" Admin "The peer did not countersign the pair log.";
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
        }
    }
}
