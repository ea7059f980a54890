//! The gate's share of the walks; `cargo bench --bench sequences` makes as many as it is told to.

use super::walk::{Section, Tally, kinds};
use std::cell::RefCell;

/// The seed of the gate's walks, and how many it makes of each kind.
const SEED: u64 = 20_260_601;
const WALKS: u64 = 250;

fn walk(kind: &str) {
    let tally = RefCell::new(Tally::default());
    let kinds = kinds();
    let (_, _, walk) = kinds.iter().find(|(name, ..)| *name == kind).expect("a kind");
    let walked = (0..WALKS).filter_map(|number| walk.walk(SEED, number, &tally).err());
    let failed: Vec<String> = walked.take(8).collect();
    assert!(failed.is_empty(), "{kind}: {}", failed.join("\n\n"));
    assert_eq!(tally.borrow().of(Section::Done, "sequences"), WALKS);
    println!("{}", tally.borrow());
}

#[test]
fn on_checkouts_every_answer_is_upstreams_whatever_the_policy_and_whatever_fails() {
    walk("checkouts");
}

#[test]
fn on_carts_no_submitted_order_loses_a_credit_whatever_fails() {
    walk("carts");
}

#[test]
fn no_stranger_changes_or_delays_what_an_owner_is_answered() {
    walk("strangers");
}
