//! `countersign keys`: the key ladder as commands. Each step is shown before it is made, and `--dry-run` leaves it at that.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use countersign::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use countersign::ladder::{Disuse, KeyState, Ladder};
use countersign_formats::jwt::{Algorithm, SigningKey};
use countersign_store::{KeyRow, KeyStep, KeyUse, Store};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::CommandError;
use crate::config::{Config, Length};
use crate::ladder::{of_rows, open_key, purpose};

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Show every key, where it stands, and who was seen with tokens of those that sign no longer.
    List {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Make a new key, sealed in the database and known to nobody.
    Generate {
        /// `EdDSA` (Ed25519) or `ES256`.
        #[arg(long, default_value = "EdDSA")]
        algorithm: String,
        #[command(flatten)]
        step: StepArgs,
    },
    /// Let every node and Django accept a key, and print what Django needs for it.
    Publish(KeyArgs),
    /// Let a published key sign a share of the new tokens; 0% takes it back.
    SignWith {
        #[command(flatten)]
        key: KeyArgs,
        /// How many of a hundred new tokens it signs, such as `10%`.
        #[arg(long)]
        share: String,
        /// Do not wait until the key has been published for five minutes.
        #[arg(long)]
        at_once: bool,
    },
    /// Let a key sign all new tokens. Those of the keys before it are accepted on.
    Promote {
        #[command(flatten)]
        key: KeyArgs,
        /// Do not wait until the key has been published for five minutes.
        #[arg(long)]
        at_once: bool,
    },
    /// End a key that signs no longer. Refused while its tokens are in use, with the names of those who use them.
    Retire {
        #[command(flatten)]
        key: KeyArgs,
        /// Nobody may have been seen with its tokens for so long.
        #[arg(long, default_value = "1d")]
        unused_for: String,
    },
    /// End a key in an emergency, whoever has tokens of it.
    Revoke {
        #[command(flatten)]
        key: KeyArgs,
        /// Its tokens are refused from now on.
        #[arg(long, required = true)]
        now: bool,
    },
    /// Print once more what Django needs to verify tokens of the keys there are.
    Django,
}

#[derive(clap::Args)]
pub(super) struct KeyArgs {
    /// The key, as `countersign keys list` names it.
    kid: String,
    #[command(flatten)]
    step: StepArgs,
}

#[derive(clap::Args)]
pub(super) struct StepArgs {
    /// Show what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The ladder with what it takes to change it.
struct Session<'c> {
    config: &'c Config,
    store: Store,
    ladder: Ladder,
    now: Timestamp,
}

/// Runs one of the commands.
pub(super) async fn keys(config: &Config, command: KeysCommand) -> anyhow::Result<()> {
    let jwt = &config.settings.simple_jwt;
    if !jwt.issues || jwt.fetches_keys {
        bail!(CommandError(
            "there is no ladder without simple_jwt.signing_key, nor with simple_jwt.jwk_url".to_owned()
        ));
    }
    let store = config.database.open().await?;
    if !store.has_table("countersign_key").await? {
        bail!(CommandError("the database has no key ladder; run `countersign migrate`".to_owned()));
    }
    let now = SystemClock.now();
    let ladder = of_rows(store.signing_keys().await?, &jwt.signing_key, now);
    let session = Session { config, store, ladder, now };
    let made = session.run(command).await;
    session.store.close().await;
    made
}

impl Session<'_> {
    async fn run(&self, command: KeysCommand) -> anyhow::Result<()> {
        match command {
            KeysCommand::List { json } => self.list(json).await,
            KeysCommand::Generate { algorithm, step } => self.generate(&algorithm, step.dry_run).await,
            KeysCommand::Publish(KeyArgs { kid, step }) => {
                let change = self.ladder.publish(&kid, self.now).map_err(refused)?;
                self.make(change.clone(), step.dry_run).await?;
                self.django(&change)
            }
            KeysCommand::SignWith { key, share, at_once } => {
                let share = share.strip_suffix('%').unwrap_or(&share).parse().unwrap_or(-1);
                let step = self.ladder.sign_with(&key.kid, share, at_once, self.now).map_err(refused)?;
                self.make(step, key.step.dry_run).await
            }
            KeysCommand::Promote { key, at_once } => {
                let step = self.ladder.promote(&key.kid, at_once, self.now).map_err(refused)?;
                self.make(step, key.step.dry_run).await
            }
            KeysCommand::Retire { key, unused_for } => self.retire(&key, &unused_for).await,
            KeysCommand::Revoke { key, now: _ } => {
                self.make(self.ladder.revoke(&key.kid, self.now).map_err(refused)?, key.step.dry_run).await
            }
            KeysCommand::Django => self.django(&[]),
        }
    }

    /// Shows a step, and makes it unless it is a rehearsal.
    async fn make(&self, step: KeyStep, dry_run: bool) -> anyhow::Result<()> {
        for (read, row) in &step {
            let from = read.as_ref().map_or_else(String::new, |read| format!("{} {}% -> ", read.state, read.share));
            println!("{}  {}  {from}{} {}%", row.kid, row.algorithm, row.state, row.share);
        }
        if dry_run {
            println!("Nothing was done (--dry-run).");
            return Ok(());
        }
        self.store.change_signing_keys(step).await?;
        println!("Every node knows within {} seconds.", self.config.ladder.reload.as_secs_f64().ceil());
        Ok(())
    }

    async fn generate(&self, algorithm: &str, dry_run: bool) -> anyhow::Result<()> {
        let algorithm: Algorithm = algorithm.parse().map_err(refused)?;
        let Some(encryption_key) = &self.config.ladder.encryption_key else {
            bail!(CommandError(
                "keys.encryption_key is missing: private keys are sealed under it in the database. `openssl rand -hex 32` makes one; \
                 give it as keys.encryption_key_file, or as COUNTERSIGN_KEYS__ENCRYPTION_KEY"
                    .to_owned()
            ));
        };
        let mut seed = Zeroizing::new([0; 32]);
        let mut nonce = [0; 12];
        SystemEntropy.fill(&mut *seed)?;
        SystemEntropy.fill(&mut nonce)?;
        let Some(key) = SigningKey::from_seed(algorithm, &seed) else {
            bail!(CommandError(format!("no {algorithm} key can be made here; use EdDSA or ES256")));
        };
        let kid = key.verifying_key().thumbprint().context("a key pair has a public part")?;
        let sealed = encryption_key.seal(nonce, &purpose(&kid, algorithm), &*seed);
        self.make(self.ladder.generate(kid, algorithm, sealed, self.now), dry_run).await
    }

    async fn retire(&self, key: &KeyArgs, unused_for: &str) -> anyhow::Result<()> {
        let unused_for = Length::parse(unused_for).ok_or_else(|| {
            CommandError(format!("--unused-for {unused_for}: not a length of time such as 1d or 12h"))
        })?;
        let leeway = self.config.settings.simple_jwt.rules.leeway;
        let longest_life = self.config.settings.longest_lifetime().saturating_add(leeway);
        let noted_within = self.config.ladder.noted_within();
        let disuse = Disuse { unused_for: unused_for.0, noted_within, longest_life };
        let uses = self.store.key_uses(&key.kid).await?;
        let step = self.ladder.retire(&key.kid, &uses, disuse, self.now).map_err(refused)?;
        self.make(step.clone(), key.step.dry_run).await?;
        println!("What Django needs from now on:\n");
        self.django(&step)
    }

    async fn list(&self, json: bool) -> anyhow::Result<()> {
        let mut rows = Vec::new();
        for row in self.ladder.rows() {
            let mut uses = self.store.key_uses(&row.kid).await?;
            uses.sort_by_key(|seen| std::cmp::Reverse(seen.seen_at));
            rows.push((row, uses));
        }
        if json {
            let key = |(row, uses): &(&KeyRow, Vec<KeyUse>)| {
                let clients: Vec<_> = uses
                    .iter()
                    .map(|seen| serde_json::json!({"client": seen.client, "tokens": seen.tokens, "seen_at": seen.seen_at.to_string()}))
                    .collect();
                serde_json::json!({
                    "kid": row.kid, "algorithm": row.algorithm, "state": row.state, "share": row.share,
                    "configured": self.ladder.is_configured(&row.kid), "changed_at": row.changed_at.to_string(), "seen": clients,
                })
            };
            println!("{:#}", serde_json::Value::from(rows.iter().map(key).collect::<Vec<_>>()));
            return Ok(());
        }
        for (row, uses) in rows {
            let configured = if self.ladder.is_configured(&row.kid) { "  (simple_jwt.signing_key)" } else { "" };
            println!("{}  {}  {} {}%{configured}", row.kid, row.algorithm, row.state, row.share);
            for seen in uses.iter().take(5) {
                println!("    {}: {} tokens, last at {}", seen.client, seen.tokens, seen.seen_at);
            }
            if uses.len() > 5 {
                println!("    and {} more; --json has them all", uses.len() - 5);
            }
        }
        Ok(())
    }

    /// What a Django project pastes, so that it verifies tokens of all keys that are accepted after this step.
    fn django(&self, step: &[(Option<KeyRow>, KeyRow)]) -> anyhow::Result<()> {
        let mut accepted = Vec::new();
        let mut configured = false;
        for row in self.ladder.rows() {
            let row = step.iter().map(|(_, after)| after).find(|after| after.kid == row.kid).unwrap_or(row);
            if !KeyState::of_name(&row.state).is_some_and(KeyState::is_accepted) {
                continue;
            }
            if self.ladder.is_configured(&row.kid) {
                configured = true;
            } else {
                let key = open_key(row, &self.config.ladder)?.verifying_key();
                accepted.push((row.kid.clone(), row.algorithm.clone(), key.to_pem().context("a key pair")?));
            }
        }
        print!("{}", django_settings(&accepted, configured));
        Ok(())
    }
}

/// SimpleJWT's settings for keys of the ladder. With one key left its own settings do; before that each further key is a token class,
/// as SimpleJWT has one algorithm for each.
fn django_settings(keys: &[(String, String, String)], configured: bool) -> String {
    let mut text = String::new();
    if let ([(kid, algorithm, pem)], false) = (keys, configured) {
        let _ = write!(
            text,
            "# In Django's settings. Key {kid}.\nSIMPLE_JWT |= {{\n    \"ALGORITHM\": \"{algorithm}\",\n    \"SIGNING_KEY\": None,\n    \
             \"VERIFYING_KEY\": \"\"\"{pem}\"\"\",\n    \
             \"AUTH_TOKEN_CLASSES\": (\"rest_framework_simplejwt.tokens.AccessToken\",),\n}}\n"
        );
        return text;
    }
    text.push_str(
        "# countersign_keys.py, where Django can import it.\nfrom rest_framework_simplejwt.backends import TokenBackend\n\
         from rest_framework_simplejwt.settings import api_settings\nfrom rest_framework_simplejwt.tokens import AccessToken\n\n\n\
         def backend(algorithm, public_key):\n    \
         return TokenBackend(\n        algorithm, None, public_key, api_settings.AUDIENCE, api_settings.ISSUER, None, api_settings.LEEWAY,\n        \
         api_settings.JSON_ENCODER,\n    )\n",
    );
    let mut classes = Vec::new();
    if configured {
        classes.push("rest_framework_simplejwt.tokens.AccessToken".to_owned());
    }
    for (number, (kid, algorithm, pem)) in keys.iter().enumerate() {
        let class = format!("CountersignAccessToken{}", number + 1);
        let _ = write!(
            text,
            "\n\nclass {class}(AccessToken):\n    \"\"\"Signed with key {kid}.\"\"\"\n\n    \
             _token_backend = backend(\"{algorithm}\", \"\"\"{pem}\"\"\")\n"
        );
        classes.push(format!("countersign_keys.{class}"));
    }
    text.push_str("\n# In Django's settings.\nSIMPLE_JWT[\"AUTH_TOKEN_CLASSES\"] = (\n");
    for class in classes {
        let _ = writeln!(text, "    \"{class}\",");
    }
    text.push_str(")\n");
    text
}

fn refused(error: impl std::fmt::Display) -> CommandError {
    CommandError(error.to_string())
}
