//! A backend of another language: `foreign_backend()`.

use tower_jverify::{ForeignBackend, Rule, captcha, number};

use crate::support::{Application, LOGIN, Verifier, builder, code, post_json, send};

const FOREIGN: [&str; 60] = [
    "/login.json",
    "/login.tar.gz",
    "/LOGIN.JSON",
    "/login.php/x",
    "/login.php/x/y.html",
    "/index.php/login",
    "/index.php/login.json",
    "/app/index.php/login",
    "/v1.2/index.php/login",
    "/login.",
    "/login..",
    "/%6cogin.json",
    "/x/../login.json",
    "/login.;x/y",
    "/login%3f",
    "/login%23x",
    "/login/index.php",
    "/login/index.html",
    "/login/default.aspx",
    "/login::$DATA",
    "/login/index",
    "/login/Index",
    "/login/index/x/y",
    "/index/login",
    "//h/login",
    "///h/login",
    "/\\h/login",
    "//h//%6Cogin",
    "/%5Ch/login",
    "/%5ch%5clogin",
    "/%2fh/login",
    "//h%2flogin",
    "//h%5clogin",
    "/%09/h/login",
    "/%00%2fh%2Flogin",
    "/%5Ch/x/../login.json",
    "/(S(abc))/login",
    "/(S(abc))login",
    "/x/public;p=1/login",
    "/(A(ab)F(cd))/login",
    "/lo/(S(x))gin",
    "/login!input",
    "/login.action",
    "/login,1",
    "/login~1",
    "/login'",
    "/login*",
    "/login&x=1",
    "/public/login",
    "/VirtualHostRoot/login",
    "/VirtualHostBase/http/a:80/VirtualHostRoot/login",
    "/VirtualHostRoot/_vh_x/login",
    "/VirtualHostRoot/_vh_x/_vh_y/login",
    "/cgi-bin/app.pl/login",
    "/log%C2%ADin",
    "/log%E2%80%8Bin",
    "/login%EF%BB%BF",
    "/log%C2%A0in",
    "/%E2%93%9Bogin",
    "/log%C4%ADn",
];

#[tokio::test]
async fn what_another_backend_may_read_as_the_guarded_path_is_refused() {
    let verifier = Verifier::passing();
    let layer =
        builder(&verifier).rule(Rule::post("/login", number())).foreign_backend(ForeignBackend::any()).build().unwrap();
    for path in FOREIGN {
        let application = Application::default();
        let response = send(&layer, &application, post_json(path, LOGIN)).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "path_ambiguous"), "{path}");
        assert_eq!((verifier.calls(), application.runs()), (0, 0), "{path}");
    }
}

#[tokio::test]
async fn without_the_setting_a_path_with_an_extension_is_another_path() {
    let verifier = Verifier::passing();
    let layer = builder(&verifier).rule(Rule::post("/login", number())).build().unwrap();
    let application = Application::default();
    assert_eq!(send(&layer, &application, post_json("/login.json", LOGIN)).await.status(), 200);
    assert_eq!((verifier.calls(), application.runs()), (0, 1));
}

#[tokio::test]
async fn the_class_of_path_spellings_can_be_switched_off() {
    let verifier = Verifier::passing();
    let foreign = ForeignBackend::any().without_path_spellings();
    let layer = builder(&verifier).rule(Rule::post("/login", number())).foreign_backend(foreign).build().unwrap();
    for path in ["/login.json", "/login/index", "/(S(abc))/login"] {
        let application = Application::default();
        assert_eq!(send(&layer, &application, post_json(path, "")).await.status(), 200, "{path}");
        assert_eq!((verifier.calls(), application.runs()), (0, 1), "{path}");
    }
    // Common spellings are refused in front of every backend.
    let application = Application::default();
    assert_eq!(send(&layer, &application, post_json("/login%2F", LOGIN)).await.status(), 400);
    assert_eq!(application.runs(), 0);
}

#[tokio::test]
async fn what_all_backends_read_alike_passes_before_a_foreign_backend_too() {
    let verifier = Verifier::passing();
    let layer =
        builder(&verifier).rule(Rule::post("/login", number())).foreign_backend(ForeignBackend::any()).build().unwrap();
    for path in [
        "/app.js",
        "//h/logins",
        "/%5Ch/logins",
        "/h%5Clogin",
        "/login/app.js",
        "/health/index.html",
        "/v1.2/users",
        "/index.php/logout",
        "/logins.json",
        "/",
        "/Health",
    ] {
        let application = Application::default();
        assert_eq!(send(&layer, &application, post_json(path, "")).await.status(), 200, "{path}");
        assert_eq!(application.runs(), 1, "{path}");
    }
    assert_eq!(verifier.calls(), 0);
    let application = Application::default();
    assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 200);
    assert_eq!(verifier.calls(), 1);
}

#[tokio::test]
async fn a_path_that_a_rule_names_is_what_the_rule_says() {
    let verifier = Verifier::passing();
    let layer = builder(&verifier)
        .rule(Rule::post("/login", captcha()))
        .rule(Rule::post("/login.json", number()))
        .rule(Rule::post("/{app}/signin", captcha()))
        .rule(Rule::post("/signin", number()))
        .foreign_backend(ForeignBackend::any())
        .build()
        .unwrap();
    let application = Application::default();
    assert_eq!(send(&layer, &application, post_json("/login.json", LOGIN)).await.status(), 200);
    // A pattern that happens to fit is not meant: the front controller's `/signin` asks for more.
    let confused = send(&layer, &application, post_json("/index.php/signin", LOGIN)).await;
    assert_eq!(code(&confused), "path_ambiguous");
}
