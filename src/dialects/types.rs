//! Lists the vendor's source types, shared by both of its dialects (domain: sections 1 and 8).

use crate::rules::{Dialect, SourceType, Types};

/// Store credit.
const SECONDARY: &[&str] = &["customerCredit"];

/// The types that can be saved.
const SAVABLE: &[&str] = &[
    "alipay",
    "amazonPay",
    "applePay",
    "creditCard",
    "googlePay",
    "ideal",
    "klarnaCreditRecurring",
    "payPalBilling",
    "directDebit",
    "msts",
];

/// The types that cannot be saved.
const NOT_SAVABLE: &[&str] = &[
    "afterpay",
    "alipayCn",
    "bancontact",
    "blik",
    "konbini",
    "onlineBanking",
    "bankTransfer",
    "payCo",
    "payPal",
    "payPalCredit",
    "klarnaCredit",
    "trustly",
    "wireTransfer",
    "codJapan",
    "bPay",
    "customerCredit",
];

/// Returns the lists that hold where nothing else is configured.
pub(super) fn types(dialects: &[Dialect]) -> Types {
    Types {
        secondary: named(SECONDARY),
        pairing: dialects.iter().map(|dialect| (*dialect, named(dialect.pairing()))).collect(),
        savable: named(SAVABLE),
        not_savable: named(NOT_SAVABLE),
    }
}

fn named(names: &[&str]) -> Vec<SourceType> {
    names.iter().map(|name| SourceType::from(*name)).collect()
}
