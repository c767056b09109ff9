//! The `countersign` program: routes, configuration and command line around the `countersign` library.
//!
//! A request crosses `routes` (the path), `view` (DRF's request cycle) and `endpoints` (the work); every decision and every
//! client-visible refusal is made in the library.

mod app;
mod cli;
mod client;
mod config;
mod database;
mod endpoints;
mod head_timer;
mod jwk_url;
mod ladder;
mod location;
mod oauth;
mod pages;
mod probes;
mod pruning;
mod published;
mod routes;
mod security_headers;
mod site;
mod view;
mod walkthrough;

pub use app::App;
pub use cli::run;
pub use client::TrustedProxies;
pub use config::{Config, ConfigError};
pub use site::Site;
