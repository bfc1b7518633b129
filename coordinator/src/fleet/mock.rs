//! The built-in mock upstream as a child process, so that the first command works without a gateway.

use url::Url;

use super::child::{Child, ChildError};

/// A running mock.
#[derive(Debug)]
pub struct Mock {
    child: Child,
    url: Url,
}

impl Mock {
    /// Starts a mock that answers after 10 ms: slow enough that the first run measures a calm machine.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start() -> Result<Self, ChildError> {
        let arguments = ["mock", "--listen", "127.0.0.1:0", "--latency", "10ms", "--exit-with-stdin"];
        let mut child = Child::start(&arguments, "", None).await?;
        let address = child.address().await?;
        let url =
            Url::parse(&format!("http://{address}")).map_err(|_| ChildError::Silent { program: "mock" })?;
        Ok(Self { child, url })
    }

    /// Where it listens.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Ends it.
    pub async fn end(self) {
        self.child.end().await;
    }
}
