//! The yardstick of `bench/run`: an axum server whose one handler does nothing.
//!
//! It answers the whoami document of one fixed user, so that the bytes on the wire weigh the same,
//! and prints its address in the words of `countersign serve`.

use std::io::Write as _;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let whoami =
        || async { ([(CONTENT_TYPE, "application/json")], r#"{"user_id":1,"username":"user0","auth":"token"}"#) };
    let app = Router::new().route("/api/whoami/", get(whoami));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "empty axum listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    drop(out);
    axum::serve(listener, app).await
}
