//! What to do about each error, for `help errors`.

use mandorla_control::{ErrorCode, ExitCode};

/// The way on from an error.
pub(crate) fn advice(code: ErrorCode) -> &'static str {
    use ErrorCode as E;
    match code {
        E::Internal => {
            "Repeat the command; if it fails again, keep the node's messages and report it."
        }
        E::BadRequest => "See the command's --help; node and command line must be of one version.",
        E::NotFound => {
            "The list command of the noun shows what there is: `mandorla peer list`, `round list`, …."
        }
        E::Exists => "Choose another name, or look at what is there with `show`.",
        E::InUse => "Wait for the open round, or suspend the agreement first.",
        E::Storage => {
            "Check free space and the owner of the data directory; a damaged store is restored from a backup."
        }
        E::Unreachable => {
            "Start the daemon with `mandorla node run`, or name its socket with --socket or --data-dir."
        }
        E::NotInitialised => {
            "Make the node with `mandorla init --name NAME --country CC`, or name its directory with --data-dir."
        }
        E::AlreadyRunning => {
            "`mandorla status` shows the running daemon; `mandorla node stop` ends it."
        }
        E::BadConfig => "Correct the line of node.toml that the message names.",
        E::OpenToOthers => {
            "Run the chmod or chown that the hint names, and ask who has been there meanwhile."
        }
        E::SecretNeeded => {
            "Give --passphrase-file FILE or --wrapping-key FILE, let the service manager provide the credential, or run the command at a terminal."
        }
        E::WrongSecret => {
            "Try again with the right one. Nobody can open the keys without it: if it is lost, restore keys.toml from a copy whose secret is known, or make a new node and pair anew."
        }
        E::UnknownUser => {
            "The operator adds a [[user]] to node.toml; in a small installation name yourself with --user."
        }
        E::WrongRole => "Ask somebody who holds the role that the message names.",
        E::RoleConflict => {
            "The operator takes the account out of one of the two groups, or one role out of its [[user]] in node.toml."
        }
        E::OwnProposal => "Another authoriser must decide; the hint names who can.",
        E::Refused => {
            "Read the clause with `mandorla agreement print ID`; change the request, or agree on a new version."
        }
        E::BadAgreement => "`mandorla agreement lint FILE` lists every clause to correct.",
        E::BadSignature => {
            "The file was changed on the way, or is of another peer: ask for it again, and compare the card's words."
        }
        E::WrongState => "`show` says what the agreement, round or hit waits for.",
        E::TooLate => "Nothing can be done for this slot or round; a new round asks again.",
        E::NoPlace => {
            "The agreement's max_release is reached; the hit can be asked for again in a new round."
        }
        E::GradeLost => "Drop fewer fields, or refuse the hit.",
        E::PackageTooLarge => "Drop a field, or agree on a larger item_bytes.",
        E::BadFile => {
            "Check the path, the permissions and the format; CSV is UTF-8 with a header line."
        }
        E::BadMap => "Correct the field or column that the message names in the map file.",
        E::BadBackup => {
            "Take another copy of the file or an earlier backup; `mandorla backup verify FILE` finds a whole one."
        }
        E::NewerVersion => "Run the version of the program that wrote it: `mandorla version`.",
        E::OtherKeys => {
            "Name the copy of this node's own keys.toml with --keys; if it is lost, see the guide on recovery."
        }
        E::WrongPassphrase => "Try the passphrase of the day the backup was made.",
        E::PeerUnreachable => {
            "`mandorla peer ping PEER`; then look at the address in its card, firewalls and UDP."
        }
        E::PeerKey => {
            "Somebody else answers at this address, or the peer has new keys: ask for its card, and compare words by voice."
        }
        E::PeerRefused => {
            "Ask the peer's operator; agreement, policy or state on its side does not allow it."
        }
        E::PeerMisbehaved => {
            "Keep the round's ledger entries and talk to the peer's operator before another round."
        }
        E::PeerClock => "Set both clocks (NTP); `mandorla peer ping PEER` shows the difference.",
        E::FaultFound => {
            "Do not continue before the fault that is named is understood; tell the auditor."
        }
        E::Pending => "Nothing is lost: `mandorla round watch ROUND` goes on waiting.",
    }
}

/// What usually is behind an error.
pub(crate) fn causes(code: ErrorCode) -> &'static str {
    use ErrorCode as E;
    match code {
        E::Internal => {
            "A fault of the program, or a thread that the system ended for want of memory."
        }
        E::BadRequest => {
            "A flag or argument that the command does not know; node and command line of two versions."
        }
        E::NotFound => {
            "A misspelt id or code; something that was removed, or is on the peer's node and not here."
        }
        E::Exists => {
            "The command was given twice; a directory that holds something else; a card with changed keys."
        }
        E::InUse => {
            "A round that is not closed, an agreement that names it, or another load under way."
        }
        E::Storage => {
            "A full disk, a file of another account, a closed or read-only directory, a damaged file."
        }
        E::Unreachable => {
            "The daemon does not run, runs on another data directory, or its socket is closed to this account."
        }
        E::NotInitialised => {
            "`mandorla init` was not run, or not for this directory; HOME or XDG_DATA_HOME is another."
        }
        E::AlreadyRunning => {
            "A daemon of this data directory runs, or another program has the UDP port of `listen`."
        }
        E::BadConfig => {
            "A key that is misspelt, a value out of bounds, a group that this host does not have."
        }
        E::OpenToOthers => {
            "A copy or restore that did not keep modes, another umask, or a node that was started under another account."
        }
        E::SecretNeeded => {
            "The keys were sealed at `mandorla init` or with `mandorla key seal`, and this start did not get the secret."
        }
        E::WrongSecret => "A typing error, the secret of another node, or a file that was changed.",
        E::UnknownUser => {
            "The account is in no group of [roles] and no [[user]] has it, or --user names nobody."
        }
        E::WrongRole => {
            "The command is another person's work; the account is not in the role's group."
        }
        E::RoleConflict => {
            "The account is in the authorisers' and the auditors' group, or its [[user]] adds the other role."
        }
        E::OwnProposal => {
            "The same person proposed the round, or released the hit first, be it under another name."
        }
        E::Refused => {
            "A limit of the agreement is reached: rounds, subjects, dates, sizes, age of a dataset; or local policy is stricter."
        }
        E::BadAgreement => "A clause that is missing, out of bounds, or contradicts another.",
        E::BadSignature => {
            "A file that was edited after signing, or a bundle of other keys than the cards'."
        }
        E::WrongState => "The step was taken already, or one before it is missing.",
        E::TooLate => "The slot was frozen, or nobody decided before the deadline of the question.",
        E::NoPlace => "More releases than the agreement has places for in the slots that are left.",
        E::GradeLost => {
            "The fields that were dropped are those that the agreeing match keys are made of."
        }
        E::PackageTooLarge => "A long name, many aliases, or a field with much text.",
        E::BadFile => "A wrong path, no permission, another format, a file that was cut off.",
        E::BadMap => {
            "A column that the file does not have, a field that does not exist, a date format that does not fit."
        }
        E::BadBackup => "A copy that broke off, a damaged medium, or somebody who changed it.",
        E::NewerVersion => {
            "A backup or store of a newer program than this one, or of a much older one."
        }
        E::OtherKeys => {
            "The keys of another node, or those that the node had before or after the backup."
        }
        E::WrongPassphrase => "A typing error, or the passphrase of another backup.",
        E::PeerUnreachable => {
            "The peer's node is down, its address changed, or a firewall drops UDP."
        }
        E::PeerKey => "The peer made its node anew, or an address leads to another host.",
        E::PeerRefused => {
            "The peer has not added this card, has suspended the agreement, or its policy takes no rounds."
        }
        E::PeerMisbehaved => {
            "Another version of the program, a damaged disk there, or a peer that is not honest."
        }
        E::PeerClock => "A host without a time service, or a virtual machine that was paused.",
        E::FaultFound => {
            "A damaged disk, a file that was edited, a restored old copy, or what the check names."
        }
        E::Pending => "The peer is busy or away; an officer has not decided; a slot has not come.",
    }
}

/// Every exit code and what it says.
pub(crate) const EXIT_CODES: [(ExitCode, &str); 10] = [
    (ExitCode::Done, "done (an empty list is done)"),
    (ExitCode::Failed, "failed"),
    (ExitCode::Usage, "wrong usage"),
    (ExitCode::NodeUnreachable, "node not reachable"),
    (ExitCode::NotPermitted, "not permitted in this role"),
    (
        ExitCode::Refused,
        "refused, by agreement, policy or an officer",
    ),
    (ExitCode::Peer, "the peer failed or misbehaved"),
    (ExitCode::FaultFound, "a check found a fault"),
    (ExitCode::Pending, "still pending at --timeout"),
    (ExitCode::Interrupted, "interrupted"),
];

/// What an exit code says.
pub(crate) fn exit_meaning(exit: ExitCode) -> &'static str {
    EXIT_CODES
        .iter()
        .find(|(code, _)| *code == exit)
        .map_or("", |(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_meaning_an_advice_and_an_exit_code_that_is_explained() {
        let mut numbers = std::collections::BTreeSet::new();
        for code in ErrorCode::ALL {
            assert!(code.meaning().ends_with('.'), "{code}");
            assert!(advice(*code).ends_with('.'), "{code}");
            assert!(causes(*code).ends_with('.'), "{code}");
            assert!(!exit_meaning(code.exit()).is_empty(), "{code}");
            assert!(numbers.insert(code.number()), "{code} stands twice");
        }
    }
}
