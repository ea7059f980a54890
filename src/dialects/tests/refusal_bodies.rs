//! Every row of the rules' table, from the wire to the wire: what upstream has shown, a call that
//! breaks the rule, and the body it is refused with.

use crate::{
    dialects::{
        Classified, Dialects, Rendered, UnreadableRequest, carts, checkouts, classify, decoded_body,
    },
    rules::{
        self, CustomerRecord, Dialect, FreshFor, Known, Policy, RuleId, SessionKey, SessionRecord,
        SourceRecord, Target, Timestamp, Toggle, Verdict,
    },
};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use std::collections::BTreeSet;

const CART: &str = "GET /v1/shoppers/me/carts/active?expand=all";
const OPTIONS: &str = "GET /v1/shoppers/me/payment-options?expand=all";
const ATTACH: &str = "POST /v1/shoppers/me/carts/active/apply-payment-method";

/// A checkout's answer; its id is 1.
fn checkout(total: &str, remaining: &str, state: &str, sources: &str, more: &str) -> String {
    format!(
        r#"{{"id":"1","totalAmount":{total},"payment":{{"sources":[{sources}],"session":{{"amountRemainingToBeContributed":{remaining},"state":"{state}"}}}}{more}}}"#
    )
}

fn cart(remaining: &str, status: &str, method: &str) -> String {
    format!(
        r#"{{"cart":{{"id":7,"paymentMethod":{{{method}}},"paymentSession":{{"status":"{status}","amountContributed":{{"value":0}},"amountRemainingToBeContributed":{{"value":{remaining}}}}}}}}}"#
    )
}

fn source(id: &str, kind: &str, more: &str) -> (String, String) {
    (
        format!("GET /sources/{id}"),
        format!(
            r#"{{"id":"{id}","type":"{kind}","amount":5,"state":"chargeable","reusable":false{more}}}"#
        ),
    )
}

fn policy() -> Policy {
    let mut policy = Policy { fresh_for: FreshFor::Forever, ..crate::dialects::policy() };
    for rule in RuleId::ALL {
        policy.set(*rule, Toggle::Reject);
    }
    policy
}

/// What is known once upstream has given these answers.
fn known(shown: &[(String, String)], policy: &Policy) -> Known {
    let (mut known, now) = (Known::default(), Timestamp(1));
    for (call, body) in shown {
        let (method, uri) = head(call);
        let Classified::Governed(mut call) =
            classify(Dialects::built_in(), &method, &uri, &HeaderMap::new())
        else {
            panic!("{call}")
        };
        call.is_lookup = true;
        let intent = call
            .intent(&HeaderMap::new(), &decoded_body(&HeaderMap::new(), b"", 0))
            .unwrap()
            .unwrap();
        let answer = call
            .read_answer(&intent, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), 8 << 20)
            .unwrap();
        let session = intent.session().map(|target| match target {
            Target::Session(key) => key.clone(),
            Target::Active(kind) => SessionKey::new(*kind, "7"),
        });
        let learned = rules::learn(&intent, &answer, session.as_ref(), &known, policy);
        if let Some((_, observation)) = learned.session {
            known.session.get_or_insert_with(SessionRecord::default).apply(
                &observation,
                policy,
                now,
            );
        }
        for (id, observation) in learned.sources {
            known.sources.entry(id).or_insert_with(SourceRecord::default).apply(&observation, now);
        }
        for (_, observation) in learned.customers {
            known.customer.get_or_insert_with(CustomerRecord::default).apply(&observation, now);
            known.looked_up.push((rules::Lookup::Customer, rules::LookupResult::At(now)));
        }
        if let rules::Stated::Stated(options) = answer.options {
            known.options = Some(options);
        }
    }
    known
}

fn head(call: &str) -> (Method, Uri) {
    let (method, uri) = call.split_once(' ').unwrap();
    (method.parse().unwrap(), uri.parse().unwrap())
}

/// The rule that a call breaks, and how it is answered.
fn refused(call: &str, body: &str, shown: &[(String, String)]) -> ((Dialect, RuleId), Rendered) {
    let policy = policy();
    let (method, uri) = head(call);
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, "application/json".parse().unwrap());
    let (form, violation) = match classify(Dialects::built_in(), &method, &uri, &headers) {
        Classified::Ungoverned => panic!("{call} is ungoverned"),
        Classified::Ambiguous(found, violation) => (found.form(), violation),
        Classified::Governed(found) => {
            match found.intent(&headers, &decoded_body(&headers, body.as_bytes(), 1 << 20)) {
                Err(UnreadableRequest::Ambiguous(violation)) => (found.form(), *violation),
                Ok(Some(intent)) => {
                    match rules::decide(&known(shown, &policy), &intent, &policy, Timestamp(2)) {
                        Verdict::Reject(violation) => (found.form(), violation),
                        other => panic!("{call} {body}: {other:?}"),
                    }
                }
                other => panic!("{call} {body}: {other:?}"),
            }
        }
    };
    ((violation.dialect, violation.rule), Dialects::built_in().refusal(form, &violation))
}

fn checkouts_body(kind: &str, code: &str, parameter: &str, message: &str) -> String {
    let parameter =
        if parameter.is_empty() { String::new() } else { format!(r#""parameter":"{parameter}","#) };
    format!(
        r#"{{"type":"{kind}","errors":[{{"code":"{code}",{parameter}"message":"{message}"}}]}}"#
    )
}

fn carts_body(code: &str, subcode: &str, description: &str) -> String {
    format!(
        r#"{{"errors":{{"error":[{{"relation":"https://developers.digitalriver.com/v1/shoppers/CartsResource","code":"{code}","subcode":"{subcode}","description":"{description}"}}]}}}}"#
    )
}

/// A rule, a call that breaks it, what upstream has shown before, and the answer.
type Case = (Dialect, RuleId, &'static str, &'static str, Vec<(String, String)>, u16, String);

fn checkouts_cases() -> Vec<Case> {
    use checkouts::DIALECT as D;
    let card = r#"{"id":"p","type":"creditCard","amount":20}"#;
    let read = |body: String| ("GET /checkouts/1".to_owned(), body);
    let funded = |sources: &str, more: &str| {
        read(checkout("20", "0", "requires_confirmation", sources, more))
    };
    let empty = || read(checkout("20", "20", "requires_source", "", ""));
    let credit = || source("c", "customerCredit", "");
    let attach = "POST /checkouts/1/sources/c";
    let credit_too_late = "Updating source is not allowed for the current session state.";
    let spent = (
        "GET /sources/c".to_owned(),
        r#"{"id":"c","type":"customerCredit","amount":5,"state":"cancelled"}"#.to_owned(),
    );
    let saved = (
        "GET /sources/p".to_owned(),
        r#"{"id":"p","type":"creditCard","state":"chargeable","reusable":true,"customerId":"5"}"#
            .to_owned(),
    );
    let unsaved = source("p", "creditCard", "");
    let conflict =
        |code, parameter, message: &str| checkouts_body("conflict", code, parameter, message);
    let bad =
        |code, parameter, message: &str| checkouts_body("bad_request", code, parameter, message);
    vec![
        (
            D,
            RuleId::AmbiguousRequest,
            "POST /checkouts//1",
            "",
            vec![],
            400,
            bad("ambiguous_request", "", "The path has empty segments."),
        ),
        (
            D,
            RuleId::AmbiguousRequest,
            "POST /checkouts/1",
            "x=y",
            vec![],
            400,
            bad("ambiguous_request", "", "The body is not one JSON object."),
        ),
        (
            D,
            RuleId::SecondaryAfterSingleUsePrimary,
            attach,
            "",
            vec![funded(card, ""), unsaved.clone(), credit()],
            409,
            conflict("session_update_not_allowed", "", credit_too_late),
        ),
        (
            D,
            RuleId::SpentSource,
            "POST /checkouts/1",
            r#"{"sourceId":"c"}"#,
            vec![empty(), spent.clone()],
            409,
            conflict(
                "source_status_invalid_for_session",
                "",
                "The source status is invalid for this session.",
            ),
        ),
        (
            D,
            RuleId::AmountExceedsTotal,
            attach,
            "",
            vec![read(checkout("4", "4", "requires_source", "", "")), credit()],
            409,
            conflict(
                "session_source_amount_too_large",
                "",
                "Source amount(s) exceed session amount",
            ),
        ),
        (
            D,
            RuleId::PrimaryPairing,
            "POST /checkouts/1/sources/b",
            "",
            vec![
                read(checkout(
                    "20",
                    "15",
                    "requires_source",
                    r#"{"id":"c","type":"customerCredit","amount":5}"#,
                    "",
                )),
                source("b", "blik", ""),
            ],
            409,
            conflict(
                "source_not_supported",
                "sourceId",
                "A source of type 'customerCredit' cannot be combined with a primary source of type 'blik'.",
            ),
        ),
        (
            D,
            RuleId::SecondPrimary,
            "POST /checkouts/1/sources/q",
            "",
            vec![funded(card, ""), unsaved, source("q", "payPal", "")],
            409,
            conflict("session_update_not_allowed", "", credit_too_late),
        ),
        (
            D,
            RuleId::SaveNonreusable,
            "POST /customers/5/sources/c",
            "",
            vec![credit()],
            409,
            conflict(
                "nonreusable_source",
                "",
                "Only a reusable source may be attached to a customer.",
            ),
        ),
        (
            D,
            RuleId::SaveNotChargeable,
            "POST /customers/5/sources/ea6b",
            "",
            vec![(
                "GET /sources/ea6b".to_owned(),
                r#"{"id":"ea6b","type":"creditCard","state":"cancelled"}"#.to_owned(),
            )],
            409,
            conflict("source_not_chargeable", "sourceId", "Source 'ea6b' is not chargeable."),
        ),
        (
            D,
            RuleId::ForeignSavedSource,
            "POST /orders",
            r#"{"checkoutId":"1"}"#,
            vec![funded(card, r#","customerId":"6""#), saved],
            409,
            conflict(
                "source_in_use",
                "sourceId",
                "Source 'p' is attached to a different customer.",
            ),
        ),
        (
            D,
            RuleId::UnderfundedOrder,
            "POST /orders",
            r#"{"checkoutId":"1"}"#,
            vec![empty()],
            400,
            bad("order_submit_failed", "", "Payment session status is invalid."),
        ),
        (
            D,
            RuleId::DefaultSourceNotSaved,
            "POST /customers/5",
            r#"{"defaultSourceId":"p"}"#,
            vec![("GET /customers/5".to_owned(), r#"{"id":"5","sources":[]}"#.to_owned())],
            409,
            conflict(
                "invalid_parameter",
                "defaultSourceId",
                "Source 'p' is not attached to this customer.",
            ),
        ),
        (
            D,
            RuleId::SecondarySourceShape,
            "POST /sources",
            r#"{"type":"customerCredit","customerCredit":{}}"#,
            vec![],
            400,
            bad("missing_parameter", "amount", "Missing required parameter 'amount'."),
        ),
        (
            D,
            RuleId::SecondarySourceShape,
            "POST /sources",
            "{}",
            vec![],
            400,
            bad("missing_parameter", "type", "Missing required parameter 'type'."),
        ),
        (
            D,
            RuleId::CreditAmountRepeated,
            "POST /checkouts/1",
            r#"{"creditAmount":1}"#,
            vec![read(r#"{"id":"1","creditAmount":"11.00"}"#.to_owned())],
            409,
            conflict("creditAmount_already_updated", "", "Credit amount has already been updated."),
        ),
        (
            D,
            RuleId::CreditAmountAfterSingleUsePrimary,
            "POST /checkouts/1",
            r#"{"creditAmount":1}"#,
            vec![
                read(format!(r#"{{"id":"1","sources":[{card}]}}"#)),
                source("p", "creditCard", ""),
            ],
            409,
            conflict(
                "source_not_supported",
                "sourceId",
                "The source status is invalid for this session.",
            ),
        ),
        (
            D,
            RuleId::InvoiceBillingOptimization,
            "POST /invoices/1/sources/c",
            "",
            vec![
                (
                    "GET /invoices/1".to_owned(),
                    checkout("20", "20", "requires_source", "", r#","billingOptimization":true"#),
                ),
                credit(),
            ],
            409,
            conflict(
                "source_not_supported",
                "sourceId",
                "A secondary source is not supported by an invoice whose billing optimization is turned on.",
            ),
        ),
    ]
}

fn carts_cases() -> Vec<Case> {
    use carts::DIALECT as D;
    let card = r#""sourceId":"p","type":"creditCard","amountContributed":{"value":20}"#;
    let read = |body: String| (CART.to_owned(), body);
    let paid = || read(cart("0", "requires_confirmation", card));
    let credit = || source("c", "customerCredit", "");
    let pay = |code: RuleId, description: &str| {
        carts_body("apply-payment-failure", code.as_str(), description)
    };
    let credit_in_body = r#"{"paymentMethod":{"sourceId":"c"}}"#;
    let two = r#""sourceId":"d","type":"customerCredit","amountContributed":{"value":1},"supplementaryPaymentMethods":[{"sourceId":"e","type":"customerCredit"}]"#;
    let one = r#""sourceId":"c","type":"customerCredit","amountContributed":{"value":5}"#;
    let save = "POST /v1/shoppers/me/payment-options";
    vec![
        (
            D,
            RuleId::AmbiguousRequest,
            "POST /v1/shoppers/me/carts/active/submit-cart;a",
            "",
            vec![],
            400,
            carts_body("ambiguous_request", "ambiguous-request", "The path has matrix parameters."),
        ),
        (
            D,
            RuleId::PrimaryBeforeSecondary,
            ATTACH,
            credit_in_body,
            vec![paid(), credit()],
            409,
            pay(
                RuleId::PrimaryBeforeSecondary,
                "Store credit applied after the primary payment method would be ignored when the cart is submitted. Detach the primary, attach the store credit, then attach the primary again.",
            ),
        ),
        (
            D,
            RuleId::SecondPrimary,
            "POST /v1/shoppers/me/carts/active/apply-shopper",
            "",
            vec![
                paid(),
                (
                    OPTIONS.to_owned(),
                    r#"{"paymentOptions":{"paymentOption":[{"id":3,"sourceId":"q","type":"payPalBilling","isDefault":"true"}]}}"#
                        .to_owned(),
                ),
                source("q", "payPalBilling", ""),
            ],
            409,
            pay(RuleId::SecondPrimary, "The cart already has a primary payment method. Detach it, then attach the new one."),
        ),
        (
            D,
            RuleId::OneSecondary,
            ATTACH,
            r#"{"paymentMethod":{"sourceId":"p"}}"#,
            vec![read(cart("15", "requires_source", two)), source("p", "creditCard", "")],
            409,
            pay(
                RuleId::OneSecondary,
                "A primary payment method can be combined with only one store credit. Detach the other store credits, or create one with the whole amount.",
            ),
        ),
        (
            D,
            RuleId::PrimaryPairing,
            ATTACH,
            r#"{"paymentMethod":{"sourceId":"b"}}"#,
            vec![read(cart("15", "requires_source", one)), source("b", "konbini", "")],
            409,
            pay(
                RuleId::PrimaryPairing,
                "A source of type 'customerCredit' cannot be combined with a primary source of type 'konbini'. Use another primary payment method, or pay without store credit.",
            ),
        ),
        (
            D,
            RuleId::SpentSource,
            ATTACH,
            credit_in_body,
            vec![
                read(cart("20", "requires_source", "")),
                ("GET /sources/c".to_owned(), r#"{"id":"c","type":"customerCredit","state":"consumed"}"#.to_owned()),
            ],
            409,
            pay(
                RuleId::SpentSource,
                "The source has been consumed, cancelled or has failed. Create a new source and attach that.",
            ),
        ),
        (
            D,
            RuleId::SaveNonreusable,
            save,
            r#"{"paymentOption":{"sourceId":"c"}}"#,
            vec![credit()],
            409,
            carts_body(
                "apply-payment-failure",
                "nonreusable_source",
                "Only a reusable source may be saved as a payment option. Attach this one to the cart only.",
            ),
        ),
        (
            D,
            RuleId::SaveNotChargeable,
            save,
            r#"{"paymentOption":{"sourceId":"p"}}"#,
            vec![("GET /sources/p".to_owned(), r#"{"id":"p","type":"creditCard","state":"failed"}"#.to_owned())],
            409,
            carts_body("apply-payment-failure", "source_not_chargeable", "Source 'p' is not chargeable. Save it once it is."),
        ),
        (
            D,
            RuleId::AmountExceedsTotal,
            ATTACH,
            credit_in_body,
            vec![read(cart("4", "requires_source", "")), credit()],
            409,
            carts_body(
                "apply-payment-failure",
                "session_source_amount_too_large",
                "The store credit exceeds what remains to be paid. Create one of at most amountRemainingToBeContributed.",
            ),
        ),
        (
            D,
            RuleId::UnderfundedOrder,
            "POST /v1/shoppers/me/carts/active/submit-cart",
            "",
            vec![read(cart("4", "requires_source", ""))],
            409,
            carts_body(
                "submit-cart-failed",
                "underfunded-order",
                "The cart is not fully paid for. Attach sources until amountRemainingToBeContributed is 0.",
            ),
        ),
        (
            D,
            RuleId::SecondarySourceOwner,
            "POST /sources",
            r#"{"type":"customerCredit","amount":1,"customerCredit":{},"owner":{"email":"e"}}"#,
            vec![],
            400,
            checkouts_body(
                "bad_request",
                "invalid_parameter",
                "owner",
                "Create a secondary source without an owner: its address could be copied to the cart and make the authorisation fail.",
            ),
        ),
        (
            D,
            RuleId::SecondaryAmountEdit,
            "PATCH /sources/c",
            r#"{"amount":"7"}"#,
            vec![credit()],
            409,
            checkouts_body(
                "conflict",
                "session_update_not_allowed",
                "",
                "The amount of a secondary source cannot be changed. Detach it, create a new one, and attach that.",
            ),
        ),
    ]
}

#[test]
fn every_row_is_refused_with_its_literal_body() {
    let mut met = BTreeSet::new();
    for (dialect, rule, call, body, shown, status, expected) in
        checkouts_cases().into_iter().chain(carts_cases())
    {
        let (broken, rendered) = refused(call, body, &shown);
        assert_eq!(broken, (dialect, rule), "{call} {body}");
        assert_eq!(std::str::from_utf8(&rendered.body), Ok(expected.as_str()), "{call} {body}");
        assert_eq!(
            (rendered.status.as_u16(), rendered.content_type),
            (status, "application/json"),
            "{call} {body}"
        );
        met.insert(broken);
    }
    let policy = policy();
    let all: BTreeSet<_> = policy.rows(None).map(|(dialect, row, _)| (dialect, row.id)).collect();
    assert_eq!(met, all);
}
