//! Callers who show a certificate: whose it is, stands beside what was decided.

use crate::testbed::{Program, lines_of};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Writes a certificate and its key into one file.
fn issue(authority: &Issuer<'_, KeyPair>, file: &Path, name: &str, unit: Option<&str>) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".into()]).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(unit) = unit {
        params.distinguished_name.push(DnType::OrganizationalUnitName, unit);
    }
    let made = params.signed_by(&key, authority).expect("a certificate");
    fs::write(file, made.pem() + &key.serialize_pem()).expect("a file");
}

#[test]
fn the_subject_of_a_clients_certificate_is_in_the_log_and_in_the_decision_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let mut params = CertificateParams::new(Vec::new()).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    fs::write(path("ca.pem"), authority.pem()).expect("a file");
    issue(&authority, &path("weir.pem"), "weir", None);
    issue(&authority, &path("shop.pem"), "shop, number\n7", Some("cart"));
    fs::write(
        path("weir.toml"),
        "[listen]\ncertificates = [\"weir.pem\"]\nclient-ca-file = \"ca.pem\"\n\
         client-certificates = \"optional\"\n[decision-log]\nto = \"decisions.ndjson\"\n",
    )
    .expect("a file");
    let mut program = Program::start(&[
        "run",
        "--upstream",
        "http://127.0.0.1:1",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--log-format=json",
        "--config",
        path("weir.toml").to_str().expect("a path"),
    ]);
    let ready = program.json_until("weir is ready");
    let listen = ready["listen"].as_str().expect("an address");
    let port = listen.strip_prefix("https://127.0.0.1:").expect("over TLS");
    let call = |shown: &str, http: &str, body: &str| {
        lines_of(&format!(
            "cd {} && curl -sS -o /dev/null --cacert ca.pem {shown} {http} -d '{body}' \
             https://localhost:{port}/checkouts",
            folder.path().display()
        ));
    };
    let subject = "OU=cart,CN=shop\\, number\\0a7";
    for http in ["--http1.1", "--http2"] {
        call("--cert shop.pem", http, "{}");
        let line = program.json_until("weir::decision");
        assert_eq!((&line["call"], &line["client"]), (&json!("create"), &json!(subject)), "{http}");
        // A call that cannot be read is somebody's, too.
        call("--cert shop.pem", http, "{\"a\":1,\"a\":");
        assert_eq!(program.json_until("weir::decision")["client"], subject);
    }
    call("", "", "{}");
    assert_eq!(program.json_until("weir::decision")["client"], Value::Null);
    let admin = ready["admin"].as_str().expect("an address");
    let shown = lines_of(&format!("curl -s '{admin}/decisions?limit=2'")).join("\n");
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown[0]["client"], &shown[1]["client"]), (&Value::Null, &json!(subject)));
    program.signal("TERM");
    let _ = program.ended();
    let lines = fs::read_to_string(path("decisions.ndjson")).expect("a decision log");
    let clients: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["client"].clone())
        .collect();
    let shown = json!(subject);
    assert_eq!(clients, [shown.clone(), shown.clone(), shown.clone(), shown, Value::Null]);
}
