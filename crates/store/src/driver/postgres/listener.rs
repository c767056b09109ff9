//! A connection that listens: whoever holds it is told when something is notified, and reads over it. One connection for both, so
//! that whoever reads without an error has missed no notification, and a server that changed behind a lost connection is noticed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::connection::{Connection, Connector};
use super::refuse_nul;
use crate::StoreError;
use crate::value::Value;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Listener {
    connector: Arc<Connector>,
    channel: &'static str,
    connection: Option<Connection>,
    heard: Arc<Notify>,
}

impl Listener {
    pub(super) fn new(connector: Arc<Connector>, channel: &'static str) -> Self {
        Self { connector, channel, connection: None, heard: Arc::default() }
    }

    /// Makes the connection, in place of one that may be there.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub(crate) async fn connect(&mut self) -> Result<(), StoreError> {
        self.connection = None;
        let (connection, carrier) = self.connector.connect_hearing(Some(&self.heard)).await?;
        let heard = Arc::clone(&self.heard);
        tokio::spawn(async move {
            if let Err(lost) = carrier.await {
                tracing::warn!(error = %super::error(lost), "the connection that listens to the database was lost");
            }
            // Whoever waits is to notice at once.
            heard.notify_one();
        });
        // Behind PgBouncer the next statement may come to another server connection, which listens to nothing.
        if self.connector.keeps_state() {
            connection.script(&format!("LISTEN {}", self.channel)).await?;
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// The rows of one statement.
    ///
    /// # Errors
    /// If there is no connection, or it broke.
    pub(crate) async fn rows(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        refuse_nul(values)?;
        match &self.connection {
            Some(connection) => connection.rows(statement, values).await,
            None => Err(StoreError::Unavailable { cause: Arc::new(NotConnected) }),
        }
    }

    /// Whether there is a connection, unbroken since the last statement.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| !connection.is_closed())
    }

    /// Gives the connection up.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Waits for a notification, or for `longest`.
    pub(crate) async fn heard(&self, longest: Duration) {
        // A time out means that nothing was heard.
        let _ = tokio::time::timeout(longest, self.heard.notified()).await;
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection that listens to the database was lost")]
struct NotConnected;
