//! `mandorla peer …`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use mandorla_control::{
    Card, PeerAdd, PeerExport, PeerList, PeerPing, PeerPong, PeerRemove, PeerRevoke, PeerShow,
    PeerVerify, PeerView, PeerWords,
};
use serde::Serialize;

use crate::commands::fields::yes_no;
use crate::context::{Context, read_text};
use crate::failure::{DONE, Done, file};
use crate::table::{Table, pairs};
use crate::when::when_known;

/// `mandorla peer …`
#[derive(Debug, Subcommand)]
pub(crate) enum PeerCommand {
    /// Print or write the own card, to be handed to a peer
    Export {
        /// File to write instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Take a peer's card
    Add {
        /// The card file that the peer's operator exported
        file: PathBuf,
    },
    /// Compare words with the peer's operator, by voice
    Verify {
        /// Party code of the peer
        peer: String,
        /// The words were compared and are the same
        #[arg(long)]
        confirmed: bool,
    },
    /// All peers
    List,
    /// One peer
    Show {
        /// Party code of the peer
        peer: String,
    },
    /// Connect and wait for the first authenticated reply
    Ping {
        /// Party code of the peer
        peer: String,
    },
    /// Take all trust from a peer's keys: its connections are refused, its rounds end, its agreements are suspended
    Revoke {
        /// Party code of the peer
        peer: String,
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Forget a peer that no agreement names
    Remove {
        /// Party code of the peer
        peer: String,
    },
}

pub(crate) async fn run(command: PeerCommand, cx: &Context) -> Done {
    match command {
        PeerCommand::Export { output } => export(output.as_deref(), cx).await,
        PeerCommand::Add { file } => {
            let card = read_text(&file)?;
            let peer = cx.call(&PeerAdd { card }).await?;
            cx.out.object(&peer, text)?;
            if !peer.verified {
                cx.out.say(&format!(
                    "next: {} on both nodes, and read the words to each other by voice",
                    cx.command(&format!("peer verify {}", peer.code))
                ));
            }
            DONE
        }
        PeerCommand::Verify { peer, confirmed } => verify(peer, confirmed, cx).await,
        PeerCommand::List => {
            let peers = cx.call(&PeerList {}).await?;
            cx.out.list(&peers, list)?;
            DONE
        }
        PeerCommand::Show { peer } => {
            cx.out.object(&cx.call(&PeerShow { peer }).await?, text)?;
            DONE
        }
        PeerCommand::Ping { peer } => {
            cx.out.object(&cx.call(&PeerPing { peer }).await?, pong)?;
            DONE
        }
        PeerCommand::Revoke { peer, reason } => {
            cx.confirm(&format!(
                "Revoke the keys of {peer}? Its rounds end and its agreements are suspended"
            ))?;
            let revoked = cx.call(&PeerRevoke { peer, reason }).await?;
            cx.out.object(&revoked, |revoked| {
                pairs(&[
                    ("revoked", revoked.peer.clone()),
                    ("suspended", revoked.suspended.join(", ")),
                    ("ended", revoked.ended.join(", ")),
                ])
            })?;
            cx.out.say(&format!(
                "next: ask its operator, by voice, for a new card; {}",
                cx.command("peer add FILE")
            ));
            DONE
        }
        PeerCommand::Remove { peer } => {
            cx.confirm(&format!("Forget {peer} and its keys?"))?;
            let peer = cx.call(&PeerRemove { peer }).await?;
            cx.out
                .object(&peer, |peer| format!("{} is forgotten\n", peer.code))?;
            DONE
        }
    }
}

#[derive(Serialize)]
struct Exported<'a> {
    #[serde(flatten)]
    card: &'a Card,
    file: Option<&'a Path>,
}

async fn export(output: Option<&Path>, cx: &Context) -> Done {
    let card = cx.call(&PeerExport {}).await?;
    if let Some(path) = output {
        std::fs::write(path, &card.card).map_err(|error| file(path, error))?;
    }
    let exported = Exported {
        card: &card,
        file: output,
    };
    cx.out.object(&exported, |exported| match exported.file {
        Some(path) => format!(
            "wrote {} (fingerprint {})\n",
            path.display(),
            exported.card.fingerprint
        ),
        None => exported.card.card.clone(),
    })?;
    if output.is_some() {
        cx.out
            .say("next: hand the file to the peer's operator, who runs: mandorla peer add FILE");
    }
    DONE
}

async fn verify(peer: String, confirmed: bool, cx: &Context) -> Done {
    let words = cx
        .call(&PeerVerify {
            peer: peer.clone(),
            confirmed,
        })
        .await?;
    let asks = !confirmed && !words.verified && !cx.out.json && !cx.global.no_input;
    cx.out.object(&words, words_text)?;
    if !asks {
        return DONE;
    }
    let question = format!("Has the operator of {peer} read the same words to you?");
    if let Err(error) = cx.confirm(&question) {
        // Showing the words is a command of its own; recording them waits for an answer.
        cx.out.say(&error.message);
        cx.out.say(&format!(
            "next: {}",
            cx.command(&format!("peer verify {peer} --confirmed"))
        ));
        return DONE;
    }
    let words = cx
        .call(&PeerVerify {
            peer,
            confirmed: true,
        })
        .await?;
    cx.out
        .object(&words, |words| format!("{} is verified\n", words.peer))?;
    DONE
}

fn text(peer: &PeerView) -> String {
    pairs(&[
        ("peer", peer.code.clone()),
        ("name", peer.name.clone()),
        ("country", peer.country.clone()),
        ("address", format!("{} (UDP)", peer.address)),
        ("fingerprint", peer.fingerprint.clone()),
        ("verified", trust(peer)),
        ("last seen", when_known(peer.last_seen)),
    ])
}

fn list(peers: &[PeerView]) -> String {
    let mut table = Table::new(&[
        "PEER",
        "NAME",
        "ADDRESS",
        "FINGERPRINT",
        "VERIFIED",
        "LAST SEEN",
    ]);
    for peer in peers {
        table.row([
            peer.code.clone(),
            peer.name.clone(),
            peer.address.clone(),
            peer.fingerprint.clone(),
            trust(peer),
            when_known(peer.last_seen),
        ]);
    }
    table.text_or("no peers; next: mandorla peer add FILE")
}

fn trust(peer: &PeerView) -> String {
    if peer.revoked {
        "no, revoked".to_owned()
    } else {
        yes_no(peer.verified)
    }
}

fn words_text(words: &PeerWords) -> String {
    let state = if words.verified {
        "verified: an operator of this node said that these words were compared by voice"
    } else {
        "not verified yet: both operators read these words to each other; they must be the same"
    };
    format!("{}  {}\n{state}\n", words.peer, words.words.join(" "))
}

fn pong(pong: &PeerPong) -> String {
    format!(
        "{} answered after {} ms, handshake included; its clock differs from ours by {} s\n",
        pong.peer, pong.handshake_ms, pong.clock_offset_s
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_listed_with_named_dates() {
        let peer = PeerView {
            code: "RS".into(),
            name: "Uprava".into(),
            country: "RS".into(),
            address: "127.0.0.1:4433".into(),
            fingerprint: "00112233aabbccdd".into(),
            verified: false,
            revoked: false,
            last_seen: Some(543_144_600),
        };
        let text = list(&[peer]);
        assert!(text.contains("19 Mar 1987 09:30 UTC"), "{text}");
        assert!(
            text.lines().nth(1).unwrap().starts_with("RS    Uprava"),
            "{text}"
        );
        assert!(list(&[]).starts_with("no peers"));
    }
}
