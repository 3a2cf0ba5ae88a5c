//! TLS and passwords.

use std::{env, fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tower_jverify::{DenialReason, RedisBuilder, Secret, StorePolicy};

use super::{Instance, builder};
use crate::support::{
    Verifier,
    redis_server::{PASSWORD, Server},
};

/// A server that speaks TLS on another port and asks for a password, and the root of its certificate.
struct Encrypted {
    server: Server,
    port: u16,
    root: String,
    folder: PathBuf,
}

impl Encrypted {
    fn start() -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = env::temp_dir().join(format!("jverify-redis-tls-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        let issuer = Issuer::new(root, root_key);
        let leaf = CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &issuer).unwrap();
        let file = |name: &str, text: &str| {
            fs::write(folder.join(name), text).unwrap();
            folder.join(name).display().to_string()
        };
        let (root, leaf, key) =
            (file("root.pem", &root_pem), file("leaf.pem", &leaf.pem()), file("key.pem", &key.serialize_pem()));
        let server = Server::start_with(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &leaf,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &root,
            "--tls-auth-clients",
            "no",
            "--requirepass",
            PASSWORD,
        ])?;
        Some(Self { server, port, root: root_pem, folder })
    }

    fn builder(&self) -> RedisBuilder {
        builder(&format!("rediss://localhost:{}", self.port))
    }

    async fn login(&self, redis: RedisBuilder, token: &str) -> Result<(), DenialReason> {
        let refuse = |guards: tower_jverify::GuardsBuilder| guards.store_policy(StorePolicy::Refuse);
        Instance::of(Verifier::passing(), redis, refuse).login(token, 1).await
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn redis_is_reached_over_tls_with_a_password_and_not_without_either() {
    let Some(encrypted) = Encrypted::start() else { return };
    let trusted = || encrypted.builder().extra_root_pem(encrypted.root.clone());
    let password = || Secret::from(PASSWORD);
    assert_eq!(encrypted.login(trusted().auth(None, password()), "one").await, Ok(()));
    let refused = [
        trusted(),
        trusted().auth(None, Secret::from("a wrong password")),
        encrypted.builder().auth(None, password()),
        // Its certificate is for `localhost`.
        builder(&format!("rediss://127.0.0.1:{}", encrypted.port))
            .extra_root_pem(encrypted.root.clone())
            .auth(None, password()),
        // The port without TLS.
        builder(&format!("rediss://localhost:{}", encrypted.server.port))
            .extra_root_pem(encrypted.root.clone())
            .auth(None, password()),
    ];
    for (number, redis) in refused.into_iter().enumerate() {
        let login = encrypted.login(redis, &format!("refused {number}")).await;
        assert_eq!(login, Err(DenialReason::StoreDown), "{number}");
    }
    // In the URL, and over the port without TLS.
    let plain = builder(&format!("redis://default:{PASSWORD}@127.0.0.1:{}", encrypted.server.port));
    assert_eq!(encrypted.login(plain, "two").await, Ok(()));
}
