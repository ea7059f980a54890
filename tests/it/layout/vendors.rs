//! No vendor's word where it does not belong. The vendors are the folders of `dialects`; their
//! codes of errors are what the emulator says, which is an account of its own.

use super::{
    Check, none,
    source::{Sort, Source, Token, sources},
};
use crate::testbed::RuleId;
use std::collections::BTreeSet;

/// States of sessions and sources that `SessionState` and `SourceState` spell: words of the domain,
/// which all vendors' answers are read into.
const STATES: [&str; 5] = [
    "pending_funds",
    "pending_redirect",
    "requires_action",
    "requires_confirmation",
    "requires_source",
];

/// Where vendors may be named.
const ROOMS: [&str; 2] = ["dialects", "emulator"];

/// Words for the kinds of session, and for the dialects that are called after them.
const KINDS: [&str; 6] = ["cart", "carts", "checkout", "checkouts", "invoice", "invoices"];

/// What the emulator says that is no vendor's code of an error: header names, and words of HTTP.
const COMMON: [&str; 19] = [
    "accept-encoding",
    "bad_gateway",
    "bad_request",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "gateway_timeout",
    "internal_server_error",
    "no-store",
    "not_found",
    "retry-after",
    "service_unavailable",
    "too_many_requests",
    "transfer-encoding",
    "www-authenticate",
    "x-api-key",
    "x-http-method-override",
    "x-request-id",
];

#[test]
fn no_file_outside_the_dialects_and_the_emulator_names_a_vendors_word() {
    let sources = sources();
    let codes = codes(sources);
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !ROOMS.contains(&source.room())) {
        let named =
            source.tokens.iter().filter(|token| names_a_kind(token) || is_code(token, &codes));
        found.extend(named.map(|token| at(source, token)));
    }
    none(Check::Vendors, &found);
}

#[test]
fn among_the_dialects_only_their_list_names_two() {
    let sources = sources();
    let folders: BTreeSet<&String> = sources
        .iter()
        .filter(|source| source.room() == "dialects" && source.path.ends_with("/mod.rs"))
        .filter_map(|source| source.module.get(1))
        .filter(|folder| *folder != "read")
        .collect();
    assert!(folders.len() > 1, "{folders:?}");
    let dialects: Vec<&Source> = sources
        .iter()
        .filter(|source| source.room() == "dialects" && source.module.len() > 1)
        .collect();
    let mut found = Vec::new();
    for source in dialects {
        let named: BTreeSet<&&String> = folders
            .iter()
            .filter(|folder| source.tokens.iter().any(|token| names(token, folder)))
            .collect();
        let own = folders.get(&source.module[1]);
        if named.len() > usize::from(own.is_none_or(|own| named.contains(own))) {
            found.push(format!("{}: {named:?}", source.path));
        }
    }
    none(Check::OneDialect, &found);
}

fn at(source: &Source, token: &Token) -> String {
    format!("{}:{}: {}", source.path, token.lines.start, token.text)
}

/// Returns whether a name has a kind of session in it; rules are called what they are about.
fn names_a_kind(token: &Token) -> bool {
    token.name().is_some_and(|name| {
        !is_rule(name) && words(name).iter().any(|word| KINDS.contains(&word.as_str()))
    })
}

/// Returns whether a name is, or has in it, that of a dialect: `carts`, `Carts`, `CartsAnswer`.
fn names(token: &Token, dialect: &str) -> bool {
    token
        .name()
        .is_some_and(|name| !is_rule(name) && words(name).iter().any(|word| word == dialect))
}

fn is_code(token: &Token, codes: &BTreeSet<String>) -> bool {
    token.sort == Sort::Text && codes.contains(&token.text)
}

fn is_rule(name: &str) -> bool {
    RuleId::ALL.iter().any(|rule| {
        let rule = rule.as_str().replace('-', "_");
        words(name) == words(&rule)
    })
}

/// Returns what the emulator says that looks like a code: two small words or more, joined.
fn codes(sources: &[Source]) -> BTreeSet<String> {
    let said = sources.iter().filter(|source| source.room() == "emulator").flat_map(|s| &s.tokens);
    let rules: BTreeSet<&str> = RuleId::ALL.iter().map(|rule| rule.as_str()).collect();
    let looks = |text: &str| {
        let small = text.chars().all(|c| c.is_ascii_alphabetic() || c == '_' || c == '-');
        small && text.split(['_', '-']).count() > 1 && text.split(['_', '-']).all(|w| !w.is_empty())
    };
    said.filter(|token| token.sort == Sort::Text && looks(&token.text))
        .map(|token| token.text.clone())
        .filter(|text| !rules.contains(text.as_str()))
        .filter(|text| !COMMON.contains(&text.as_str()) && !STATES.contains(&text.as_str()))
        .collect()
}

/// Returns the words of a name in small letters, whether they are joined by case or by `_`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for sign in name.chars() {
        if sign == '_' || (sign.is_uppercase() && was_small) {
            words.push(String::new());
        }
        was_small = sign.is_lowercase();
        let word = words.last_mut().expect("a word");
        word.extend(sign.to_lowercase().filter(|sign| *sign != '_'));
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn a_name_is_taken_for_a_vendors_by_its_words() {
    let tokens = |text: &str| super::source::tokens(text);
    for (text, expected) in [
        ("SessionKind::Invoice", true),
        ("pairing_checkouts", true),
        ("ActiveCart", true),
        ("cartography", false),
        ("InvoiceBillingOptimization", false),
        ("\"cart\"", false),
    ] {
        assert_eq!(tokens(text).iter().any(names_a_kind), expected, "{text}");
    }
    assert_eq!(words("HTTPCarts_next"), ["httpcarts", "next"]);
    let codes = BTreeSet::from(["source_in_use".to_owned()]);
    assert!(tokens("f(\"source_in_use\")").iter().any(|token| is_code(token, &codes)));
    assert!(!tokens("source_in_use").iter().any(|token| is_code(token, &codes)));
}
