//! The configuration as a whole: files, flags and environment together.

use super::{
    problem::{Place, Problem},
    *,
};
use crate::{
    dialects::{self, carts, checkouts},
    rules::{FreshFor, Mode, OnLookupFailure, RuleId, Toggle},
};
use std::{collections::BTreeSet, ffi::OsString, path::Path, time::Duration};

/// `line:column message (suggestion)` of every problem.
fn said(text: &str) -> Vec<String> {
    let problems = match Config::parse("w", text, dialects::policy()) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    problems.iter().map(one_line).collect()
}

fn one_line(problem: &Problem) -> String {
    let place = match &problem.place {
        Place::Spot { line, column, .. } => format!("{line}:{column}"),
        Place::Nowhere => "nowhere".into(),
        Place::File(file) => file.display().to_string(),
        Place::Variable(name) | Place::Flag(name) => name.clone(),
    };
    match &problem.suggestion {
        Some(suggestion) => format!("{place} {} ({suggestion})", problem.message),
        None => format!("{place} {}", problem.message),
    }
}

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, text)| (name.into(), text.into())).collect()
}

#[test]
fn default_toml_is_the_built_in_configuration() {
    let loaded = Config::load(&Sources::file("config/default.toml"), dialects::policy()).unwrap();
    assert_eq!(loaded.config, Config::built_in(dialects::policy()));
    assert!(loaded.warnings.is_empty());
}

#[test]
fn default_toml_names_every_key() {
    let text = std::fs::read_to_string("config/default.toml").unwrap();
    let mut table = String::new();
    let mut named = BTreeSet::new();
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            named.insert(format!("{table}.{key}"));
        }
    }
    let both = |key: &str| {
        dialects::ALL
            .iter()
            .find_map(|d| key.strip_prefix(&format!("policy.rules.{d}.")))
            .map(str::to_owned)
    };
    for key in paths::Paths::of(&Config::built_in(dialects::policy())).keys {
        // A rule may be named once for both dialects, or once for each.
        let covered = match (both(&key), key.strip_prefix("policy.rules.")) {
            (Some(rule), _) => {
                named.contains(&key) || named.contains(&format!("policy.rules.{rule}"))
            }
            (None, Some(rule)) => {
                named.contains(&key)
                    || dialects::ALL
                        .iter()
                        .all(|d| named.contains(&format!("policy.rules.{d}.{rule}")))
            }
            (None, None) => named.contains(&key),
        };
        assert!(covered, "{key} is not in config/default.toml");
    }
}

#[test]
fn every_ready_file_is_without_a_problem() {
    let mut files = 0;
    let paths = std::fs::read_dir("config").unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
        let loaded = Config::load(&Sources::file(path), dialects::policy()).unwrap();
        assert_eq!(loaded.warnings.to_string(), "");
        files += 1;
    }
    assert_eq!(files, 4);
    let mode = |file: &str| {
        Config::load(&Sources::file(Path::new("config").join(file)), dialects::policy())
            .unwrap()
            .config
            .policy
            .mode
    };
    assert_eq!((mode("rollout.toml"), mode("sidecar.toml")), (Mode::Monitor, Mode::Enforce));
}

#[test]
fn every_problem_of_a_file_is_told_at_once() {
    let text = r#"mode = "monitor"
[listen]
adress = "127.0.0.1:8080"
workers = 0
[upstrem]
url = "https://a"
[upstream]
url = "api.digitalriver.com"
timeout = 30
[policy]
mode = "enforced"
[policy.rules]
spend-source = "off"
second-primary = "reorder"
[policy.rules.carts]
foreign-saved-source = "off"
underfunded-order = "strip"
[policy.types]
savable = ["konbini", "konbini"]
[limits]
governed-body = "1GiB"
drain = 1979-05-27
[log]
level = "loud"
[headers]
decision = "yes"
"#;
    let expected = [
        "1:1 unknown key `mode` (it belongs in [policy])",
        "3:1 unknown key `adress` in [listen] (did you mean `address`?)",
        "4:11 0 is out of range: there must be a worker (write \"auto\" for one per core)",
        "5:2 unknown table `upstrem` (did you mean `upstream`?)",
        "8:7 the URL has no scheme (write \"https://api.digitalriver.com\")",
        "9:11 expected a duration such as \"30s\", found an integer (write \"30s\" or \"30ms\")",
        "11:8 expected \"enforce\", \"monitor\" or \"off\", found \"enforced\" (did you mean \
         \"enforce\"?)",
        "13:1 unknown rule `spend-source` in [policy.rules] (did you mean `spent-source`?)",
        "14:18 `second-primary` takes \"reorder\" on carts only (write it under \
         [policy.rules.carts])",
        "16:1 unknown rule `foreign-saved-source` in [policy.rules.carts] (it belongs in \
         [policy.rules] or [policy.rules.checkouts])",
        "17:21 `underfunded-order` does not take \"strip\" (it takes \"reject\", \"monitor\" or \
         \"off\")",
        "19:23 \"konbini\" stands in the list twice (remove one of them)",
        "21:17 \"1GiB\" is out of range: expected 1KiB to 64MiB (write \"64MiB\")",
        "22:9 expected a duration such as \"30s\", found a date-time",
        "24:9 expected \"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\", found \
         \"loud\"",
        "26:12 expected `true` or `false`, found a string (write true, without quotes)",
    ];
    assert_eq!(said(text), expected);
}

#[test]
fn values_that_contradict_each_other_are_told() {
    let cases: &[(&str, &[&str])] = &[
        (
            "[listen]\naddress = \"0.0.0.0:9090\"",
            &["2:11 the admin API and the proxy cannot both listen on 0.0.0.0:9090 (which \
                 includes 127.0.0.1:9090, or is included in it) \
               (give the admin API another port, or write \"off\")"],
        ),
        ("[listen]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"", &[]),
        (
            "[policy.types]\nnot-savable = [\n  \"blik\",\n  \"ideal\",\n]",
            &["4:3 \"ideal\" is both savable and not savable (keep it in one of the two lists)"],
        ),
        (
            "[policy.types]\nsavable = [\"storeCredit\"]\nsecondary = [\"storeCredit\"]",
            &["2:12 \"storeCredit\" is a secondary type: store credit is never savable (remove \
                 it here)"],
        ),
        (
            "[upstream]\nurl = \"http://localhost:8080\"",
            &["2:7 upstream is Weir itself: it would call itself without end (name the payments \
                 API)"],
        ),
        ("[upstream]\nurl = \"http://127.0.0.1:8080\"\nsocket = \"/run/up.sock\"", &[]),
        (
            "[upstream]\nurl = \"http://a\"\nsocket = \"/w.sock\"\n[listen]\naddress = \"unix:/w.sock\"",
            &["2:7 upstream is Weir itself: it would call itself without end (name the payments \
               API)"],
        ),
        // Only one of the two was written.
        ("[upstream]\ntimeout = \"1s\"", &[]),
        (
            "[upstream]\ntimeout = \"1s\"\nconnect-timeout = \"2s\"",
            &["3:19 `connect-timeout` is longer than `timeout` (connecting has its own time-out, \
                 which comes before `timeout`)"],
        ),
        (
            "[policy.rules]\nsecondary-after-single-use-primary = \"reorder\"",
            &["2:38 `secondary-after-single-use-primary = \"reorder\"` acts as \"reject\": \
                 nothing may wait while `window` is \"0s\" and `defer` is false \
               (set `window` (such as \"300ms\") or `defer = true` in [sequencing], \
               or write \"reject\")"],
        ),
        (
            "[policy.rules]\nsecondary-after-single-use-primary = \
             \"reorder\"\n[sequencing]\ndefer = true",
            &[],
        ),
        (
            "[log]\nfile = \"weir.log\"\n[decision-log]\nto = \"weir.log\"",
            &["4:6 weir.log is the file of `log.file`, too (name two files)"],
        ),
        (
            "[upstream]\nkey-file = \"k\"\n[policy.rules]\nprimary-before-secondary = \"reorder\"",
            &[
                "2:12 the file that `key-file` names is not here (`weir run` does not start unless its user can read it)",
            ],
        ),
        (
            "[sequencing]\nwindow = \"300ms\"",
            &["2:10 `window` has no effect: no rule that it serves is set to \"reorder\" \
               (set `secondary-after-single-use-primary` or `primary-before-secondary` \
               to \"reorder\" in [policy.rules])"],
        ),
        (
            "[admin]\naddress = \"0.0.0.0:9090\"",
            &[
                "2:11 the admin API on 0.0.0.0:9090 shows sessions to whoever reaches it (keep it on \
               127.0.0.1 and open [probes] to others, or name a `token-file`)",
            ],
        ),
        (
            "[probes]\naddress = \"0.0.0.0:9090\"",
            &["2:11 the probes and the admin API cannot both listen on 127.0.0.1:9090 (which \
               includes 0.0.0.0:9090, or is included in it) (give the probes another port, or \
               write \"off\")"],
        ),
        ("[probes]\naddress = \"0.0.0.0:9091\"", &[]),
        // What could not be read is not judged a second time.
        (
            "[listen]\naddress = \"9090\"\n[admin]\naddress = \"127.0.0.1:8080\"",
            &["2:11 \"9090\" is not an address and port (write \"127.0.0.1:9090\")"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(text), *expected, "{text}");
    }
}

#[test]
fn text_that_is_not_toml_is_told_with_everything_else() {
    let text = "[listen]\naddress = 127.0.0.1:8080\nworkers = 3\nworkers = 4\n[polcy]\n\
                [limits]\ndrain = \"30\n";
    let expected = [
        "2:16 this is not TOML: invalid float, expected nothing (write `address = \
         \"127.0.0.1:8080\"`)",
        "4:1 this stands in the file a second time (keep one of the two)",
        "5:2 unknown table `polcy` (did you mean `policy`?)",
        "7:12 this is not TOML: invalid basic string, expected `\"` (close the quotes)",
    ];
    assert_eq!(said(text), expected);
}

#[test]
fn a_toggle_of_a_dialect_wins_over_the_common_one() {
    let text = "[policy.rules.carts]\nspent-source = \"monitor\"\n\
                [policy.rules]\nspent-source = \"off\"\n";
    let policy = Config::parse("w", text, dialects::policy()).unwrap().config.policy;
    assert_eq!(policy.toggle(checkouts::DIALECT, RuleId::SpentSource), Toggle::Off);
    assert_eq!(policy.toggle(carts::DIALECT, RuleId::SpentSource), Toggle::Monitor);
    let back =
        "[policy.rules]\nspent-source = \"off\"\n[policy.rules.carts]\nspent-source = \"reject\"\n";
    let policy = Config::parse("w", back, dialects::policy()).unwrap().config.policy;
    assert_eq!(policy.toggle(carts::DIALECT, RuleId::SpentSource), Toggle::Reject);
}

#[test]
fn the_whole_policy_is_built() {
    let text = "[policy]\nmode = \"monitor\"\non-lookup-failure = \"reject\"\n\
                fresh-for = \"forever\"\n\
                [policy.rules]\nprimary-before-secondary = \"reorder\"\n\
                [sequencing]\nwindow = \"1s\"\ndefer = false\nqueue = 7\nwait = \"3s\"\n\
                [policy.types]\nsecondary = [\"storeCredit\"]\n";
    let config = Config::parse("w", text, dialects::policy()).unwrap().config;
    assert_eq!(config.policy.mode, Mode::Monitor);
    assert_eq!(config.policy.on_lookup_failure, OnLookupFailure::Reject);
    assert_eq!(config.policy.fresh_for, FreshFor::Forever);
    assert_eq!(
        config.policy.toggles.changed().collect::<Vec<_>>(),
        [((carts::DIALECT, RuleId::PrimaryBeforeSecondary), Toggle::Reorder)]
    );
    assert_eq!(config.policy.types.secondary, ["storeCredit".into()]);
    assert_eq!(
        (config.policy.sequencing.window, config.policy.sequencing.defer),
        (Duration::from_secs(1), false)
    );
    assert_eq!((config.sequencing.queue, config.sequencing.wait), (7, Duration::from_secs(3)));
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(
        &file,
        "[listen]\naddress = \"127.0.0.1:1\"\nworkers = 1\n[policy]\nmode = \"off\"\n",
    )
    .unwrap();
    let sources = Sources {
        environment: environment(&[
            ("WEIR_CONFIG", file.to_str().unwrap()),
            ("WEIR_WORKERS", "2"),
            ("WEIR_MODE", "monitor"),
            ("WEIR_ADMIN", ""),
            ("WEIR_SERVICE_HOST", "10.0.0.1"),
        ]),
        flags: vec![("policy.mode", "enforce".into()), ("upstream.url", "http://a".into())],
        purpose: Purpose::Run,
        ..Sources::default()
    };
    let loaded = Config::load(&sources, dialects::policy()).unwrap();
    assert_eq!(loaded.config.listen.address.tcp(), Some("127.0.0.1:1".parse().unwrap()));
    assert_eq!(loaded.config.listen.workers, Some(2));
    assert_eq!(loaded.config.policy.mode, Mode::Enforce);
    assert_eq!(loaded.config.admin, crate::config::sections::Admin::default());
    let origin = |key: &str| loaded.origins.get(key).map(|origin| origin.to_string());
    assert_eq!(origin("listen.address"), Some(format!("{}:2", file.display())));
    assert_eq!(origin("listen.workers"), Some("WEIR_WORKERS".into()));
    assert_eq!(origin("policy.mode"), Some("--mode".into()));
    assert_eq!(origin("admin.address"), None);
    assert!(loaded.warnings.is_empty());
}

#[test]
fn to_run_there_must_be_an_upstream_and_its_certificates() {
    let run = |flags| {
        Config::load(
            &Sources { purpose: Purpose::Run, flags, ..Sources::default() },
            dialects::policy(),
        )
    };
    let problems = run(vec![]).unwrap_err();
    assert_eq!(
        problems.iter().map(one_line).collect::<Vec<_>>(),
        ["nowhere no upstream is named: there is nothing to stand in front of (give --upstream \
             URL, set WEIR_UPSTREAM, or write `url` in [upstream])"]
    );
    assert!(run(vec![("upstream.url", "http://a".into())]).is_ok());
    let problems =
        run(vec![("upstream.url", "https://a".into()), ("upstream.ca-file", "no/such.pem".into())])
            .unwrap_err();
    assert!(problems.to_string().contains("no/such.pem"), "{problems}");
}

/// `check` and `run` agree: what is not used is not read, and stops nothing.
#[test]
fn a_ca_file_before_an_upstream_without_tls_is_a_warning_whatever_it_holds() {
    for file in ["no/such.pem", "README.md"] {
        for purpose in [Purpose::Check, Purpose::Run] {
            let flags =
                vec![("upstream.url", "http://a".into()), ("upstream.ca-file", file.into())];
            let sources = Sources { purpose, flags, ..Sources::default() };
            let loaded = Config::load(&sources, dialects::policy()).unwrap();
            let told: Vec<_> = loaded.warnings.iter().map(one_line).collect();
            let expected = format!(
                "--upstream-ca-file {file} is not used: upstream's URL is http (write an https \
                 URL, or remove `ca-file`)"
            );
            assert_eq!(told, [expected]);
        }
    }
}

#[test]
fn a_ca_file_is_looked_for_beside_the_file_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let authority = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
    std::fs::write(folder.path().join("ca.pem"), authority.cert.pem()).unwrap();
    std::fs::write(folder.path().join("weir.toml"), "[upstream]\nca-file = \"ca.pem\"\n").unwrap();
    let loaded =
        Config::load(&Sources::file(folder.path().join("weir.toml")), dialects::policy()).unwrap();
    assert_eq!(loaded.config.upstream.ca_file, Some(folder.path().join("ca.pem")));
    assert!(loaded.warnings.is_empty());
}

/// Whether it is only checked or to be run: a run would not start.
#[test]
fn a_ca_file_without_a_certificate_that_can_be_used_is_an_error_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("weir.toml");
    std::fs::write(&config, "[upstream]\nurl = \"https://a\"\nca-file = \"ca.pem\"\n").unwrap();
    let ca = folder.path().join("ca.pem");
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (text, what) in [
        ("", "holds no certificate (name a PEM file, with \"-----BEGIN CERTIFICATE-----\" in it)"),
        ("# Weir\n", "holds no certificate ("),
        (garbage, "holds a certificate that cannot be used: "),
        ("-----BEGIN CERTIFICATE-----\n", "holds a certificate that cannot be used: "),
    ] {
        std::fs::write(&ca, text).unwrap();
        for purpose in [Purpose::Check, Purpose::Run] {
            let sources = Sources { purpose, ..Sources::file(&config) };
            let problems = Config::load(&sources, dialects::policy()).unwrap_err();
            let told: Vec<_> = problems.iter().map(one_line).collect();
            let expected = format!("3:11 {} {what}", ca.display());
            assert!(told.len() == 1 && told[0].starts_with(&expected), "{told:?}: {expected}");
        }
    }
    let flags = vec![("upstream.ca-file", "README.md".to_owned())];
    let problems =
        Config::load(&Sources { flags, ..Sources::default() }, dialects::policy()).unwrap_err();
    let told: Vec<_> = problems.iter().map(one_line).collect();
    assert!(told[0].starts_with("--upstream-ca-file README.md holds no certificate"), "{told:?}");
}

#[test]
fn a_slip_in_a_variable_or_a_flag_is_told_with_its_name() {
    let sources = Sources {
        environment: environment(&[
            ("WEIR_LISTN", "127.0.0.1:1"),
            ("WEIR_WORKERS", "many"),
            ("WEIR_PORT", "tcp://10.0.0.1:80"),
        ]),
        flags: vec![("listen.address", "localhost:1".into())],
        ..Sources::default()
    };
    let problems = Config::load(&sources, dialects::policy()).unwrap_err();
    assert_eq!(
        problems.iter().map(one_line).collect::<Vec<_>>(),
        [
            "WEIR_LISTN this variable is not read (did you mean `WEIR_LISTEN`?)",
            "WEIR_WORKERS expected a whole number from 1 to 1024, found \"many\"",
            "--listen \"localhost:1\" is not an address and port (write \"127.0.0.1:1\")",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"[log]\n# caf\xe9\n").unwrap();
    let told = |path: &Path| {
        one_line(
            Config::load(&Sources::file(path), dialects::policy())
                .unwrap_err()
                .iter()
                .next()
                .unwrap(),
        )
    };
    assert!(told(&folder.path().join("none.toml")).ends_with("none.toml there is no such file"));
    assert!(told(folder.path()).ends_with("this is a directory (name a file in it)"));
    assert_eq!(
        told(&latin),
        "2:6 the file is not UTF-8: byte 12 cannot be read (save the file as UTF-8)"
    );
}

#[test]
fn a_password_in_a_url_is_never_shown() {
    let problems =
        Config::parse("w", "[upstream]\nurl = \"https://me:hunter2@host\"\n", dialects::policy())
            .unwrap_err();
    let shown = format!("{problems} {problems:?} {}", problems.to_json());
    assert!(shown.contains("the URL holds a user or a password"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_byte_order_mark_does_not_shift_places() {
    assert_eq!(said("\u{feff}[listn]\n"), ["1:2 unknown table `listn` (did you mean `listen`?)"]);
}

#[test]
fn a_deep_tree_is_an_error_and_not_an_overflow() {
    let text = format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Config::parse("w", &text, dialects::policy()).is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,80}", at in 0usize..6000, cut in 0usize..40) {
        let mut spoilt = std::fs::read_to_string("config/default.toml").unwrap();
        let floor = |text: &str, at: usize| {
            (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
        };
        let (start, end) = (floor(&spoilt, at), floor(&spoilt, at + cut));
        spoilt.replace_range(start..end, &text);
        for text in [text, spoilt] {
            if let Err(problems) = Config::parse("w", &text, dialects::policy()) {
                proptest::prop_assert!(problems.errors() > 0 && !problems.to_string().is_empty());
            }
        }
    }
}

#[test]
fn weirs_own_key_comes_from_the_variable_or_the_file_and_is_never_shown() {
    const KEY: &str = "sk_live_never_shown";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.toml");
    std::fs::write(folder.path().join("own.key"), format!("{KEY}\n")).unwrap();
    std::fs::write(&path, "[upstream]\nurl = \"https://a\"\nkey-file = \"own.key\"\n").unwrap();
    let of_file = Sources { purpose: Purpose::Run, ..Sources::file(&path) };
    let environment = vec![("WEIR_UPSTREAM_KEY".into(), "sk_of_variable".into())];
    let of_variable = Sources { environment, ..of_file.clone() };
    for (sources, key) in [(&of_file, KEY), (&of_variable, "sk_of_variable")] {
        let loaded = Config::load(sources, dialects::policy()).unwrap();
        assert_eq!(loaded.key.as_ref().map(|key| key.expose()), Some(key));
        let shown = format!("{loaded:?} {}", loaded.to_json());
        assert!(!shown.contains(key), "{shown}");
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
    // What is wrong with a key is told without it.
    for wrong in ["", "two words", "sk_\u{1}", "k\u{e9}y"] {
        std::fs::write(folder.path().join("own.key"), wrong).unwrap();
        let told = Config::load(&of_file, dialects::policy()).unwrap_err().to_string();
        assert!(told.contains("own.key holds no key"), "{told}");
        assert!(wrong.is_empty() || !told.contains(wrong), "{told}");
    }
    std::fs::remove_file(folder.path().join("own.key")).unwrap();
    let told = Config::load(&of_file, dialects::policy()).unwrap_err().to_string();
    assert!(told.contains("own.key cannot be read"), "{told}");
    // The key need not be where the configuration is only checked.
    let told = Config::load(&Sources::file(&path), dialects::policy()).unwrap().warnings;
    assert!(told.to_string().contains("own.key is not here"), "{told}");
}

#[test]
fn a_check_warns_of_a_remedy_without_a_key_and_of_a_call_that_ends_too_early() {
    let text = "[policy.rules.carts]\nprimary-before-secondary = \"reorder\"\n";
    let warned =
        |text: &str| Config::parse("w", text, dialects::policy()).unwrap().warnings.to_string();
    assert!(warned(text).contains("name a `key-file` in [upstream]"), "{}", warned(text));
    let lost = "[policy.rules.carts]\nlost-credit = \"reorder\"\n";
    assert!(
        warned(lost).contains("`lost-credit = \"reorder\"` looks at sources"),
        "{}",
        warned(lost)
    );
    let short = warned("[limits]\ncall = \"20s\"\n");
    assert!(
        short.contains("w:2") && short.contains("not longer than `upstream.timeout`"),
        "{short}"
    );
    assert_eq!(warned("[limits]\ncall = \"40s\"\n"), "");
    let with_key = warned(&format!("{text}[upstream]\nkey-file = \"k\"\n"));
    assert!(!with_key.contains("name a `key-file`"), "{with_key}");
    assert_eq!(warned("[policy.rules.checkouts]\nspent-source = \"off\"\n"), "");
}
