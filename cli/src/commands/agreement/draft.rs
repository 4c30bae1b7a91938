//! `mandorla agreement draft`: asks what nobody has said yet, where there is somebody to ask.

use std::path::PathBuf;

use clap::Args;
use mandorla_control::{AgreementDraft, ApiError, DraftChoices, DraftPartyChoices, ErrorCode};
use serde_json::json;

use crate::context::Context;
use crate::failure::{DONE, Done, file};

/// What a draft says. On a terminal the command asks for what is missing; an empty answer leaves the default, or a
/// placeholder in capitals that `lint` refuses until somebody fills it in.
#[derive(Debug, Default, Args)]
pub(crate) struct DraftArgs {
    /// Party code of the peer
    #[arg(long)]
    peer: String,
    /// Id of the agreement: letters, digits, - and _
    #[arg(long)]
    id: String,
    /// Title for people
    #[arg(long)]
    title: String,
    /// Purpose code
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// The purpose in words
    #[arg(long, value_name = "TEXT")]
    purpose_text: Option<String>,
    /// Legal regime
    #[arg(long, value_parser = ["law-enforcement", "general"])]
    regime: Option<String>,
    /// Only this node asks
    #[arg(long)]
    one_way: bool,
    /// No pilot on synthetic data comes first
    #[arg(long)]
    no_pilot: bool,
    /// Days that it lasts [default: 365]
    #[arg(long)]
    days: Option<u32>,
    /// Law or treaty of this side
    #[arg(long, value_name = "TEXT")]
    own_instrument: Option<String>,
    /// Ground of this side's processing
    #[arg(long, value_name = "TEXT")]
    own_basis: Option<String>,
    /// Ground of this side's transfers
    #[arg(long, value_name = "TEXT")]
    own_transfer_basis: Option<String>,
    /// Reference of this side's impact assessment
    #[arg(long, value_name = "TEXT")]
    own_dpia: Option<String>,
    /// Where this side's authoriser is reached
    #[arg(long, value_name = "TEXT")]
    own_authoriser: Option<String>,
    /// Where this side's data-protection officer is reached
    #[arg(long, value_name = "TEXT")]
    own_dpo: Option<String>,
    /// Supervisory authority of this side
    #[arg(long, value_name = "TEXT")]
    own_authority: Option<String>,
    /// Dataset of this side, with the most subjects it may have [default: every dataset of this node]
    #[arg(long, value_name = "NAME[=MOST]")]
    own_dataset: Vec<String>,
    /// Law or treaty of the peer
    #[arg(long, value_name = "TEXT")]
    peer_instrument: Option<String>,
    /// Ground of the peer's processing
    #[arg(long, value_name = "TEXT")]
    peer_basis: Option<String>,
    /// Ground of the peer's transfers
    #[arg(long, value_name = "TEXT")]
    peer_transfer_basis: Option<String>,
    /// Reference of the peer's impact assessment
    #[arg(long, value_name = "TEXT")]
    peer_dpia: Option<String>,
    /// Where the peer's authoriser is reached
    #[arg(long, value_name = "TEXT")]
    peer_authoriser: Option<String>,
    /// Where the peer's data-protection officer is reached
    #[arg(long, value_name = "TEXT")]
    peer_dpo: Option<String>,
    /// Supervisory authority of the peer
    #[arg(long, value_name = "TEXT")]
    peer_authority: Option<String>,
    /// Dataset of the peer, with the most subjects it may have [default: registry]
    #[arg(long, value_name = "NAME[=MOST]")]
    peer_dataset: Vec<String>,
    /// Fewest subjects on either side [default: 20]
    #[arg(long, value_name = "N")]
    min_set: Option<u64>,
    /// Most subjects in a question [default: 10000]
    #[arg(long, value_name = "N")]
    max_set: Option<u64>,
    /// Rounds per day and direction [default: 2]
    #[arg(long, value_name = "N")]
    rounds_per_day: Option<u32>,
    /// Time between two rounds of a direction, as 30m [default: 1h]
    #[arg(long, value_name = "DURATION")]
    min_interval: Option<String>,
    /// When an answer comes after the question, as 4h; may be repeated [default: 24h]
    #[arg(long, value_name = "DURATION")]
    slot: Vec<String>,
    /// Places in an answer [default: 64]
    #[arg(long, value_name = "N")]
    max_release: Option<u32>,
    /// Field that may be released; may be repeated [default: names, date of birth, document]
    #[arg(long, value_name = "FIELD")]
    field: Vec<String>,
    /// Field that never leaves; may be repeated
    #[arg(long, value_name = "FIELD")]
    forbid: Vec<String>,
    /// File to write instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Asks a question; `None`: an empty answer.
type Ask<'a> = &'a mut dyn FnMut(&str) -> Result<Option<String>, ApiError>;

impl DraftArgs {
    /// Asks for everything that no flag gave, in the order of the file.
    fn complete(&mut self, ask: Ask<'_>) -> Result<(), ApiError> {
        text(&mut self.purpose, "purpose code, as OIC-FACILITATION", ask)?;
        text(&mut self.purpose_text, "the purpose in words", ask)?;
        let regime = "legal regime, law-enforcement or general [law-enforcement]";
        parsed(&mut self.regime, regime, ask, |answer| {
            matches!(answer, "law-enforcement" | "general").then(|| answer.to_owned())
        })?;
        self.complete_parties(ask)?;
        let min_set = "fewest subjects on either side [20]";
        number(&mut self.min_set, min_set, ask)?;
        number(
            &mut self.max_set,
            "most subjects in a question [10000]",
            ask,
        )?;
        let rounds = "rounds per day and direction [2]";
        number(&mut self.rounds_per_day, rounds, ask)?;
        let interval = "time between two rounds of a direction [1h]";
        text(&mut self.min_interval, interval, ask)?;
        let slots = "when answers come after the question, with commas between [24h]";
        list(&mut self.slot, slots, ask)?;
        number(&mut self.max_release, "places in an answer [64]", ask)?;
        let fields =
            "fields that may be released, with commas between [names, date of birth, document]";
        list(&mut self.field, fields, ask)?;
        let forbidden = "fields that never leave, with commas between [none]";
        list(&mut self.forbid, forbidden, ask)
    }

    /// Law, contacts and datasets of each party.
    fn complete_parties(&mut self, ask: Ask<'_>) -> Result<(), ApiError> {
        const OF_A_PARTY: [&str; 7] = [
            "law or treaty",
            "ground of the processing",
            "ground of the transfer",
            "reference of the impact assessment",
            "where the authoriser is reached",
            "where the data-protection officer is reached",
            "supervisory authority",
        ];
        let own = [
            &mut self.own_instrument,
            &mut self.own_basis,
            &mut self.own_transfer_basis,
            &mut self.own_dpia,
            &mut self.own_authoriser,
            &mut self.own_dpo,
            &mut self.own_authority,
        ];
        let peer = [
            &mut self.peer_instrument,
            &mut self.peer_basis,
            &mut self.peer_transfer_basis,
            &mut self.peer_dpia,
            &mut self.peer_authoriser,
            &mut self.peer_dpo,
            &mut self.peer_authority,
        ];
        let datasets = "datasets, as NAME or NAME=MOST_SUBJECTS, with commas between";
        let parties = [
            (
                "this side",
                own,
                &mut self.own_dataset,
                "all that are loaded",
            ),
            (self.peer.as_str(), peer, &mut self.peer_dataset, "registry"),
        ];
        for (party, texts, named, default) in parties {
            for (slot, what) in texts.into_iter().zip(OF_A_PARTY) {
                text(slot, &format!("{party}: {what}"), ask)?;
            }
            list(named, &format!("{party}: {datasets} [{default}]"), ask)?;
        }
        Ok(())
    }

    fn call(self) -> AgreementDraft {
        AgreementDraft {
            peer: self.peer,
            id: self.id,
            title: self.title,
            choices: DraftChoices {
                purpose: self.purpose,
                purpose_text: self.purpose_text,
                regime: self.regime,
                one_way: self.one_way,
                no_pilot: self.no_pilot,
                days: self.days,
                own: DraftPartyChoices {
                    instrument: self.own_instrument,
                    basis: self.own_basis,
                    transfer_basis: self.own_transfer_basis,
                    dpia_ref: self.own_dpia,
                    authoriser: self.own_authoriser,
                    dpo: self.own_dpo,
                    supervisory_authority: self.own_authority,
                    datasets: self.own_dataset,
                },
                other: DraftPartyChoices {
                    instrument: self.peer_instrument,
                    basis: self.peer_basis,
                    transfer_basis: self.peer_transfer_basis,
                    dpia_ref: self.peer_dpia,
                    authoriser: self.peer_authoriser,
                    dpo: self.peer_dpo,
                    supervisory_authority: self.peer_authority,
                    datasets: self.peer_dataset,
                },
                min_set: self.min_set,
                max_set: self.max_set,
                rounds_per_day: self.rounds_per_day,
                min_interval: self.min_interval,
                slots: self.slot,
                max_release: self.max_release,
                fields: self.field,
                forbidden: self.forbid,
            },
        }
    }
}

fn text(slot: &mut Option<String>, question: &str, ask: Ask<'_>) -> Result<(), ApiError> {
    parsed(slot, question, ask, |answer| Some(answer.to_owned()))
}

fn number<T: std::str::FromStr>(
    slot: &mut Option<T>,
    question: &str,
    ask: Ask<'_>,
) -> Result<(), ApiError> {
    parsed(slot, question, ask, |answer| answer.parse().ok())
}

/// Asks again until the answer can be read, or is empty.
fn parsed<T>(
    slot: &mut Option<T>,
    question: &str,
    ask: Ask<'_>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<(), ApiError> {
    while slot.is_none() {
        let Some(answer) = ask(question)? else {
            return Ok(());
        };
        *slot = read(&answer);
    }
    Ok(())
}

fn list(slot: &mut Vec<String>, question: &str, ask: Ask<'_>) -> Result<(), ApiError> {
    if slot.is_empty()
        && let Some(answer) = ask(question)?
    {
        let parts = answer.split(',').map(str::trim);
        slot.extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
    }
    Ok(())
}

/// Drafts, and writes the file or prints it.
pub(super) async fn run(mut args: DraftArgs, cx: &Context) -> Done {
    if cx.may_ask() {
        cx.out.say("an empty answer leaves what stands in brackets, or a blank in capitals to be filled in later");
        args.complete(&mut |question| {
            cx.answer(question).ok_or_else(|| {
                ApiError::new(
                    ErrorCode::BadRequest,
                    "the input ended; nothing was drafted",
                )
                .hint(
                    "give each answer as a flag, with --no-input: mandorla agreement draft --help",
                )
            })
        })?;
    }
    let output = args.output.take();
    let drafted = cx.call(&args.call()).await?;
    let Some(path) = output else {
        cx.out.object(&drafted, |drafted| drafted.text.clone())?;
        return DONE;
    };
    if path.exists() {
        cx.confirm(&format!("Replace {}?", path.display()))?;
    }
    std::fs::write(&path, &drafted.text).map_err(|error| file(&path, error))?;
    cx.out
        .object(&json!({"text": drafted.text, "file": path}), |_| {
            format!("wrote {}\n", path.display())
        })?;
    cx.out.say(&format!(
        "next: edit it, then {}",
        cx.command(&format!("agreement lint {}", path.display()))
    ));
    DONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_flag_gave_is_not_asked_and_what_cannot_be_read_is_asked_again() {
        let mut args = DraftArgs {
            peer: "RS".to_owned(),
            purpose: Some("OIC".to_owned()),
            min_set: Some(30),
            ..DraftArgs::default()
        };
        let mut asked = Vec::new();
        args.complete(&mut |question| {
            asked.push(question.to_owned());
            let is_new = asked.iter().filter(|before| *before == question).count() == 1;
            Ok(match question {
                question if question.starts_with("rounds per day") => {
                    Some(if is_new { "many" } else { "3" }.to_owned())
                }
                question if question.starts_with("when answers") => Some("4h, 24h,".to_owned()),
                question if question.starts_with("RS: law") => Some("a treaty".to_owned()),
                _ => None,
            })
        })
        .unwrap();
        assert!(
            !asked
                .iter()
                .any(|question| question.starts_with("purpose code"))
        );
        assert!(!asked.iter().any(|question| question.starts_with("fewest")));
        let call = args.call();
        assert_eq!(call.choices.rounds_per_day, Some(3));
        assert_eq!(call.choices.slots, ["4h", "24h"]);
        assert_eq!(call.choices.other.instrument.as_deref(), Some("a treaty"));
        assert_eq!(call.choices.own, DraftPartyChoices::default());
        assert_eq!(call.choices.min_set, Some(30));
    }

    #[test]
    fn the_end_of_the_input_drafts_nothing() {
        let mut args = DraftArgs::default();
        let error = args
            .complete(&mut |_| Err(ApiError::new(ErrorCode::BadRequest, "ended")))
            .unwrap_err();
        assert_eq!(error.message, "ended");
    }
}
