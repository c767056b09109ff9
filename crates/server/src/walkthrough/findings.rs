//! What a step found: its row of the table, and whether it held.

use std::time::Duration;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything was as it should be.
    Held,
    /// Something was not; the note says what.
    Failed,
    /// An earlier step left nothing to do it with.
    NotReached,
}

/// One row: the step, what went in, what came out, and what there is to say. No cell holds a whole secret.
#[derive(Debug)]
pub(super) struct Step {
    /// 1 to 10.
    pub(super) number: usize,
    /// What the step does.
    pub(super) action: &'static str,
    /// Lines.
    pub(super) input: Vec<String>,
    /// Lines.
    pub(super) output: Vec<String>,
    /// Lines; what went wrong comes first.
    pub(super) note: Vec<String>,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// Wall-clock time, requests included.
    pub(super) took: Duration,
}

impl Step {
    /// Whether everything was as it should be.
    pub(super) fn held(&self) -> bool {
        self.outcome == Outcome::Held
    }

    /// Time taken, in milliseconds.
    pub(super) fn milliseconds(&self) -> f64 {
        self.took.as_secs_f64() * 1000.0
    }
}

/// Collects what a step finds while it runs.
#[derive(Debug, Default)]
pub(super) struct Findings {
    input: Vec<String>,
    output: Vec<String>,
    remarks: Vec<String>,
    problems: Vec<String>,
    unreached: bool,
}

impl Findings {
    /// Something that went in.
    pub(super) fn input(&mut self, line: impl Into<String>) {
        self.input.push(line.into());
    }

    /// Something that came out.
    pub(super) fn output(&mut self, line: impl Into<String>) {
        self.output.push(line.into());
    }

    /// Something worth knowing; shown only when the step holds, since problems need the room.
    pub(super) fn remark(&mut self, line: impl Into<String>) {
        self.remarks.push(line.into());
    }

    /// Something wrong: the step fails.
    pub(super) fn problem(&mut self, line: impl Into<String>) {
        let line = line.into();
        if !self.problems.contains(&line) {
            self.problems.push(line);
        }
    }

    /// The step fails with `otherwise` unless `held`.
    pub(super) fn check(&mut self, held: bool, otherwise: impl FnOnce() -> String) {
        if !held {
            self.problem(otherwise());
        }
    }

    /// The whole step cannot be done, for this reason.
    pub(super) fn not_reached(&mut self, why: &str) {
        self.unreached = true;
        self.output = vec!["not reached".to_owned()];
        self.problems = vec![why.to_owned()];
    }

    /// The row. `took` is zero for a step that was not reached.
    pub(super) fn into_step(self, number: usize, action: &'static str, took: Duration) -> Step {
        let (outcome, note, took) = if self.unreached {
            (Outcome::NotReached, self.problems, Duration::ZERO)
        } else if self.problems.is_empty() {
            (Outcome::Held, self.remarks, took)
        } else {
            (Outcome::Failed, self.problems, took)
        };
        Step { number, action, input: self.input, output: self.output, note, outcome, took }
    }
}
