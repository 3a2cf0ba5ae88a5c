//! Creates a client of the sandbox.

use super::{builder::JPushBuilder, credentials::Credentials};
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Returns a builder of a client of this sandbox, with credentials that it accepts. The client sends every documented proof,
    /// although those contain bytes that [`JPushBuilder::proof_bytes`] does not allow by default.
    ///
    /// ```
    /// use tower_jverify::{Check, Sandbox};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let jpush = Sandbox::new().client().build()?;
    /// let verdict = jpush.ask(Check::captcha("sandbox-pass-scene-注册")).await?;
    /// assert_eq!(verdict.scene(), Some("注册"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn client(&self) -> JPushBuilder<Self> {
        let credentials = match self.expected() {
            Some((app_key, master_secret)) => Credentials::new(app_key, master_secret.clone()),
            None => Credentials::new("sandbox", "sandbox"),
        };
        JPushBuilder::https(credentials).transport(self.clone())
    }
}
