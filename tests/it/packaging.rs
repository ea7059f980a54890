//! The files for systemd, containers and Kubernetes name what is there: commands, flags, variables,
//! keys, ports. And Weir tells systemd how it is.

use crate::testbed::{Program, weir};
use serde_json::Value;
use std::{collections::BTreeMap, fs};

const UNIT: &str = include_str!("../../config/weir.service");
const CONTAINERFILE: &str = include_str!("../../Containerfile");
const STATIC: &str = include_str!("../../scripts/static.sh");
const MANIFEST: &str = include_str!("../../config/kubernetes.yaml");

/// The values of a key of the unit, in order.
fn unit(key: &str) -> Vec<&'static str> {
    let lines = UNIT.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

/// What `weir` prints as help for a command.
fn help(command: &str) -> String {
    let output = weir(&[command, "--help"]).output().expect("weir runs");
    assert!(output.status.success(), "{command}");
    String::from_utf8(output.stdout).expect("text")
}

/// A configuration must be without a warning; returns what it says.
fn configuration(text: &str) -> toml::Table {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a path");
    let output = weir(&["check", "--strict", file]).output().expect("weir runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    text.parse().expect("TOML")
}

/// The seconds of `grace` and `drain` together, as they are built in.
fn built_in_stop() -> u64 {
    let defaults: toml::Table =
        fs::read_to_string("config/default.toml").expect("a file").parse().expect("TOML");
    let seconds = |key: &str| -> u64 {
        let text = defaults["limits"][key].as_str().expect("a text");
        text.strip_suffix('s').expect("seconds").parse().expect("a number")
    };
    seconds("grace") + seconds("drain")
}

#[test]
fn the_unit_starts_weir_and_leaves_it_time_and_descriptors() {
    let [start] = unit("ExecStart")[..] else { panic!("one command") };
    let start = start.replace("/etc/weir/weir.toml", "config/rollout.toml");
    let words: Vec<&str> = start.split_ascii_whitespace().collect();
    assert!(words[0].ends_with("/weir"), "{start}");
    let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    Program::start(&[&words[1..], &ports].concat()).until_error("weir is ready");
    assert_eq!(unit("Type"), ["notify"]);
    assert_eq!(unit("ExecReload"), ["/bin/kill -HUP $MAINPID"]);
    let stop: u64 = unit("TimeoutStopSec")[0].parse().expect("seconds");
    assert!(stop > built_in_stop(), "{stop} s");
    assert!(unit("LimitNOFILE")[0].parse::<u32>().is_ok_and(|limit| limit >= 65_536));
    for hardened in ["DynamicUser", "NoNewPrivileges", "MemoryDenyWriteExecute", "ProtectHome"] {
        assert_eq!(unit(hardened), ["yes"], "{hardened}");
    }
    assert_eq!(unit("ProtectSystem"), ["strict"]);
    // What the comments say of its keys.
    for key in ["grace", "drain"] {
        assert!(UNIT.contains(&format!("`{key}`")), "{key}");
    }
}

/// The instructions of the last stage, without the lines' continuations.
fn last_stage() -> Vec<(String, String)> {
    let joined = CONTAINERFILE.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut stage = Vec::new();
    for line in lines {
        let (name, rest) = line.split_once(' ').expect("an instruction");
        if name == "FROM" {
            stage.clear();
        }
        stage.push((name.to_owned(), rest.trim().to_owned()));
    }
    stage
}

#[test]
fn the_image_runs_weir_alone_without_root_and_asks_it_for_its_health() {
    let stage = last_stage();
    let of = |name: &str| -> Vec<&str> {
        let found = stage.iter().filter(|(known, _)| known == name);
        found.map(|(_, rest)| rest.as_str()).collect()
    };
    assert_eq!(of("FROM"), ["gcr.io/distroless/static-debian12:nonroot"]);
    assert_eq!(of("USER"), ["65532:65532"]);
    let [components, copied] = of("COPY")[..] else { panic!("two files") };
    assert!(components.contains("/out/weir.cdx.json ") && copied.contains("/out/weir "));
    let program = copied.rsplit(' ').next().expect("a path");
    let command = |text: &str| serde_json::from_str::<Vec<String>>(text).expect("a JSON list");
    assert_eq!(command(of("ENTRYPOINT")[0]), [program]);
    let started = command(of("CMD")[0]);
    let run = help(&started[0]);
    let (_, check) = of("HEALTHCHECK")[0].split_once("CMD ").expect("a command");
    let check = command(check);
    assert_eq!((check[0].as_str(), check.len()), (program, 2));
    assert!(help(&check[1]).contains("exit") || help(&check[1]).contains("ready"), "{check:?}");
    // Its variables are Weir's, and their values are as they should be.
    let mut set = BTreeMap::new();
    for pair in of("ENV").iter().flat_map(|line| line.split_ascii_whitespace()) {
        let (name, value) = pair.split_once('=').expect("a value");
        assert!(run.contains(&format!("[env: {name}]")), "{name}");
        set.insert(name, value);
    }
    let address = |text: &str| text.parse::<std::net::SocketAddr>().expect("an address");
    assert!(address(set["WEIR_ADMIN"]).ip().is_loopback(), "it shows sessions");
    let exposed: Vec<u16> =
        of("EXPOSE")[0].split(' ').map(|port| port.parse().expect("a port")).collect();
    assert_eq!(exposed, ["WEIR_LISTEN", "WEIR_PROBES"].map(|name| address(set[name]).port()));
    // It is built by the Rust that the package asks for.
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().expect("TOML");
    let rust = manifest["package"]["rust-version"].as_str().expect("a version");
    assert!(CONTAINERFILE.contains(&format!("/rust:{rust}-alpine AS build")), "{rust}");
    // By the script, with the tool that the script would build.
    assert!(CONTAINERFILE.contains("RUN scripts/static.sh /out\n"));
    let (_, tool) = STATIC.split_once("cyclonedx=").expect("a version");
    let (version, _) = tool.split_once('\n').expect("a line");
    assert!(CONTAINERFILE.contains(&format!("--version ={version} cargo-cyclonedx")), "{version}");
}

/// Runs the script that builds a static binary, with these programs before all others. Returns what
/// it complains about.
#[cfg(unix)]
fn complaint_of_static(arguments: &[&str], programs: &[(&str, &str)]) -> String {
    use std::{os::unix::fs::PermissionsExt, process::Command};
    let folder = tempfile::tempdir().expect("a folder");
    for (name, script) in programs {
        let program = folder.path().join(name);
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("a program");
    }
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut command = Command::new("scripts/static.sh");
    // What the tests themselves were started with.
    command.args(arguments).env("PATH", path).env_remove("CC_riscv64gc_unknown_linux_musl");
    let output = command.output().expect("the script runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

/// Kind: a script that ends with a compiler's error, or with a binary that is not static.
#[cfg(unix)]
#[test]
fn the_script_for_a_static_binary_says_what_it_lacks() {
    let says = |arguments: &[&str], programs: &[(&str, &str)], part: &str| {
        let told = complaint_of_static(arguments, programs);
        assert!(told.starts_with("static.sh: ") && told.contains(part), "{told}");
    };
    says(&["--target", "x86_64-unknown-linux-gnu"], &[], "does not link musl");
    says(&["--fast"], &[], "--fast is no option");
    let target = ["--target", "riscv64gc-unknown-linux-musl"];
    let (without, unreachable) = (("rustc", "echo /nowhere"), ("rustup", "exit 1"));
    says(&target, &[without, unreachable], "rustup could not add riscv64gc-unknown-linux-musl");
    says(&target, &[without, ("rustup", "exit 0")], "but rustc does not find it");
    // A Rust that has the target, and a machine without a compiler of C for it.
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("libstd-1.rlib"), "").expect("a file");
    let found = format!(
        "[ \"$1\" = -vV ] && echo host: x86_64-unknown-linux-gnu || echo {}",
        folder.path().display()
    );
    says(&target, &[("rustc", &found)], "no C compiler for riscv64gc-unknown-linux-musl");
}

#[test]
fn the_manifest_is_a_native_sidecar_with_a_configuration_that_is_right() {
    let documents: Vec<Value> = serde_saphyr::from_multiple(MANIFEST).expect("YAML");
    let kind = |kind: &str| documents.iter().find(|one| one["kind"] == kind).expect(kind);
    let text = kind("ConfigMap")["data"]["weir.toml"].as_str().expect("a file");
    let config = configuration(text);
    let address = |table: &str| -> std::net::SocketAddr {
        config[table]["address"].as_str().and_then(|text| text.parse().ok()).expect("an address")
    };
    let pod = &kind("Deployment")["spec"]["template"]["spec"];
    let weir = &pod["initContainers"][0];
    assert_eq!(weir["restartPolicy"], "Always", "it is a sidecar");
    assert_eq!(weir["args"], serde_json::json!(["run"]));
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let asked = &weir[probe]["httpGet"];
        assert_eq!(asked["port"], address("probes").port(), "{probe}");
        let path = if probe == "livenessProbe" { "/live" } else { "/ready" };
        assert_eq!(asked["path"], path, "{probe}");
    }
    assert!(address("admin").ip().is_loopback() && address("listen").ip().is_loopback());
    let run = help("run");
    let variables = weir["env"].as_array().expect("a list");
    let value = |name: &str| {
        let found = variables.iter().find(|variable| variable["name"] == name);
        found.and_then(|variable| variable["value"].as_str()).expect("a value")
    };
    for variable in variables {
        let name = variable["name"].as_str().expect("a name");
        assert!(run.contains(&format!("[env: {name}]")), "{name}");
    }
    let mount = weir["volumeMounts"][0]["mountPath"].as_str().expect("a path");
    assert_eq!(value("WEIR_CONFIG"), format!("{mount}/weir.toml"));
    assert_eq!(value("WEIR_LISTEN"), address("listen").to_string());
    let called = &pod["containers"][0]["env"][0]["value"];
    assert_eq!(*called, format!("http://{}", address("listen")));
    let security = &weir["securityContext"];
    assert_eq!(
        (&security["readOnlyRootFilesystem"], &security["allowPrivilegeEscalation"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let stop = pod["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    assert!(stop > built_in_stop(), "{stop} s");
    // The volume is the configuration's.
    assert_eq!(pod["volumes"][0]["configMap"]["name"], kind("ConfigMap")["metadata"]["name"]);
}

/// Kind: a unit that counts as started before it is.
#[cfg(unix)]
#[test]
fn systemd_is_told_that_weir_is_ready_reloads_and_stops() {
    use std::{
        os::unix::net::UnixDatagram,
        process::{Command, Stdio},
        time::Duration,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
    let told = || {
        let mut message = [0; 512];
        let length = socket.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).trim_end().to_owned()
    };
    let ports = ["--listen", "127.0.0.1:0", "--admin", "off", "--log-level", "warn"];
    let flags = [&["run", "--upstream", "http://127.0.0.1:1"][..], &ports].concat();
    let mut command = weir(&flags);
    let mut child =
        command.env("NOTIFY_SOCKET", &path).stderr(Stdio::null()).spawn().expect("weir starts");
    let signal = |name: &str| {
        let kill = format!("kill -{name} {}", child.id());
        assert!(Command::new("bash").args(["-c", &kill]).status().expect("bash runs").success());
    };
    assert_eq!(told(), "READY=1");
    signal("HUP");
    let reloading = told();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(told(), "READY=1");
    signal("TERM");
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
