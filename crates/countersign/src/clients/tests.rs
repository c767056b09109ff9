use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_formats::jwt::{HmacAlgorithm, HmacSecret, SigningKey};
use countersign_formats::request_body::Limits;
use countersign_store::{DatabaseUrl, InstalledApps, Store, StoreOptions};
use http::HeaderValue;

use super::*;

const FORM: Option<&[u8]> = Some(b"application/x-www-form-urlencoded");

/// An authority with a public client `app`, and `api`, which may introspect by either of two secrets.
async fn authority() -> Authority {
    let url = "sqlite::memory:".parse::<DatabaseUrl>().expect("an address");
    let store = Store::open(&url, StoreOptions::default()).await.expect("open");
    let now = "2025-06-15T15:06:40Z".parse().expect("an instant");
    store.migrate(&InstalledApps::default(), now).await.expect("migrated");
    let secret = HmacSecret::new("clients-secret-clients-secret-clients").expect("a secret");
    let mut settings = Settings::new(SigningKey::hmac(HmacAlgorithm::Hs256, &secret));
    let mut api = RegisteredClient::new("api");
    api.secrets = ["old:+% ", "new"].map(SecretDigest::of).to_vec();
    api.may_introspect = true;
    let mut app = RegisteredClient::new("app");
    app.access_lifetime = Some(SignedDuration::from_hours(2));
    app.refresh_lifetime = Some(SignedDuration::from_hours(24 * 90));
    settings.clients = vec![app, api];
    Authority::builder(store, settings).build().await.expect("built")
}

fn basic(pair: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = format!("basic {}", STANDARD.encode(pair));
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&value).expect("a header"));
    headers
}

#[tokio::test]
async fn a_client_proves_itself_in_one_way() {
    let authority = authority().await;
    let ask = |headers: &HeaderMap, body: &str, right| {
        let parameters = Parameters::parse(FORM, body.as_bytes(), &Limits::default()).expect("parameters");
        let known = authority.authenticate_client(headers, &parameters, right, Client::default());
        known.map(|known| known.id.clone()).map_err(|failure| (failure.status(), failure.oauth_error()))
    };
    let none = HeaderMap::new();
    let invalid = Err((401, Some("invalid_client")));
    let malformed = Err((400, Some("invalid_request")));
    let mut twice = basic("api:new");
    twice.append(AUTHORIZATION, twice[AUTHORIZATION].clone());
    let mut bearer = HeaderMap::new();
    bearer.insert(AUTHORIZATION, HeaderValue::from_static("Bearer api"));
    let api = || Ok("api".to_owned());
    for (headers, body, expected) in [
        (&none, "client_id=api&client_secret=new", api()),
        (&none, "client_id=api&client_secret=old%3A%2B%25+", api()),
        (&basic("api:new"), "", api()),
        (&basic("%61pi:old%3A%2B%25+"), "", api()),
        (&basic("api:old:%2b% "), "", api()), // RFC 6749 §2.3.1 halves, as many clients send them
        (&basic("api:new"), "client_id=api", api()),
        (&basic("api:new"), "client_id=app", malformed.clone()),
        (&basic("api:new"), "client_id=api&client_secret=new", malformed.clone()),
        (&basic("api:new"), "client_secret=new", malformed.clone()),
        (&bearer, "client_id=api&client_secret=new", malformed.clone()),
        (&bearer, "", invalid.clone()),
        (&twice, "", invalid.clone()),
        (&none, "", invalid.clone()),
        (&none, "client_id=api", invalid.clone()),
        (&none, "client_secret=new", invalid.clone()),
        (&none, "client_id=api&client_secret=", invalid.clone()),
        (&none, "client_id=api&client_secret=New", invalid.clone()),
        (&none, "client_id=API&client_secret=new", invalid.clone()),
        (&none, "client_id=nobody&client_secret=new", invalid.clone()),
        (&none, "client_id=app&client_secret=new", invalid.clone()), // a public client proves nothing
        (&basic("app:"), "", invalid.clone()),
        (&basic("api:"), "", invalid.clone()),
        (&basic("api"), "", invalid.clone()),
    ] {
        assert_eq!(ask(headers, body, ClientRight::Introspect), expected, "{headers:?} {body}");
    }
    let refused = Err((400, Some("unauthorized_client")));
    assert_eq!(ask(&basic("api:new"), "", ClientRight::Revoke), refused);
}

#[tokio::test]
async fn a_login_is_for_a_client_that_is_known() {
    let authority = authority().await;
    let named = |id, secret| {
        let named = authority.named_client(id, secret, Client::default());
        named.map(|client| client.map(|client| client.id.clone())).map_err(|failure| failure.oauth_error())
    };
    let refused = Err(Some("invalid_client"));
    assert_eq!(named(None, None), Ok(None));
    assert_eq!(named(Some("app"), None), Ok(Some("app".to_owned())));
    assert_eq!(named(Some("api"), Some("new")), Ok(Some("api".to_owned())));
    assert_eq!(named(Some("api"), None), refused, "one with a secret shows it");
    assert_eq!(named(Some("app"), Some("new")), refused, "a public client has none");
    assert_eq!(named(Some("nobody"), None), refused);
    assert_eq!(named(None, Some("new")), refused);
}

#[tokio::test]
async fn marks_outlive_the_longest_token_of_any_client() {
    let authority = authority().await;
    let settings = authority.settings();
    assert_eq!(settings.longest_access(), SignedDuration::from_secs(7201));
    assert_eq!(settings.longest_lifetime(), SignedDuration::from_hours(24 * 90));
    let everybody = settings.lifetimes_for(Some("api"));
    assert_eq!(everybody, settings.lifetimes_for(None));
    assert_eq!(everybody.access, SignedDuration::from_mins(5));
    assert_eq!(settings.lifetimes_for(Some("app")).sliding, SignedDuration::from_hours(2));
}

#[test]
fn s2_debug_shows_no_digest() {
    let mut client = RegisteredClient::new("api");
    client.secrets = vec![SecretDigest::of("secret")];
    let shown = format!("{client:?}");
    assert!(shown.contains("SecretDigest(..)") && !shown.contains("2bb80d"), "{shown}");
}
