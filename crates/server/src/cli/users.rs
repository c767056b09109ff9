//! `countersign createsuperuser` and `countersign changepassword`, with Django's prompts and messages.

use std::io::{IsTerminal as _, stdin};
use std::process::ExitCode;

use countersign::audit::{About, Event};
use countersign::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use countersign_formats::password::{Password, SaltEntropy, UnusableEntropy, unusable};
use countersign_formats::password_validation::UserAttributes;
use countersign_formats::user_fields::{
    FieldError, normalize_email, normalize_username, validate_email, validate_username,
};
use countersign_store::{NewUser, Store};

use super::CommandError;
use super::events::tell;
use super::prompt::{ask, ask_password, system_user};
use crate::config::Config;

#[derive(clap::Args)]
pub(super) struct CreateSuperuserArgs {
    /// The user name.
    #[arg(long)]
    username: Option<String>,
    /// The e-mail address.
    #[arg(long)]
    email: Option<String>,
    /// Ask nothing: name, address and password come from the flags and from `DJANGO_SUPERUSER_USERNAME`,
    /// `DJANGO_SUPERUSER_EMAIL` and `DJANGO_SUPERUSER_PASSWORD`.
    #[arg(long, visible_alias = "no-input")]
    noinput: bool,
    /// Django's name of the database; there is one.
    #[arg(long, default_value = "default", value_parser = ["default"])]
    database: String,
    /// 0 prints nothing on success.
    #[arg(long, short, default_value_t = 1)]
    verbosity: u8,
}

/// What a superuser is made of.
struct Account {
    username: String,
    email: String,
    /// `None` makes an unusable password.
    password: Option<Password>,
}

/// Django 5.2 `createsuperuser`.
pub(super) async fn create_superuser(config: &Config, args: &CreateSuperuserArgs) -> anyhow::Result<ExitCode> {
    let store = config.database.open_with_users().await?;
    let account = if args.noinput {
        from_environment(&store, args).await?
    } else if stdin().is_terminal() {
        interactively(config, &store, args).await?
    } else {
        println!(
            "Superuser creation skipped due to not running in a TTY. You can run `countersign createsuperuser` to create \
             one manually."
        );
        return Ok(ExitCode::SUCCESS);
    };
    let encoded_password = if let Some(password) = &account.password {
        config.settings.hashers.encode(password, salt()?)?
    } else {
        let mut random = [0; 48];
        SystemEntropy.fill(&mut random)?;
        unusable(UnusableEntropy::new(random))
    };
    let user = NewUser {
        username: normalize_username(&account.username),
        email: normalize_email(&account.email),
        encoded_password,
        is_active: true,
        is_staff: true,
        is_superuser: true,
        date_joined: SystemClock.now(),
        ..NewUser::default()
    };
    let (name, is_superuser) = (user.username.clone(), user.is_superuser);
    let id = store.create_user(user).await?;
    tell(config, &store, &Event::UserCreated { is_superuser }, &About::default().user(&id).account(&name)).await?;
    store.close().await;
    if args.verbosity >= 1 {
        println!("Superuser created successfully.");
    }
    Ok(ExitCode::SUCCESS)
}

async fn from_environment(store: &Store, args: &CreateSuperuserArgs) -> anyhow::Result<Account> {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(username) = args.username.clone().or_else(|| variable("DJANGO_SUPERUSER_USERNAME")) else {
        return Err(CommandError("You must use --username with --noinput.".to_owned()).into());
    };
    if let Some(problem) = username_problem(store, &username).await? {
        return Err(CommandError(problem).into());
    }
    let given = [args.email.clone(), variable("DJANGO_SUPERUSER_EMAIL")];
    let email = match given.iter().flatten().find(|email| !email.is_empty()) {
        Some(email) => email.clone(),
        // An address given as empty is none; one not given at all is asked for.
        None if given.iter().any(Option::is_some) => String::new(),
        None => return Err(CommandError("You must use --email with --noinput.".to_owned()).into()),
    };
    if !email.is_empty()
        && let Some(problem) = sentence(&validate_email(&email))
    {
        return Err(CommandError(problem).into());
    }
    Ok(Account { username, email, password: variable("DJANGO_SUPERUSER_PASSWORD").map(Password::new) })
}

async fn interactively(config: &Config, store: &Store, args: &CreateSuperuserArgs) -> anyhow::Result<Account> {
    let username = match args.username.as_deref() {
        Some("") => return Err(CommandError("Username cannot be blank.".to_owned()).into()),
        Some(given) => match username_problem(store, given).await? {
            None => given.to_owned(),
            Some(problem) => {
                eprintln!("{problem}");
                ask_username(store).await?
            }
        },
        None => ask_username(store).await?,
    };
    let email = match &args.email {
        Some(given) => {
            if !given.is_empty()
                && let Some(problem) = sentence(&validate_email(given))
            {
                return Err(CommandError(problem).into());
            }
            given.clone()
        }
        None => loop {
            let given = ask("Email address: ")?;
            match sentence(&validate_email(&given)) {
                _ if given.is_empty() => break given, // an address may be blank
                None => break given,
                Some(problem) => eprintln!("Error: {problem}"),
            }
        },
    };
    let attributes = UserAttributes { username: &username, email: &email, ..UserAttributes::default() };
    loop {
        let password = ask_password("Password: ")?;
        let again = ask_password("Password (again): ")?;
        if password.expose() != again.expose() {
            eprintln!("Error: Your passwords didn't match.");
            continue;
        }
        if password.expose().trim().is_empty() {
            eprintln!("Error: Blank passwords aren't allowed.");
            continue;
        }
        let problems = config.password_validators.validate(&password, &attributes);
        if !problems.is_empty() {
            for problem in &problems {
                eprintln!("{}", problem.message);
            }
            let answer = ask("Bypass password validation and create user anyway? [y/N]: ")?;
            if !answer.eq_ignore_ascii_case("y") {
                continue;
            }
        }
        return Ok(Account { username, email, password: Some(password) });
    }
}

/// Asks until a name fits and is free. The system user's name is offered when it is free.
async fn ask_username(store: &Store) -> anyhow::Result<String> {
    let offered = match system_user().map(|name| name.replace(' ', "").to_lowercase()) {
        Some(name) if validate_username(&name).is_empty() && store.user_by_username(&name).await?.is_none() => {
            Some(name)
        }
        _ => None,
    };
    let question = match &offered {
        Some(name) => format!("Username (leave blank to use '{name}'): "),
        None => "Username: ".to_owned(),
    };
    loop {
        let mut username = ask(&question)?;
        if username.is_empty()
            && let Some(name) = &offered
        {
            username.clone_from(name);
        }
        if let Some(problem) = sentence(&validate_username(&username)) {
            eprintln!("Error: {problem}");
            continue;
        }
        match username_problem(store, &username).await? {
            None => return Ok(username),
            Some(problem) => eprintln!("{problem}"),
        }
    }
}

/// Why a name cannot be had: taken, blank, or not of the right characters. Django 5.2 `Command._validate_username`.
async fn username_problem(store: &Store, username: &str) -> anyhow::Result<Option<String>> {
    if store.user_by_username(username).await?.is_some() {
        return Ok(Some("Error: That username is already taken.".to_owned()));
    }
    if username.is_empty() {
        return Ok(Some("Username cannot be blank.".to_owned()));
    }
    Ok(sentence(&validate_username(username)))
}

/// Django's sentences in one line; `None` when nothing is wrong.
fn sentence(problems: &[FieldError]) -> Option<String> {
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    (!messages.is_empty()).then(|| messages.join("; "))
}

/// Django 5.2 `changepassword`.
pub(super) async fn change_password(config: &Config, username: Option<String>) -> anyhow::Result<()> {
    const TRIES: usize = 3;

    let store = config.database.open_with_users().await?;
    let username = username
        .or_else(system_user)
        .ok_or_else(|| CommandError("this process has no user name; name the user".to_owned()))?;
    let Some(user) = store.user_by_username(&username).await? else {
        return Err(CommandError(format!("user '{username}' does not exist")).into());
    };
    let profile = store.user_profile(&user.id).await?;
    let attributes = match &profile {
        Some(profile) => UserAttributes {
            username: &username,
            first_name: &profile.first_name,
            last_name: &profile.last_name,
            email: &profile.email,
        },
        None => UserAttributes { username: &username, ..UserAttributes::default() },
    };
    println!("Changing password for user '{username}'");
    for _ in 0..TRIES {
        let password = ask_some_password("Password: ")?;
        let again = ask_some_password("Password (again): ")?;
        if password.expose() != again.expose() {
            println!("Passwords do not match. Please try again.");
            continue;
        }
        let problems = config.password_validators.validate(&password, &attributes);
        if problems.is_empty() {
            store.set_password(&user.id, &config.settings.hashers.encode(&password, salt()?)?).await?;
            let about = About::default().user(&user.id).account(&user.username);
            tell(config, &store, &Event::PasswordChanged { by: "command" }, &about).await?;
            store.close().await;
            println!("Password changed successfully for user '{username}'");
            return Ok(());
        }
        for problem in &problems {
            eprintln!("{}", problem.message);
        }
    }
    Err(CommandError(format!("Aborting password change for user '{username}' after {TRIES} attempts")).into())
}

/// A password that is not empty; an empty one ends the command.
fn ask_some_password(question: &str) -> anyhow::Result<Password> {
    let password = ask_password(question)?;
    if password.expose().is_empty() {
        return Err(CommandError("aborted".to_owned()).into());
    }
    Ok(password)
}

fn salt() -> anyhow::Result<SaltEntropy> {
    let mut random = [0; 32];
    SystemEntropy.fill(&mut random)?;
    Ok(SaltEntropy::new(random))
}
