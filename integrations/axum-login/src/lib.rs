//! An application whose users log in with their number, and then have a session of `axum-login`: see docs/integrations.md.

use std::{
    collections::HashMap,
    convert::Infallible,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, http::StatusCode, routing::post};
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend, UserId};
use tower::{Service, ServiceBuilder};
use tower_jverify::{Check, ConfigError, JVerifyLayer, Phone, Rule, Verdict, Verified, number};
use tower_sessions::{MemoryStore, SessionManagerLayer};

/// The account of a phone. Its `Debug` appears in the log of `axum-login` at DEBUG, so it has no phone.
#[derive(Clone, Debug)]
pub struct User {
    id: u64,
    /// Sessions end if it changes.
    generation: [u8; 1],
}

impl AuthUser for User {
    type Id = u64;

    fn id(&self) -> u64 {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.generation
    }
}

/// The accounts by their phones. An application keeps them in its database.
#[derive(Clone, Default)]
pub struct Accounts(Arc<Mutex<HashMap<Phone, User>>>);

impl AuthnBackend for Accounts {
    type User = User;
    /// A proven phone.
    type Credentials = Phone;
    type Error = Infallible;

    /// Registers a phone that has no account.
    async fn authenticate(&self, phone: Phone) -> Result<Option<User>, Infallible> {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = User { id: users.len() as u64 + 1, generation: [0] };
        Ok(Some(users.entry(phone).or_insert(next).clone()))
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<User>, Infallible> {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(users.values().find(|user| user.id == *id).cloned())
    }
}

type Session = axum_login::AuthSession<Accounts>;

/// The sessions are outside of the layer, so that `guard_unless` reads what their store knows, and no cookie.
///
/// # Errors
///
/// If the rules cannot hold.
pub fn application<V>(verifier: V) -> Result<Router, ConfigError>
where
    V: Service<Check, Response = Verdict> + Clone + Send + Sync + 'static,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
    V::Future: Send,
{
    let has_session = |head: &axum::http::request::Parts| {
        head.extensions.get::<Session>().is_some_and(|session| session.user.is_some())
    };
    let layer = JVerifyLayer::builder(verifier)
        .rule(Rule::post("/login", number()))
        .rule(Rule::post("/profile", number()).guard_unless(has_session))
        .build()?;
    // An example without TLS: a browser sends a secure cookie over HTTPS alone.
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    let sessions = AuthManagerLayerBuilder::new(Accounts::default(), sessions).build();
    Ok(Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/profile", post(profile))
        .layer(ServiceBuilder::new().layer(sessions).layer(layer)))
}

/// Runs for verified requests only.
async fn login(verified: Verified, mut session: Session) -> Result<String, StatusCode> {
    let phone = verified.phone().ok_or(StatusCode::FORBIDDEN)?;
    let Ok(Some(user)) = session.authenticate(phone).await else { return Err(StatusCode::INTERNAL_SERVER_ERROR) };
    session.login(&user).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(format!("account {}", user.id))
}

async fn logout(mut session: Session) -> Result<(), StatusCode> {
    session.logout().await.map(drop).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// The account by its session, or by a proof alone.
async fn profile(verified: Option<Verified>, session: Session) -> Result<String, StatusCode> {
    match (session.user, verified.and_then(|verified| verified.phone())) {
        (Some(user), None) => Ok(format!("account {} by its session", user.id)),
        (None, Some(phone)) => Ok(format!("{} by a proof", phone.masked())),
        _ => Err(StatusCode::FORBIDDEN),
    }
}
