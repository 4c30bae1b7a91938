//! `mandorla bench …`.

mod lists;
mod measure;
mod report;

use clap::{Args, Subcommand, ValueEnum};
use mandorla_control::{ApiError, ErrorCode};

use crate::context::Context;
use crate::failure::{DONE, Done};
use crate::world::World;

/// Most subjects on a side, as in an agreement.
const SUBJECTS_MAX: u64 = 1 << 24;

/// `mandorla bench …`
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// One full round between two processes over QUIC on loopback: time, processor, memory, bytes
    Round(RoundArgs),
}

/// `mandorla bench round`
#[derive(Clone, Debug, Args)]
pub(crate) struct RoundArgs {
    /// Subjects of the requester, one match key each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SUBJECTS_MAX))]
    requester: u64,
    /// Subjects of the responder, one match key each
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..=SUBJECTS_MAX))]
    responder: u64,
    /// Share of the smaller list that is on both
    #[arg(long, value_name = "R", default_value_t = 0.1, value_parser = share)]
    overlap: f64,
    /// Life of the keys: fresh, made for the round alone
    #[arg(long, default_value = "fresh")]
    mode: Mode,
    /// Worker threads of each node [default: all cores]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

/// Life of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    Fresh,
}

impl RoundArgs {
    /// Subjects on both lists.
    fn expected_hits(&self) -> u64 {
        let smaller = self.requester.min(self.responder);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "counts stay below 2^24 and a share within 0 and 1"
        )]
        let hits = (smaller as f64 * self.overlap).round() as u64;
        hits
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("a share is from 0 to 1".to_owned())
    }
}

/// Measures; both processes are stopped however it ends.
pub(crate) async fn run(command: BenchCommand, cx: &Context) -> Done {
    let BenchCommand::Round(args) = command;
    let mut world = World::in_directory(None)?;
    let late = ApiError::new(
        ErrorCode::Pending,
        "not finished within --timeout; both nodes are stopped",
    );
    let measuring = async {
        let report = measure::round(&args, &mut world, &cx.out).await?;
        cx.out.object(&report, report::text)?;
        if report.hits == report.expected_hits && report.released == report.received {
            return DONE;
        }
        let message = format!(
            "{} hits where {} were planted; {} released, {} received",
            report.hits, report.expected_hits, report.released, report.received
        );
        Err(ApiError::new(ErrorCode::FaultFound, message))
    };
    let done = cx.until_interrupted_or(late, measuring).await;
    world.stop().await;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlap_is_a_share_of_the_smaller_list() {
        let args = |requester, responder, overlap| RoundArgs {
            requester,
            responder,
            overlap,
            mode: Mode::Fresh,
            threads: None,
        };
        assert_eq!(args(1_000, 50_000, 0.1).expected_hits(), 100);
        assert_eq!(args(50_000, 1_000, 1.0).expected_hits(), 1_000);
        assert_eq!(args(7, 7, 0.0).expected_hits(), 0);
        assert!(share("1.5").is_err());
        assert!(share("-0.1").is_err());
        assert!(share("NaN").is_err());
    }
}
