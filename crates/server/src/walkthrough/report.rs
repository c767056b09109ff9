//! Steps and variables as table rows and as JSON.

use serde::Serialize;

use super::findings::{Outcome, Step};
use super::steps::Variables;
use super::table::{Column, Table, Tint};

const STEPS: &[Column] = &[
    Column { title: "#", width: 2 },
    Column { title: "Action", width: 15 },
    Column { title: "Input", width: 24 },
    Column { title: "Output", width: 25 },
    Column { title: "Note", width: 20 },
    Column { title: "Held", width: 4 },
    Column { title: "ms", width: 7 },
];

const HELD: usize = 5;

const VARIABLES: &[Column] = &[
    Column { title: "After", width: 5 },
    Column { title: "user", width: 20 },
    Column { title: "token", width: 14 },
    Column { title: "jwt_access", width: 14 },
    Column { title: "jwt_refresh", width: 14 },
    Column { title: "request_token", width: 26 },
];

/// The table of steps, still without rows.
pub(super) fn steps_table(colour: bool) -> Table {
    Table::new(STEPS, colour)
}

/// One step as a row of that table.
pub(super) fn step_row(table: &Table, step: &Step) -> String {
    let (held, tint) = match step.outcome {
        Outcome::Held => ("ok", Some((HELD, Tint::Green))),
        Outcome::Failed => ("FAIL", Some((HELD, Tint::Red))),
        Outcome::NotReached => ("–", None),
    };
    let time =
        if step.outcome == Outcome::NotReached { "–".to_owned() } else { format!("{:.1}", step.milliseconds()) };
    let cells = [
        step.number.to_string(),
        step.action.to_owned(),
        step.input.join("\n"),
        step.output.join("\n"),
        step.note.join("\n"),
        held.to_owned(),
        time,
    ];
    table.row(&cells, tint)
}

/// The whole walk as data, members in the order they are read.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    url: &'a str,
    steps: Vec<StepData<'a>>,
    variables: Vec<VariablesData<'a>>,
    ok: bool,
}

#[derive(Serialize)]
struct StepData<'a> {
    step: usize,
    action: &'a str,
    input: String,
    output: String,
    note: String,
    ok: bool,
    /// To three decimals.
    milliseconds: f64,
}

#[derive(Serialize)]
struct VariablesData<'a> {
    step: usize,
    #[serde(flatten)]
    variables: &'a Variables,
}

impl<'a> Report<'a> {
    /// The report of steps and of the variables after each.
    pub(super) fn new(url: &'a str, steps: &'a [Step], variables: &'a [Variables]) -> Self {
        let data = |step: &'a Step| StepData {
            step: step.number,
            action: step.action,
            input: step.input.join("; "),
            output: step.output.join("; "),
            note: step.note.join("; "),
            ok: step.held(),
            milliseconds: (step.milliseconds() * 1000.0).round() / 1000.0,
        };
        Self {
            url,
            steps: steps.iter().map(data).collect(),
            variables: (1..).zip(variables).map(|(step, variables)| VariablesData { step, variables }).collect(),
            ok: steps.iter().all(Step::held),
        }
    }
}

/// The whole table of variables.
pub(super) fn variables_table(rows: &[Variables]) -> String {
    let table = Table::new(VARIABLES, false);
    let mut text = table.head();
    for (number, row) in (1..).zip(rows) {
        let cell = |value: &Option<String>| value.as_deref().unwrap_or("–").to_owned();
        let Variables { user, token, jwt_access, jwt_refresh, request_token } = row;
        let number: usize = number;
        text += &table.row(
            &[number.to_string(), cell(user), cell(token), cell(jwt_access), cell(jwt_refresh), cell(request_token)],
            None,
        );
    }
    text + &table.foot()
}
