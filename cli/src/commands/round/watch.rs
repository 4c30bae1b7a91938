//! Following a round: a line per change of state, and how far the evaluation is.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use mandorla_control::{ApiError, RoundShow, RoundView};

use crate::context::Context;
use crate::failure::internal;
use crate::when::{grouped, span};

/// How long one call waits for a change; below the 30 s that the node allows.
const WAIT_MS: u64 = 10_000;
/// How often progress is a line where it cannot be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// When to stop following.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Closed or ended.
    Over,
    /// This state; or over.
    State(String),
    /// Every slot done; or over.
    Answered,
}

impl Goal {
    /// A state, or `answered`.
    pub(super) fn named(name: String) -> Self {
        if name == super::ANSWERED {
            Self::Answered
        } else {
            Self::State(name)
        }
    }

    fn reached(&self, view: &RoundView) -> bool {
        let over = matches!(view.state.as_str(), "closed" | "ended");
        over || match self {
            Self::Over => false,
            Self::State(state) => *state == view.state,
            Self::Answered => !view.slots.is_empty() && view.slots.iter().all(|slot| slot.done),
        }
    }
}

/// Follows a round from what is known of it to the goal.
pub(crate) async fn follow(
    mut view: RoundView,
    goal: &Goal,
    cx: &Context,
) -> Result<RoundView, ApiError> {
    let mut progress = Progress::new(&view, cx)?;
    progress.show(&view, cx)?;
    while !goal.reached(&view) {
        let show = RoundShow {
            round: view.id.clone(),
            after_revision: Some(view.revision),
            wait_ms: Some(WAIT_MS),
        };
        view = cx.call(&show).await?;
        progress.show(&view, cx)?;
    }
    progress.bar.finish_and_clear();
    Ok(view)
}

struct Progress {
    bar: ProgressBar,
    started: Instant,
    chunks_at_start: u64,
    last_line: Option<Instant>,
    last_state: String,
    last_revision: Option<u64>,
}

impl Progress {
    fn new(view: &RoundView, cx: &Context) -> Result<Self, ApiError> {
        let bar = if cx.out.draws() {
            let style = ProgressStyle::with_template("{msg}").map_err(internal)?;
            ProgressBar::new_spinner().with_style(style)
        } else {
            ProgressBar::hidden()
        };
        Ok(Self {
            bar,
            started: Instant::now(),
            chunks_at_start: view.chunks.map_or(0, |(done, _)| done),
            last_line: None,
            last_state: String::new(),
            last_revision: None,
        })
    }

    fn show(&mut self, view: &RoundView, cx: &Context) -> Result<(), ApiError> {
        if cx.out.json {
            if self.last_revision != Some(view.revision) {
                cx.out.json_line(view)?;
            }
            self.last_revision = Some(view.revision);
            return Ok(());
        }
        if self.last_state != view.state {
            self.last_state.clone_from(&view.state);
            self.bar.suspend(|| cx.out.say(&state_line(view)));
        }
        let Some(line) = self.evaluation_line(view) else {
            self.bar.set_message("");
            return Ok(());
        };
        if cx.out.draws() {
            self.bar.set_message(line);
            self.bar.tick();
        } else if self
            .last_line
            .is_none_or(|last| last.elapsed() >= LINE_EVERY)
        {
            self.last_line = Some(Instant::now());
            cx.out.say(&line);
        }
        Ok(())
    }

    fn evaluation_line(&self, view: &RoundView) -> Option<String> {
        let (done, all) = view.chunks.filter(|_| view.state == "evaluating")?;
        let gained = done.saturating_sub(self.chunks_at_start);
        Some(evaluation_line(done, all, gained, self.started.elapsed()))
    }
}

fn state_line(view: &RoundView) -> String {
    if view.detail.is_empty() {
        format!("{}  {}", view.id, view.state)
    } else {
        format!("{}  {}: {}", view.id, view.state, view.detail)
    }
}

/// `evaluate  412 / 1,000 chunks  10/s  58s left`; no rate before there is one.
fn evaluation_line(done: u64, all: u64, gained: u64, elapsed: Duration) -> String {
    let so_far = format!("evaluate  {} / {} chunks", grouped(done), grouped(all));
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if gained == 0 || elapsed_ms == 0 {
        return so_far;
    }
    let left_s = all.saturating_sub(done).saturating_mul(elapsed_ms) / gained / 1_000;
    let per_ten_s = gained.saturating_mul(10_000) / elapsed_ms;
    format!(
        "{so_far}  {}.{}/s  {} left",
        per_ten_s / 10,
        per_ten_s % 10,
        span(left_s)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_what_was_done_since_watching() {
        assert_eq!(
            evaluation_line(412, 1_000, 100, Duration::from_secs(10)),
            "evaluate  412 / 1,000 chunks  10.0/s  58s left"
        );
        assert_eq!(
            evaluation_line(0, 9, 0, Duration::from_secs(10)),
            "evaluate  0 / 9 chunks"
        );
        assert_eq!(
            evaluation_line(9, 9, 9, Duration::from_millis(4_500)),
            "evaluate  9 / 9 chunks  2.0/s  0s left"
        );
    }

    #[test]
    fn following_stops_at_the_goal_and_at_the_end() {
        let at = |state: &str| RoundView {
            state: state.into(),
            ..super::super::text::tests::view_of_a_round()
        };
        let goal = Goal::State("awaiting-approval".into());
        assert!(goal.reached(&at("awaiting-approval")));
        assert!(goal.reached(&at("ended")));
        assert!(!goal.reached(&at("evaluating")));
        assert!(!Goal::Over.reached(&at("awaiting-answers")));
        assert!(Goal::Over.reached(&at("closed")));

        let answered = Goal::named("answered".into());
        let mut view = at("awaiting-answers");
        assert!(!answered.reached(&view));
        view.slots[0].done = true;
        assert!(answered.reached(&view));
        view.slots.clear();
        assert!(
            !answered.reached(&view),
            "there are no slots before the question"
        );
    }
}
