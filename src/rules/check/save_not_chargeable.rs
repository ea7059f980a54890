//! Saving a source that is not chargeable.

use super::save_nonreusable::saved_source;
use crate::rules::{
    Field, Finding, Intent, SourceId, SourceState,
    known::{Judged, View},
};

/// Returns whether the call only repeats that this source is behind its payment option: a source
/// that is saved is reusable.
fn stays_saved(view: &mut View<'_>, source: &SourceId) -> Judged<bool> {
    match view.intent {
        Intent::ChangeOption { .. } => {
            view.of_source(source, Field::Reusable, |s| &s.reusable).copied()
        }
        _ => Ok(false),
    }
}

pub(super) fn save_not_chargeable(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let Some(source) = saved_source(view.intent) else { return Ok(None) };
    let state = view.source_state(source)?;
    if *state == SourceState::Chargeable || (!state.is_spent() && stays_saved(view, source)?) {
        return Ok(None);
    }
    Ok(Some(Finding::NotChargeable { source: source.clone(), state: state.clone() }))
}

#[cfg(test)]
mod tests {

    use crate::{
        dialects::Refusal,
        rules::{
            FreshFor, Lookup, RuleId, SourceFacts, Stated, Verdict,
            fixtures::{Given, card, change_option, owes, save, save_option},
        },
    };

    const RULE: RuleId = RuleId::SaveNotChargeable;

    fn lookup() -> Lookup {
        Lookup::Source("s".into())
    }

    fn customers() -> Refusal {
        Refusal {
            status: 409,
            code: "source_not_chargeable",
            subcode: None,
            parameter: Some("sourceId".into()),
            message: "Source 's' is not chargeable.".into(),
        }
    }

    fn shoppers() -> Refusal {
        Refusal {
            status: 409,
            code: "apply-payment-failure",
            subcode: Some("source_not_chargeable"),
            parameter: None,
            message: "Source 's' is not chargeable. Save it once it is.".into(),
        }
    }

    #[test]
    fn a_spent_source_is_not_saved() {
        for state in ["cancelled", "consumed", "failed"] {
            let given = Given::nothing().source(card("s").in_state(state));
            owes(RULE, &given, &save("customer", "s"), &customers(), &[lookup()]);
            owes(RULE, &given, &save_option("s"), &shoppers(), &[lookup()]);
        }
    }

    #[test]
    fn a_state_that_changes_on_its_own_is_always_confirmed_first() {
        for state in [
            "pending_redirect",
            "source_pending_redirect",
            "pending_funds",
            "requires_action",
            "pending",
            "under_review",
        ] {
            for fresh_for in
                [FreshFor::Within(std::time::Duration::from_secs(2)), FreshFor::Forever]
            {
                let given = Given::nothing()
                    .source(card("s").in_state(state))
                    .policy(|policy| policy.fresh_for = fresh_for);
                given.needs(&save("customer", "s"), lookup());
                given.clone().failed(lookup()).forwards(&save("customer", "s"));
                given.clone().confirmed(lookup()).refuses(
                    &save("customer", "s"),
                    RULE,
                    &customers(),
                );
                given.clone().confirmed(lookup()).refuses(&save_option("s"), RULE, &shoppers());
                // The shopper came back meanwhile.
                given.source(card("s")).looked_up(lookup()).forwards(&save("customer", "s"));
            }
        }
    }

    #[test]
    fn a_payment_option_is_changed_to_a_chargeable_source_or_keeps_its_own() {
        let change = change_option(Some("s"));
        for state in ["cancelled", "consumed", "failed"] {
            let given = Given::nothing().source(card("s").in_state(state));
            owes(RULE, &given, &change, &shoppers(), &[lookup()]);
        }
        Given::nothing().source(card("s")).forwards(&change);
        let pending = |source: SourceFacts| source.in_state("pending_funds");
        let given = Given::nothing().source(pending(card("s"))).confirmed(lookup());
        given.refuses(&change, RULE, &shoppers());
        let saved = Given::nothing().source(pending(card("s").saved_to("shopper")));
        saved.confirmed(lookup()).forwards(&change);
    }

    #[test]
    fn a_chargeable_source_is_saved() {
        Given::nothing().source(card("s")).forwards(&save("customer", "s"));
        Given::nothing().source(card("s")).an_hour_later().forwards(&save_option("s"));
    }

    #[test]
    fn an_unknown_state_is_looked_up() {
        let given = Given::nothing().source(SourceFacts { state: Stated::Unstated, ..card("s") });
        given.needs(&save("customer", "s"), lookup());
        given.clone().looked_up(lookup()).forwards(&save("customer", "s"));
        let strict = given
            .failed(lookup())
            .policy(|policy| policy.on_lookup_failure = crate::rules::OnLookupFailure::Reject);
        assert_eq!(strict.decide(&save("customer", "s")), Verdict::Unavailable(lookup()));
    }
}
