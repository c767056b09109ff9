//! The endpoints that `bench/run` measures, written by hand as one usually finds them: axum's router and extractors, an sqlx
//! pool, jsonwebtoken, password hashes on tokio's blocking threads. It reads Django's tables and knows nothing of Countersign.

use std::str::FromStr as _;
use std::sync::Arc;

use argon2::{Argon2, PasswordHash, PasswordVerifier as _};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header::AUTHORIZATION};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

struct App {
    pool: PgPool,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    token_type: String,
    exp: i64,
    iat: i64,
    jti: String,
    user_id: String,
}

enum Failure {
    Unauthorized,
    Internal,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
        };
        (status, Json(json!({ "detail": detail }))).into_response()
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        eprintln!("{error}");
        Self::Internal
    }
}

impl App {
    fn claims(&self, token: &str, kind: &str) -> Result<Claims, Failure> {
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .ok()
            .map(|data| data.claims)
            .filter(|claims| claims.token_type == kind)
            .ok_or(Failure::Unauthorized)
    }

    fn sign(&self, kind: &str, user: &str, lifetime: Duration) -> Result<(String, Claims), Failure> {
        let now = Utc::now();
        let claims = Claims {
            token_type: kind.to_owned(),
            exp: (now + lifetime).timestamp(),
            iat: now.timestamp(),
            jti: uuid::Uuid::new_v4().simple().to_string(),
            user_id: user.to_owned(),
        };
        let token =
            jsonwebtoken::encode(&Header::default(), &claims, &self.encoding).map_err(|_| Failure::Internal)?;
        Ok((token, claims))
    }

    fn access(&self, user: &str) -> Result<String, Failure> {
        Ok(self.sign("access", user, Duration::minutes(5))?.0)
    }
}

/// The user of a DRF token or of a JWT, as found in the database.
#[derive(sqlx::FromRow)]
struct User {
    id: i32,
    username: String,
    is_active: bool,
}

struct Authenticated {
    user: User,
    scheme: &'static str,
}

fn credentials(parts: &Parts) -> Result<(&str, &str), Failure> {
    parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' ')).ok_or(Failure::Unauthorized)
}

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let (user, scheme) = match credentials(parts)? {
            ("Token", key) => (
                sqlx::query_as::<_, User>(
                    "SELECT u.id, u.username, u.is_active FROM authtoken_token t JOIN auth_user u ON u.id = t.user_id
                     WHERE t.key = $1",
                )
                .bind(key)
                .fetch_optional(&app.pool)
                .await?,
                "token",
            ),
            ("Bearer", token) => {
                let id: i32 = app.claims(token, "access")?.user_id.parse().map_err(|_| Failure::Unauthorized)?;
                (
                    sqlx::query_as::<_, User>("SELECT id, username, is_active FROM auth_user WHERE id = $1")
                        .bind(id)
                        .fetch_optional(&app.pool)
                        .await?,
                    "jwt",
                )
            }
            _ => return Err(Failure::Unauthorized),
        };
        let user = user.filter(|user| user.is_active).ok_or(Failure::Unauthorized)?;
        Ok(Self { user, scheme })
    }
}

struct Stateless(Claims);

impl FromRequestParts<Arc<App>> for Stateless {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let ("Bearer", token) = credentials(parts)? else { return Err(Failure::Unauthorized) };
        app.claims(token, "access").map(Self)
    }
}

async fn whoami(Authenticated { user, scheme }: Authenticated) -> impl IntoResponse {
    Json(json!({ "user_id": user.id, "username": user.username, "auth": scheme }))
}

async fn stateless(Stateless(claims): Stateless) -> impl IntoResponse {
    Json(json!({ "user_id": claims.user_id, "username": "", "auth": "jwt_stateless" }))
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

async fn login(State(app): State<Arc<App>>, Json(body): Json<Credentials>) -> Result<impl IntoResponse, Failure> {
    let (id, hash): (i32, String) =
        sqlx::query_as("SELECT id, password FROM auth_user WHERE username = $1 AND is_active")
            .bind(&body.username)
            .fetch_optional(&app.pool)
            .await?
            .ok_or(Failure::Unauthorized)?;
    let right = tokio::task::spawn_blocking(move || verifies(&body.password, &hash)).await.map_err(|_| Failure::Internal)?;
    if !right {
        return Err(Failure::Unauthorized);
    }
    let user = id.to_string();
    let (refresh, claims) = app.sign("refresh", &user, Duration::days(1))?;
    record(&app.pool, &refresh, &claims).await?;
    Ok(Json(json!({ "refresh": refresh, "access": app.access(&user)? })))
}

/// Django's two usual forms: `pbkdf2_sha256$rounds$salt$hash` and `argon2$argon2id$…`.
fn verifies(password: &str, hash: &str) -> bool {
    if let Some(argon2) = hash.strip_prefix("argon2") {
        return PasswordHash::new(argon2)
            .is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok());
    }
    let fields: Vec<&str> = hash.split('$').collect();
    let ["pbkdf2_sha256", rounds, salt, expected] = fields[..] else { return false };
    let Ok(rounds) = rounds.parse() else { return false };
    let mut made = [0; 32];
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.as_bytes(), salt.as_bytes(), rounds, &mut made);
    BASE64_STANDARD.encode(made) == expected
}

async fn record<'a>(to: impl sqlx::PgExecutor<'a>, token: &str, claims: &Claims) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(token)
    .bind(Utc::now())
    .bind(DateTime::from_timestamp(claims.exp, 0))
    .bind(claims.user_id.parse::<i32>().ok())
    .bind(&claims.jti)
    .execute(to)
    .await
    .map(|_| ())
}

#[derive(Deserialize)]
struct Refresh {
    refresh: String,
}

/// Rotation: the old token is blacklisted and a new one recorded, in one transaction.
async fn refresh(State(app): State<Arc<App>>, Json(body): Json<Refresh>) -> Result<impl IntoResponse, Failure> {
    let old = app.claims(&body.refresh, "refresh")?;
    let mut transaction = app.pool.begin().await?;
    let (id, active): (i64, bool) = sqlx::query_as(
        "SELECT o.id, u.is_active FROM token_blacklist_outstandingtoken o JOIN auth_user u ON u.id = o.user_id
         WHERE o.jti = $1",
    )
    .bind(&old.jti)
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or(Failure::Unauthorized)?;
    let spent = sqlx::query(
        "INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(Utc::now())
    .execute(&mut *transaction)
    .await?;
    if !active || spent.rows_affected() == 0 {
        return Err(Failure::Unauthorized);
    }
    let (refresh, claims) = app.sign("refresh", &old.user_id, Duration::days(1))?;
    record(&mut *transaction, &refresh, &claims).await?;
    transaction.commit().await?;
    Ok(Json(json!({ "refresh": refresh, "access": app.access(&old.user_id)? })))
}

#[derive(Deserialize)]
struct Verify {
    token: String,
}

async fn verify(State(app): State<Arc<App>>, Json(body): Json<Verify>) -> Result<impl IntoResponse, Failure> {
    let claims = jsonwebtoken::decode::<Claims>(&body.token, &app.decoding, &app.validation)
        .map_err(|_| Failure::Unauthorized)?
        .claims;
    let (spent,): (bool,) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM token_blacklist_blacklistedtoken b
         JOIN token_blacklist_outstandingtoken o ON o.id = b.token_id WHERE o.jti = $1)",
    )
    .bind(&claims.jti)
    .fetch_one(&app.pool)
    .await?;
    if spent { Err(Failure::Unauthorized) } else { Ok(Json(json!({}))) }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = PgConnectOptions::from_str(&std::env::var("DATABASE_URL")?)?;
    let pool = PgPoolOptions::new().connect_with(options).await?;
    let secret = std::env::var("SECRET_KEY")?;
    let app = Arc::new(App {
        pool,
        encoding: EncodingKey::from_secret(secret.as_bytes()),
        decoding: DecodingKey::from_secret(secret.as_bytes()),
        validation: Validation::new(Algorithm::HS256),
    });
    let router = Router::new()
        .route("/api/whoami/", get(whoami))
        .route("/stateless/", get(stateless))
        .route("/api/token/", post(login))
        .route("/api/token/refresh/", post(refresh))
        .route("/api/token/verify/", post(verify))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
