//! The order in which an order's sources are captured, cancelled and refunded.
//!
//! In: the parts of an order, each with what it has open, and an amount. Out: the share of each
//! part. Captures take the secondaries first; cancels and refunds start with the primary. Source:
//! both vendor pages, "How we handle captures, cancels, and refunds".

use super::{Amount, SourceId};

/// One source's part of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The source.
    pub source: SourceId,
    /// Whether it is secondary.
    pub secondary: bool,
    /// The amount that is open to the operation: the authorised amount for captures and cancels,
    /// the captured amount for refunds.
    pub open: Amount,
}

/// An operation on an order's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Takes the secondaries first, then the primary.
    Capture,
    /// Takes the primary first, then the secondaries.
    Cancel,
    /// Takes the primary first until it is fully refunded, then the secondaries.
    Refund,
}

/// Returns the parts' shares of `amount`, in the order in which they are served and without parts
/// that get nothing. The sum is the smaller of `amount` and all that is open. Amounts below zero
/// count as zero.
pub fn split(operation: Operation, parts: &[Part], amount: Amount) -> Vec<(SourceId, Amount)> {
    let secondaries_first = operation == Operation::Capture;
    let (first, last): (Vec<_>, Vec<_>) =
        parts.iter().partition(|part| part.secondary == secondaries_first);
    let mut left = amount;
    let mut served = Vec::new();
    for part in first.into_iter().chain(last) {
        let share = part.open.min(left);
        if share.is_positive() {
            left = left.saturating_sub(share);
            served.push((part.source.clone(), share));
        }
    }
    served
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixtures::amount;
    use Operation::{Cancel, Capture, Refund};
    use proptest::prelude::*;

    fn part(source: &str, open: &str) -> Part {
        Part { source: source.into(), secondary: source.starts_with("credit"), open: amount(open) }
    }

    fn served(operation: Operation, parts: &[Part], of: &str) -> Vec<(String, String)> {
        split(operation, parts, amount(of))
            .into_iter()
            .map(|(source, share)| (source.to_string(), share.to_string()))
            .collect()
    }

    fn shares(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(source, share)| (source.to_string(), share.to_string())).collect()
    }

    /// Performs an operation, and returns the parts that it opens to the next one: a captured
    /// amount can be refunded.
    fn perform(operation: Operation, parts: &mut [Part], of: &str) -> Vec<Part> {
        let shares = split(operation, parts, amount(of));
        let mut moved = Vec::new();
        for (source, share) in shares {
            for part in parts.iter_mut().filter(|part| part.source == source) {
                part.open = part.open.saturating_sub(share);
                moved.push(Part { open: share, ..part.clone() });
            }
        }
        moved
    }

    #[test]
    fn a_refund_gives_back_to_the_card_first_as_on_the_carts_page() {
        let mut authorised = [part("credit", "400"), part("card", "600")];
        let captured = perform(Capture, &mut authorised, "1000");
        assert_eq!(captured, [part("credit", "400"), part("card", "600")]);
        assert_eq!(served(Refund, &captured, "400"), shares(&[("card", "400")]));
        assert_eq!(served(Refund, &captured, "700"), shares(&[("card", "600"), ("credit", "100")]));
    }

    #[test]
    fn a_capture_takes_the_credit_first_as_on_the_legacy_page() {
        let order = [part("card", "15.89"), part("credit", "11.00")];
        assert_eq!(served(Capture, &order, "13.45"), shares(&[("credit", "11"), ("card", "2.45")]));
    }

    #[test]
    fn the_second_capture_takes_the_rest_from_the_card() {
        let mut order = [part("card", "15.89"), part("credit", "11.00")];
        perform(Capture, &mut order, "13.45");
        assert_eq!(served(Capture, &order, "13.44"), shares(&[("card", "13.44")]));
    }

    #[test]
    fn a_refund_after_a_whole_capture_as_in_the_worked_example() {
        let mut order = [part("credit", "20.00"), part("card", "6.89")];
        let captured = perform(Capture, &mut order, "26.89");
        assert_eq!(
            served(Refund, &captured, "13.45"),
            shares(&[("card", "6.89"), ("credit", "6.56")])
        );
    }

    #[test]
    fn a_second_refund_goes_on_where_the_first_ended() {
        let mut captured = [part("credit", "400"), part("card", "600")];
        perform(Refund, &mut captured, "700");
        assert_eq!(served(Refund, &captured, "300"), shares(&[("credit", "300")]));
    }

    #[test]
    fn a_cancel_lets_the_card_go_first() {
        let order = [part("credit-a", "5"), part("credit-b", "7"), part("card", "10")];
        assert_eq!(
            served(Cancel, &order, "16"),
            shares(&[("card", "10"), ("credit-a", "5"), ("credit-b", "1")])
        );
    }

    #[test]
    fn nothing_is_served_beyond_what_is_open_or_below_zero() {
        let order = [part("credit", "5"), part("card", "10")];
        assert_eq!(served(Capture, &order, "99"), shares(&[("credit", "5"), ("card", "10")]));
        assert_eq!(served(Capture, &order, "-1"), shares(&[]));
        assert_eq!(
            served(Refund, &[part("card", "-3"), part("credit", "4")], "4"),
            shares(&[("credit", "4")])
        );
        assert_eq!(served(Refund, &[], "4"), shares(&[]));
    }

    fn cents(cents: i64) -> Amount {
        let sign = if cents < 0 { "-" } else { "" };
        amount(&format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100))
    }

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        let part = |(nth, (secondary, open)): (usize, (bool, i64))| Part {
            source: format!("s{nth}").into(),
            secondary,
            open: cents(open),
        };
        prop::collection::vec((any::<bool>(), -500i64..50_000), 0..6)
            .prop_map(move |parts| parts.into_iter().enumerate().map(part).collect())
    }

    proptest! {
        #[test]
        fn every_split_is_exact_and_in_order(
            parts in parts(),
            wanted in -500i64..200_000,
            operation in prop::sample::select(vec![Capture, Cancel, Refund]),
        ) {
            let wanted = cents(wanted);
            let shares = split(operation, &parts, wanted);
            let open: Amount = parts.iter().map(|part| part.open.max(Amount::ZERO)).sum();
            let sum: Amount = shares.iter().map(|(_, share)| *share).sum();
            prop_assert_eq!(sum, wanted.max(Amount::ZERO).min(open));

            let of = |id: &SourceId| parts.iter().position(|part| part.source == *id);
            let served: Vec<usize> = shares.iter().filter_map(|(id, _)| of(id)).collect();
            prop_assert_eq!(served.len(), shares.len());
            for ((_, share), nth) in shares.iter().zip(&served) {
                prop_assert!(share.is_positive() && *share <= parts[*nth].open);
            }
            let rank = |nth: usize| (parts[nth].secondary != (operation == Capture), nth);
            prop_assert!(served.windows(2).all(|pair| rank(pair[0]) < rank(pair[1])));
            // A part that is served less than all is the last one served.
            let open = parts.iter().enumerate().filter(|(_, part)| part.open.is_positive());
            for (nth, part) in open {
                let share = shares.iter().find(|(id, _)| *id == part.source);
                let share = share.map_or(Amount::ZERO, |(_, share)| *share);
                if share < part.open {
                    prop_assert!(served.iter().all(|other| rank(*other) <= rank(nth)));
                }
            }
        }

        #[test]
        fn capturing_and_refunding_in_pieces_moves_what_was_there_and_no_more(
            parts in parts(),
            captures in prop::collection::vec(0i64..30_000, 0..4),
            refunds in prop::collection::vec(0i64..30_000, 0..4),
        ) {
            let step = |operation, open: &mut Vec<Part>, wanted: i64| {
                let moved = split(operation, open, cents(wanted));
                for (id, share) in &moved {
                    for part in open.iter_mut().filter(|part| part.source == *id) {
                        part.open = part.open.saturating_sub(*share);
                    }
                }
                moved
            };
            let mut authorised = parts.clone();
            let empty = |part: &Part| Part { open: Amount::ZERO, ..part.clone() };
            let mut captured: Vec<Part> = parts.iter().map(empty).collect();
            for wanted in captures {
                for (id, share) in step(Capture, &mut authorised, wanted) {
                    for part in captured.iter_mut().filter(|part| part.source == id) {
                        part.open = part.open.checked_add(share).unwrap_or_default();
                    }
                }
            }
            let total = |parts: &[Part]| -> Amount {
                parts.iter().map(|part| part.open.max(Amount::ZERO)).sum()
            };
            let open = total(&authorised);
            prop_assert_eq!(open.checked_add(total(&captured)), Some(total(&parts)));
            // Until all secondaries are captured, no primary is.
            let holds = |parts: &[Part], secondary| {
                parts.iter().any(|part| part.secondary == secondary && part.open.is_positive())
            };
            prop_assert!(!(holds(&captured, false) && holds(&authorised, true)));

            let before = total(&captured);
            let mut refunded = Amount::ZERO;
            for wanted in refunds {
                let moved = step(Refund, &mut captured, wanted);
                let moved: Amount = moved.iter().map(|(_, share)| *share).sum();
                refunded = refunded.checked_add(moved).unwrap_or_default();
            }
            prop_assert_eq!(total(&captured).checked_add(refunded), Some(before));
        }
    }
}
