//! `countersign demo`: a server, a database and a user within a second, and commands to try.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use countersign_formats::password::{Password, SaltEntropy};
use countersign_store::NewUser;

use crate::app::App;
use crate::config::{Config, Overrides};

#[derive(clap::Args)]
pub(super) struct DemoArgs {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "HOST:PORT")]
    bind: String,
    /// Where the database, the key and the configuration are kept.
    #[arg(long, default_value = "countersign-demo", value_name = "FOLDER")]
    folder: PathBuf,
}

const USERNAME: &str = "alice";

/// Makes what is missing, gives alice a fresh password, and serves.
pub(super) async fn demo(args: &DemoArgs) -> anyhow::Result<()> {
    let stop = super::serve::stop_signal()?;
    let config_file = prepare_folder(&args.folder)?;
    let mut overrides = Overrides::default();
    overrides.flags.push(("--bind", "bind", args.bind.clone()));
    let config = Config::load(Some(config_file.clone()), &overrides)?;
    let password = prepare_database(&config).await?;
    let app = Box::pin(App::build(config)).await?;
    let listener = app.bind().await?;
    let url = format!("http://{}", listener.local_addr()?);
    print!("{}", greeting(&url, &config_file, password.expose()));
    std::io::stdout().flush()?;
    // On a thread of the runtime, which goes on with each connection that it accepts; this one would hand each over.
    tokio::spawn(app.serve(listener, stop)).await?;
    Ok(())
}

/// The folder with a key of its own and a configuration, readable by its owner only.
fn prepare_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let config_file = folder.join("countersign.toml");
    if config_file.exists() {
        return Ok(config_file);
    }
    let key_file = folder.join("secret_key");
    if !key_file.exists() {
        write_private(&key_file, &random_text::<50>()?)?;
    }
    let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
    let database = toml::Value::String(format!("sqlite:///{}", folder.join("db.sqlite3").display())).to_string();
    let text = format!(
        "# Made by `countersign demo`. Serve it without the demo: countersign serve --config {}\n\
         secret_key_file = {}\ndatabase_url = {database}\nbind = \"127.0.0.1:8000\"\n\n\
         [simple_jwt]\nstrict = true\n[pruning]\ndjango_tables = true\n",
        config_file.display(),
        quoted(&key_file),
    );
    write_private(&config_file, &text)?;
    Ok(config_file)
}

/// Tables, and alice with a fresh password.
async fn prepare_database(config: &Config) -> anyhow::Result<Password> {
    let store = config.database.create().await?;
    store.migrate(&config.settings.apps, SystemClock.now()).await?;
    store.install_triggers(&store.user_field("id").await?).await?;
    let password = Password::new(random_text::<16>()?);
    let mut random = [0; 32];
    SystemEntropy.fill(&mut random)?;
    let encoded_password = config.settings.hashers.encode(&password, SaltEntropy::new(random))?;
    if let Some(user) = store.user_by_username(USERNAME).await? {
        store.set_password(&user.id, &encoded_password).await?;
    } else {
        let user = NewUser {
            username: USERNAME.to_owned(),
            encoded_password,
            is_active: true,
            date_joined: SystemClock.now(),
            ..NewUser::default()
        };
        store.create_user(user).await?;
    }
    store.close().await;
    Ok(password)
}

/// What the demo prints: each command stands alone and works when pasted.
fn greeting(url: &str, config_file: &Path, password: &str) -> String {
    let program = std::env::current_exe().map_or_else(|_| "countersign".to_owned(), |path| path.display().to_string());
    let login = format!("-d username={USERNAME} -d password={password}");
    let token = format!("$(curl -s {login} {url}/api-token-auth/ | cut -d'\"' -f4)");
    let refresh = format!("$(curl -s {login} {url}/api/token/ | cut -d'\"' -f4)");
    let access = format!("$(curl -s {login} {url}/api/token/ | cut -d'\"' -f8)");
    format!(
        "countersign listening on {url}\n\n\
         username: {USERNAME}\n\
         password: {password}\n\n\
         # log in for a DRF token\n\
         curl {login} {url}/api-token-auth/\n\
         # log in for a JWT pair\n\
         curl {login} {url}/api/token/\n\
         # call the protected resource with the DRF token\n\
         curl -H \"Authorization: Token {token}\" {url}/api/whoami/\n\
         # call the protected resource with the access token\n\
         curl -H \"Authorization: Bearer {access}\" {url}/api/whoami/\n\
         # refresh\n\
         curl -d \"refresh={refresh}\" {url}/api/token/refresh/\n\
         # verify\n\
         curl -i -d \"token={access}\" {url}/api/token/verify/\n\
         # get a 401\n\
         curl -i -H \"Authorization: Token nonsense\" {url}/api/whoami/\n\n\
         # the whole path as a table\n\
         {program} walkthrough --url {url} --username {USERNAME} --password {password}\n\n\
         configuration: {}\n\
         Ctrl-C stops the server.\n",
        config_file.display(),
    )
}

/// `N` random letters and digits.
fn random_text<const N: usize>() -> anyhow::Result<String> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(N);
    while text.len() < N {
        let mut byte = [0];
        SystemEntropy.fill(&mut byte)?;
        // 248 = 4 × 62: bytes beyond it would favour the first letters.
        if byte[0] < 248 {
            text.push(char::from(ALPHABET[usize::from(byte[0]) % ALPHABET.len()]));
        }
    }
    Ok(text)
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?; // also of a file that was there
    file.write_all(text.as_bytes())?;
    Ok(())
}
