//! Says what Countersign makes of tokens, `Authorization` headers and stored passwords: one side of `scripts/differential`.
//!
//! ```text
//! verdicts tokens
//! verdicts passwords
//! verdicts headers DATABASE-URL
//! ```
//!
//! Cases come in batches on standard input: a number, a JSON text that says under which settings, and so many cases; every text
//! after its length, every number as four bytes, the lowest first. When a batch has come, the answers go out the same way.

mod headers;
mod passwords;
mod tokens;

use std::io::{self, Read, Write};

use anyhow::{Context as _, bail};

/// Answers to batches of one kind.
trait Judge {
    /// Takes the settings of a batch.
    fn settings(&mut self, text: &str) -> anyhow::Result<()>;

    /// What becomes of one case.
    fn verdict(&mut self, case: &[u8]) -> String;
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut judge: Box<dyn Judge> = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tokens"] => Box::new(tokens::Tokens::default()),
        ["passwords"] => Box::new(passwords::Passwords::default()),
        ["headers", url] => Box::new(headers::Headers::open(url)?),
        _ => bail!("usage: verdicts tokens | passwords | headers DATABASE-URL"),
    };
    let (mut input, mut output) = (io::BufReader::new(io::stdin().lock()), io::BufWriter::new(io::stdout().lock()));
    while let Some(count) = number(&mut input)? {
        let settings = String::from_utf8(text(&mut input)?)?;
        judge.settings(&settings).with_context(|| settings.clone())?;
        let cases = (0..count).map(|_| text(&mut input)).collect::<Result<Vec<_>, _>>()?;
        for case in cases {
            let verdict = judge.verdict(&case);
            output.write_all(&u32::try_from(verdict.len())?.to_le_bytes())?;
            output.write_all(verdict.as_bytes())?;
        }
        output.flush()?;
    }
    Ok(())
}

/// The next number; none at the end.
fn number(input: &mut impl Read) -> io::Result<Option<u32>> {
    let mut bytes = [0; 4];
    match input.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(u32::from_le_bytes(bytes))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn text(input: &mut impl Read) -> anyhow::Result<Vec<u8>> {
    let length = number(input)?.context("the batch ends early")?;
    let mut bytes = vec![0; usize::try_from(length)?];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}
