use super::*;

const METHOD: &[Member] = &[value("sourceId")];
const MEMBERS: &[Member] =
    &[value("sourceId"), value("creditAmount"), Member { name: "paymentMethod", of: METHOD }];

fn source(body: &str) -> Result<Option<String>, RequestError> {
    Fields::read(body, MEMBERS)?.id("sourceId").map(|id| id.map(Cow::into_owned))
}

#[test]
fn a_field_is_found_where_it_is_listed() {
    for (body, expected) in [
        ("", None),
        ("  \n", None),
        ("{}", None),
        (r#"{"sourceId":null}"#, None),
        (r#"{"sourceId":""}"#, None),
        (r#"{"sourceId":"a-1"}"#, Some("a-1")),
        (r#"{"source\u0049d":"\u0061-1"}"#, Some("a-1")),
        (r#"{"sourceId":177642590336}"#, Some("177642590336")),
        (r#"{"paymentMethod":{"sourceId":"a"}}"#, Some("a")),
        (r#"{"paymentMethod":{"sourceId":"a"},"sourceId":"a"}"#, Some("a")),
        (r#"{"paymentMethod":null,"items":[{"sourceId":"b"},{"sourceId":"c"}]}"#, None),
    ] {
        assert_eq!(source(body), Ok(expected.map(str::to_owned)), "{body}");
    }
}

#[test]
fn what_two_parsers_would_read_differently_is_ambiguous() {
    for (body, why) in [
        (r#"{"sourceId":"a","sourceId":"a"}"#, "The body has `sourceId` more than once."),
        (r#"{"sourceId":"a","source\u0049d":"b"}"#, "The body has `sourceId` more than once."),
        (
            r#"{"paymentMethod":{"sourceId":"a","sourceId":"b"}}"#,
            "The body has `sourceId` more than once.",
        ),
        (
            r#"{"paymentMethod":{},"paymentMethod":{"sourceId":"b"}}"#,
            "The body has `paymentMethod` more than once.",
        ),
        (
            r#"{"paymentMethod":{"sourceId":"a"},"sourceId":"b"}"#,
            "The body has two values of `sourceId` that differ.",
        ),
        (r#"{"SourceId":"a"}"#, "The body spells `sourceId` in an unusual way."),
        (r#"{"sourceid":"a"}"#, "The body spells `sourceId` in an unusual way."),
        (r#"{" sourceId":"a"}"#, "The body spells `sourceId` in an unusual way."),
        ("{\"\u{17f}ourceId\":\"a\"}", "The body spells `sourceId` in an unusual way."),
        (
            r#"{"paymentMethod":[{"sourceId":"a"}]}"#,
            "In the body, `paymentMethod` is not an object.",
        ),
        (r#"{"sourceId":true}"#, "In the body, `sourceId` is not text."),
        (r#"{"sourceId":1.0}"#, "In the body, `sourceId` is not text."),
        (r#"{"sourceId":["a"]}"#, "In the body, `sourceId` is not text."),
        (r#"{"sourceId":" a"}"#, "In the body, `sourceId` has blanks around it."),
        (r#"{"sourceId":"a\n"}"#, "In the body, `sourceId` has blanks around it."),
        (r#"{"sourceId":"a"} {}"#, "The body is not one JSON object."),
        (r#"{"sourceId":"a"}x"#, "The body is not one JSON object."),
        (r#"{"sourceId":"a",}"#, "The body is not one JSON object."),
        (r#"{'sourceId':'a'}"#, "The body is not one JSON object."),
        (r#"{/**/"sourceId":"a"}"#, "The body is not one JSON object."),
        (r#"[{"sourceId":"a"}]"#, "The body is not one JSON object."),
        (r#""sourceId""#, "The body is not one JSON object."),
        ("[null]", "The body is not one JSON object."),
        ("sourceId=a", "The body is not one JSON object."),
        ("<sourceId>a</sourceId>", "The body is not one JSON object."),
    ] {
        assert_eq!(source(body), Err(RequestError::ambiguous(why)), "{body}");
    }
}

#[test]
fn nothing_is_read_where_no_rule_looks() {
    let deep = |n: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(n), "]".repeat(n));
    assert_eq!(source(&deep(500_000)), Ok(None));
    let open = format!(r#"{{"a":{}"#, "{\"a\":".repeat(400_000));
    assert_eq!(source(&open), Err(RequestError::ambiguous("The body is not one JSON object.")));
    for number in ["1".repeat(65), "1e309".to_owned(), "1E+99999999999".to_owned()] {
        assert_eq!(source(&format!(r#"{{"a":{number}}}"#)), Ok(None), "{number}");
    }
}

#[test]
fn amounts_and_flags_are_read_from_either_form() {
    let credit = |body: &str| {
        Fields::read(body, MEMBERS).unwrap().get("creditAmount").map(|value| value.amount("c"))
    };
    assert_eq!(credit(r#"{"creditAmount":11.00}"#), Some(Ok(Some("11".parse().unwrap()))));
    assert_eq!(credit(r#"{"creditAmount":"11.10"}"#), Some(Ok(Some("11.1".parse().unwrap()))));
    assert_eq!(credit(r#"{"creditAmount":null}"#), Some(Ok(None)));
    assert!(matches!(credit(r#"{"creditAmount":{}}"#), Some(Err(RequestError::Ambiguous(_)))));
    for (text, expected) in [("true", Some(true)), ("\"false\"", Some(false)), ("null", None)] {
        assert_eq!(Value(text).flag("f"), Ok(expected), "{text}");
    }
    assert!(Value("1").flag("f").is_err());
}

#[test]
fn only_the_named_member_is_left_out() {
    for (body, expected) in [
        (
            r#"{ "type": "customerCredit", "owner": {"a": [1]}, "amount": 2.00 }"#,
            Some(r#"{"type":"customerCredit","amount":2.00}"#),
        ),
        (r#"{"owner":null}"#, Some("{}")),
        (
            r#"{"a\"b":1e2,"\u006fwner":{},"c":{"owner":1, "d":"\u00e9"}}"#,
            Some(r#"{"a\"b":1e2,"c":{"owner":1, "d":"\u00e9"}}"#),
        ),
        (r#"{"type":"customerCredit"}"#, None),
        (r#"{"owner":{}"#, None),
        ("[]", None),
        ("\u{0}", None),
    ] {
        assert_eq!(
            without_member(body.as_bytes(), "owner").as_deref(),
            expected.map(str::as_bytes),
            "{body}"
        );
    }
}
