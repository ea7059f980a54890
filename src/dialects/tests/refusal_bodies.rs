//! Checks every row of the rules' tables from wire to wire: what upstream has shown, a call that
//! breaks the rule, and the body of the refusal.

use crate::{
    dialects::{
        Classified, Dialects, ErrorCode, Rendered, UnreadableRequest, carts, checkouts, classify,
        decoded_body,
    },
    rules::{
        self, CustomerRecord, Dialect, FreshFor, Known, Policy, RuleId, SessionKey, SourceRecord,
        Target, Timestamp, Toggle, Verdict,
    },
};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use std::{collections::BTreeSet, sync::Arc};

const CART: &str = "GET /v1/shoppers/me/carts/active?expand=all";
const OPTIONS: &str = "GET /v1/shoppers/me/payment-options?expand=all";
const ATTACH: &str = "POST /v1/shoppers/me/carts/active/apply-payment-method";

/// Writes a checkout's answer; its id is 1.
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

/// Returns what is known once upstream has given these answers.
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
            Arc::make_mut(known.session.get_or_insert_default()).apply(&observation, policy, now);
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

/// Returns the rule that a call breaks, and how it is answered.
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

/// Reads the code of an answer as one of upstream's.
fn error_code(call: &str, rendered: &Rendered) -> ErrorCode {
    let (method, uri) = head(call);
    let headers = HeaderMap::new();
    match classify(Dialects::built_in(), &method, &uri, &headers) {
        Classified::Governed(call) | Classified::Ambiguous(call, _) => {
            call.error_code(&headers, &rendered.body, 1 << 20).expect("a code")
        }
        Classified::Ungoverned => panic!("{call}"),
    }
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

/// A call that breaks a rule, and how it is refused.
struct Case {
    dialect: Dialect,
    rule: RuleId,
    call: &'static str,
    body: &'static str,
    /// Calls and what upstream answered them before.
    shown: Vec<(String, String)>,
    status: u16,
    answer: String,
}

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
        Case {
            dialect: D,
            rule: RuleId::AmbiguousRequest,
            call: "POST /checkouts//1",
            body: "",
            shown: vec![],
            status: 400,
            answer: bad("ambiguous_request", "", "The path has empty segments."),
        },
        Case {
            dialect: D,
            rule: RuleId::AmbiguousRequest,
            call: "POST /checkouts/1",
            body: "x=y",
            shown: vec![],
            status: 400,
            answer: bad("ambiguous_request", "", "The body is not one JSON object."),
        },
        Case {
            dialect: D,
            rule: RuleId::SecondaryAfterSingleUsePrimary,
            call: attach,
            body: "",
            shown: vec![funded(card, ""), unsaved.clone(), credit()],
            status: 409,
            answer: conflict("session_update_not_allowed", "", credit_too_late),
        },
        Case {
            dialect: D,
            rule: RuleId::SpentSource,
            call: "POST /checkouts/1",
            body: r#"{"sourceId":"c"}"#,
            shown: vec![empty(), spent.clone()],
            status: 409,
            answer: conflict(
                "source_status_invalid_for_session",
                "",
                "The source status is invalid for this session.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::AmountExceedsTotal,
            call: attach,
            body: "",
            shown: vec![read(checkout("4", "4", "requires_source", "", "")), credit()],
            status: 409,
            answer: conflict(
                "session_source_amount_too_large",
                "",
                "Source amount(s) exceed session amount",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::PrimaryPairing,
            call: "POST /checkouts/1/sources/b",
            body: "",
            shown: vec![
                read(checkout(
                    "20",
                    "15",
                    "requires_source",
                    r#"{"id":"c","type":"customerCredit","amount":5}"#,
                    "",
                )),
                source("b", "blik", ""),
            ],
            status: 409,
            answer: conflict(
                "source_not_supported",
                "sourceId",
                "A source of type 'customerCredit' cannot be combined with a primary source of type 'blik'.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::SecondPrimary,
            call: "POST /checkouts/1/sources/q",
            body: "",
            shown: vec![funded(card, ""), unsaved, source("q", "payPal", "")],
            status: 409,
            answer: conflict("session_update_not_allowed", "", credit_too_late),
        },
        Case {
            dialect: D,
            rule: RuleId::SaveNonreusable,
            call: "POST /customers/5/sources/c",
            body: "",
            shown: vec![credit()],
            status: 409,
            answer: conflict(
                "nonreusable_source",
                "",
                "Only a reusable source may be attached to a customer.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::SaveNotChargeable,
            call: "POST /customers/5/sources/ea6b",
            body: "",
            shown: vec![(
                "GET /sources/ea6b".to_owned(),
                r#"{"id":"ea6b","type":"creditCard","state":"cancelled"}"#.to_owned(),
            )],
            status: 409,
            answer: conflict(
                "source_not_chargeable",
                "sourceId",
                "Source 'ea6b' is not chargeable.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::ForeignSavedSource,
            call: "POST /orders",
            body: r#"{"checkoutId":"1"}"#,
            shown: vec![funded(card, r#","customerId":"6""#), saved],
            status: 409,
            answer: conflict(
                "source_in_use",
                "sourceId",
                "Source 'p' is attached to a different customer.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::UnderfundedOrder,
            call: "POST /orders",
            body: r#"{"checkoutId":"1"}"#,
            shown: vec![empty()],
            status: 400,
            answer: bad("order_submit_failed", "", "Payment session status is invalid."),
        },
        Case {
            dialect: D,
            rule: RuleId::DefaultSourceNotSaved,
            call: "POST /customers/5",
            body: r#"{"defaultSourceId":"p"}"#,
            shown: vec![("GET /customers/5".to_owned(), r#"{"id":"5","sources":[]}"#.to_owned())],
            status: 409,
            answer: conflict(
                "invalid_parameter",
                "defaultSourceId",
                "Source 'p' is not attached to this customer.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::SecondarySourceShape,
            call: "POST /sources",
            body: r#"{"type":"customerCredit","customerCredit":{}}"#,
            shown: vec![],
            status: 400,
            answer: bad("missing_parameter", "amount", "Missing required parameter 'amount'."),
        },
        Case {
            dialect: D,
            rule: RuleId::SecondarySourceShape,
            call: "POST /sources",
            body: "{}",
            shown: vec![],
            status: 400,
            answer: bad("missing_parameter", "type", "Missing required parameter 'type'."),
        },
        Case {
            dialect: D,
            rule: RuleId::CreditAmountRepeated,
            call: "POST /checkouts/1",
            body: r#"{"creditAmount":1}"#,
            shown: vec![read(r#"{"id":"1","creditAmount":"11.00"}"#.to_owned())],
            status: 409,
            answer: conflict(
                "creditAmount_already_updated",
                "",
                "Credit amount has already been updated.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::CreditAmountAfterSingleUsePrimary,
            call: "POST /checkouts/1",
            body: r#"{"creditAmount":1}"#,
            shown: vec![
                read(format!(r#"{{"id":"1","sources":[{card}]}}"#)),
                source("p", "creditCard", ""),
            ],
            status: 409,
            answer: conflict(
                "source_not_supported",
                "sourceId",
                "The source status is invalid for this session.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::InvoiceBillingOptimization,
            call: "POST /invoices/1/sources/c",
            body: "",
            shown: vec![
                (
                    "GET /invoices/1".to_owned(),
                    checkout("20", "20", "requires_source", "", r#","billingOptimization":true"#),
                ),
                credit(),
            ],
            status: 409,
            answer: conflict(
                "source_not_supported",
                "sourceId",
                "A secondary source is not supported by an invoice whose billing optimization is turned on.",
            ),
        },
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
    let late = r#""sourceId":"p","type":"creditCard","amountContributed":{"value":20},"supplementaryPaymentMethods":[{"sourceId":"c","type":"customerCredit","amountContributed":{"value":5}}]"#;
    let save = "POST /v1/shoppers/me/payment-options";
    vec![
        Case {
            dialect: D,
            rule: RuleId::AmbiguousRequest,
            call: "POST /v1/shoppers/me/carts/active/submit-cart;a",
            body: "",
            shown: vec![],
            status: 400,
            answer: carts_body("ambiguous_request", "ambiguous-request", "The path has matrix parameters."),
        },
        Case {
            dialect: D,
            rule: RuleId::PrimaryBeforeSecondary,
            call: ATTACH,
            body: credit_in_body,
            shown: vec![paid(), credit()],
            status: 409,
            answer: pay(
                RuleId::PrimaryBeforeSecondary,
                "Store credit applied after the primary payment method would be ignored when the cart is submitted. Detach the primary, attach the store credit, then attach the primary again.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::SecondPrimary,
            call: "POST /v1/shoppers/me/carts/active/apply-shopper",
            body: "",
            shown: vec![
                paid(),
                (
                    OPTIONS.to_owned(),
                    r#"{"paymentOptions":{"paymentOption":[{"id":3,"sourceId":"q","type":"payPalBilling","isDefault":"true"}]}}"#
                        .to_owned(),
                ),
                source("q", "payPalBilling", ""),
            ],
            status: 409,
            answer: pay(RuleId::SecondPrimary, "The cart already has a primary payment method. Detach it, then attach the new one."),
        },
        Case {
            dialect: D,
            rule: RuleId::OneSecondary,
            call: ATTACH,
            body: r#"{"paymentMethod":{"sourceId":"p"}}"#,
            shown: vec![read(cart("15", "requires_source", two)), source("p", "creditCard", "")],
            status: 409,
            answer: pay(
                RuleId::OneSecondary,
                "A primary payment method can be combined with only one store credit. Detach the other store credits, or create one with the whole amount.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::PrimaryPairing,
            call: ATTACH,
            body: r#"{"paymentMethod":{"sourceId":"b"}}"#,
            shown: vec![read(cart("15", "requires_source", one)), source("b", "konbini", "")],
            status: 409,
            answer: pay(
                RuleId::PrimaryPairing,
                "A source of type 'customerCredit' cannot be combined with a primary source of type 'konbini'. Use another primary payment method, or pay without store credit.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::SpentSource,
            call: ATTACH,
            body: credit_in_body,
            shown: vec![
                read(cart("20", "requires_source", "")),
                ("GET /sources/c".to_owned(), r#"{"id":"c","type":"customerCredit","state":"consumed"}"#.to_owned()),
            ],
            status: 409,
            answer: pay(
                RuleId::SpentSource,
                "The source has been consumed, cancelled or has failed. Create a new source and attach that.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::SaveNonreusable,
            call: save,
            body: r#"{"paymentOption":{"sourceId":"c"}}"#,
            shown: vec![credit()],
            status: 409,
            answer: carts_body(
                "apply-payment-failure",
                "nonreusable_source",
                "Only a reusable source may be saved as a payment option. Attach this one to the cart only.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::SaveNotChargeable,
            call: save,
            body: r#"{"paymentOption":{"sourceId":"p"}}"#,
            shown: vec![("GET /sources/p".to_owned(), r#"{"id":"p","type":"creditCard","state":"failed"}"#.to_owned())],
            status: 409,
            answer: carts_body("apply-payment-failure", "source_not_chargeable", "Source 'p' is not chargeable. Save it once it is."),
        },
        Case {
            dialect: D,
            rule: RuleId::AmountExceedsTotal,
            call: ATTACH,
            body: credit_in_body,
            shown: vec![read(cart("4", "requires_source", "")), credit()],
            status: 409,
            answer: carts_body(
                "apply-payment-failure",
                "session_source_amount_too_large",
                "The store credit exceeds what remains to be paid. Create one of at most amountRemainingToBeContributed.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::UnderfundedOrder,
            call: "POST /v1/shoppers/me/carts/active/submit-cart",
            body: "",
            shown: vec![read(cart("4", "requires_source", ""))],
            status: 409,
            answer: carts_body(
                "submit-cart-failed",
                "underfunded-order",
                "The cart is not fully paid for. Attach sources until amountRemainingToBeContributed is 0.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::LostCredit,
            call: "POST /v1/shoppers/me/carts/active/resume-cart",
            body: "",
            shown: vec![read(cart("0", "requires_confirmation", late))],
            status: 409,
            answer: carts_body(
                "submit-cart-failed",
                "lost-credit",
                "The store credit 'c' was applied after the primary payment method 'p' and would be ignored. Detach the primary, attach it again, then submit the cart.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::SecondarySourceOwner,
            call: "POST /sources",
            body: r#"{"type":"customerCredit","amount":1,"customerCredit":{},"owner":{"email":"e"}}"#,
            shown: vec![],
            status: 400,
            answer: checkouts_body(
                "bad_request",
                "invalid_parameter",
                "owner",
                "Create a secondary source without an owner: its address could be copied to the cart and make the authorisation fail.",
            ),
        },
        Case {
            dialect: D,
            rule: RuleId::SecondaryAmountEdit,
            call: "PATCH /sources/c",
            body: r#"{"amount":"7"}"#,
            shown: vec![credit()],
            status: 409,
            answer: checkouts_body(
                "conflict",
                "session_update_not_allowed",
                "",
                "The amount of a secondary source cannot be changed. Detach it, create a new one, and attach that.",
            ),
        },
    ]
}

#[test]
fn every_row_is_refused_with_its_literal_body() {
    let mut met = BTreeSet::new();
    for case in checkouts_cases().into_iter().chain(carts_cases()) {
        let Case { dialect, rule, call, body, shown, status, answer } = case;
        let (broken, rendered) = refused(call, body, &shown);
        assert_eq!(broken, (dialect, rule), "{call} {body}");
        assert_eq!(std::str::from_utf8(&rendered.body), Ok(answer.as_str()), "{call} {body}");
        assert_eq!(
            (rendered.status.as_u16(), rendered.content_type),
            (status, "application/json"),
            "{call} {body}"
        );
        met.insert(broken);
        // A refusal of upstream's is recognised by the same code.
        let row = dialect.row(rule).expect("a row");
        let code = error_code(call, &rendered);
        let named = Dialects::built_in().named_by(&[broken], &code);
        let refuses = row.upstream == rules::Upstream::Refuses;
        assert_eq!(named.map(|violation| violation.rule), refuses.then_some(rule), "{call}");
    }
    let policy = policy();
    let all: BTreeSet<_> = policy.rows(None).map(|(dialect, row, _)| (dialect, row.id)).collect();
    assert_eq!(met, all);
}
