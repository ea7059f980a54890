//! The toy's table of rules: one.

use crate::rules::{Row, RuleId, Toggle, Upstream};

pub(super) const ROWS: &[Row] = &[Row {
    id: RuleId::UnderfundedOrder,
    default: Toggle::Reject,
    remedy: None,
    upstream: Upstream::Loses,
    meaning: "paying a tab with too little",
    fires: "The tokens that `POST /tabs/pay` lists are worth less than the tab.",
    answer: "402, code `SHORT`.",
    instead: "List tokens that are worth the tab.",
    page: "The toy's own",
}];
