//! The gRPC examples, and a gRPC client in Python.

use std::{env, net::SocketAddr, path::Path, process::Command};

use tonic::transport::{Server, server::TcpIncoming};

use super::{LOGIN, LoginRequest, unary};
use crate::{
    examples::{Example, command},
    grpc::calls::Accounts,
};

fn login(token: &str) -> LoginRequest {
    LoginRequest { token: token.into(), phone: "13800000000".into(), devices: vec!["one".into()] }
}

/// A tonic server without the layer.
fn backend() -> (SocketAddr, Accounts) {
    let accounts = Accounts::default();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    tokio::spawn(Server::builder().add_service(accounts.clone()).serve_with_incoming(incoming));
    (address, accounts)
}

#[tokio::test]
async fn the_proxy_guards_a_backend_of_tonic() {
    let (address, accounts) = backend();
    let proxy = Example::proxy_to(address);
    unary(proxy.address, LOGIN, login("sandbox-9000")).await.unwrap();
    assert_eq!(*accounts.0.lock().unwrap(), [login("sandbox-9000")]);
    let refused = unary(proxy.address, LOGIN, login("sandbox-9001")).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    // Not guarded, and not known: the backend's own answer comes back.
    let unknown = unary(proxy.address, "/accounts.Accounts/Logout", login("sandbox-9001")).await.unwrap_err();
    assert_eq!((unknown.code(), unknown.message()), (tonic::Code::Unimplemented, "no such rpc"));
    assert_eq!(accounts.0.lock().unwrap().len(), 1);
}

#[test]
fn the_client_logs_in() {
    let server = Example::sandboxed("tonic_login");
    let url = format!("http://{}", server.address);
    for (token, said) in
        [("sandbox-9000", r#""phone":"138****0000""#), ("sandbox-9001", "PermissionDenied: verification_failed: ")]
    {
        let output = command("tonic_client", &[token, "13800000000", &url], &[]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && printed.contains(said), "{token}: {printed}");
    }
}

/// Python's `grpcio`: `JVERIFY_GRPC_PYTHON` names an interpreter that has it, else `target/grpcio/bin/python`, else `python3`.
#[test]
fn a_client_of_python_logs_in() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/grpcio/bin/python");
    let python = env::var_os("JVERIFY_GRPC_PYTHON")
        .unwrap_or_else(|| if ours.exists() { ours.into_os_string() } else { "python3".into() });
    let has_grpcio = Command::new(&python).args(["-c", "import grpc, grpc_status"]).output();
    if !has_grpcio.is_ok_and(|output| output.status.success()) {
        assert!(env::var_os("CI").is_none(), "the CI has a Python with grpcio and grpcio-status");
        eprintln!(
            "NOT TESTED: {} has no grpcio or no grpcio-status; `pip install grpcio-status` there",
            python.display()
        );
        return;
    }
    let server = Example::sandboxed("tonic_login");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/grpc_client.py");
    let output = Command::new(&python).arg(script).arg(server.address.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("9 calls as expected"));
}
