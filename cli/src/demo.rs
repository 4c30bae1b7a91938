//! `mandorla demo`: two nodes on this machine, one full round, explained step by step.
//!
//! ```text
//!   lists, cards, agreement ──► propose ──► evaluate ──► approve ──► match ──► release · redact · refuse
//!                                                                                    │ answer slot
//!                       truth of the generated lists  ◄── compared ──  released hits ◄┘
//! ```

mod report;
mod steps;
mod story;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mandorla_control::{ApiError, ErrorCode};
use mandorla_linkage::generate::Size;

use crate::context::Context;
use crate::failure::{DONE, Done, internal};
use crate::world::World;

/// `mandorla demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// First of two UDP ports on loopback [default: two that are free]
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
    /// S: 1,000 × 1,000 people, 40 on both lists; M: 50,000 × 30,000, 400 on both
    #[arg(long, default_value = "s", ignore_case = true)]
    size: DemoSize,
    /// Keep the nodes' directories here instead of removing them
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Sizes that a demonstration can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoSize {
    S,
    M,
}

impl DemoSize {
    fn rows(self) -> Size {
        match self {
            Self::S => Size::S,
            Self::M => Size::M,
        }
    }

    /// When the answer comes, seconds after the question: time enough to decide on every hit.
    fn slot_s(self) -> u64 {
        match self {
            Self::S => 8,
            Self::M => 40,
        }
    }
}

/// Plays the demonstration; its processes are stopped however it ends.
pub(crate) async fn run(args: DemoArgs, cx: &Context) -> Done {
    let mut world = World::in_directory(args.keep.as_deref())?;
    let late = ApiError::new(
        ErrorCode::Pending,
        "not finished within --timeout; both nodes are stopped",
    );
    let done = cx
        .until_interrupted_or(late, play(&args, &mut world, cx))
        .await;
    world.stop().await;
    if args.keep.is_some() {
        cx.out.say(&format!(
            "both nodes are stopped; their directories are in {}",
            world.root().display()
        ));
    }
    done
}

async fn play(args: &DemoArgs, world: &mut World, cx: &Context) -> Done {
    let report = steps::play(args, world, &cx.out).await?;
    cx.out.object(&report, report::text)?;
    let fault = report.fault();
    if !cx.global.no_input {
        cx.out.say(&story::look_around(world));
        wait_for_enter(cx).await?;
    }
    match fault {
        None => DONE,
        Some(fault) => Err(ApiError::new(ErrorCode::FaultFound, fault)),
    }
}

/// Waits for a line on standard input, or its end, on a thread that nobody waits for after an interrupt.
async fn wait_for_enter(cx: &Context) -> Result<(), ApiError> {
    let prompt = if cx.out.json {
        ""
    } else {
        "Press Enter to stop both nodes. "
    };
    let asked = tokio::task::spawn_blocking(move || {
        use std::io::{BufRead as _, Write as _};
        let _ = write!(std::io::stderr(), "{prompt}");
        let _ = std::io::stdin().lock().read_line(&mut String::new());
    });
    asked.await.map_err(internal)
}
