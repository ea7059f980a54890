use super::*;

/// Reads the member `m` of an answer, and what was noted.
fn reading<T>(raw: &str, read: impl Fn(&Members<'_, '_>) -> T) -> (T, Vec<String>) {
    let notes = Notes::default();
    let json = format!(r#"{{"m":{raw}}}"#);
    let value = read(&Members::of(json.as_bytes(), &["m"], &notes).unwrap());
    (value, notes.into_unread().iter().map(ToString::to_string).collect())
}

#[test]
fn amounts_and_flags_are_read_bare_and_as_text() {
    for raw in ["19.99", "\"19.99\"", "1999e-2", "\"19.990\"", "\"\\u0031\\u0039.99\""] {
        let (amount, noted) = reading(raw, |object| object.amount("m"));
        assert_eq!((amount, noted), (Stated::Stated("19.99".parse().unwrap()), vec![]), "{raw}");
    }
    let (amount, _) = reading("0.1234567890123456789012345678", |object| object.amount("m"));
    assert_eq!(amount.as_ref().unwrap().to_string().len(), 30);
    for raw in ["null", "\"\"", "\" \"", "\"\\n \\n\""] {
        let (amount, noted) = reading(raw, |object| object.amount("m"));
        assert_eq!((amount, noted), (Stated::Unstated, vec![]), "{raw}");
    }
    for (raw, flag) in [("\"false\"", false), ("true", true)] {
        assert_eq!(reading(raw, |object| object.flag("m")).0, Stated::Stated(flag));
    }
    assert_eq!(
        reading("\"usd\"", |object| object.currency("m")).0,
        Stated::Stated("USD".parse().unwrap())
    );
    assert_eq!(reading("\"points\"", |object| object.currency("m")).0, Stated::Unstated);
}

#[test]
fn a_member_of_another_form_is_noted_by_its_place_and_form_and_not_by_its_value() {
    let amount = |object: &Members<'_, '_>| object.amount("m") == Stated::Unread;
    let flag = |object: &Members<'_, '_>| object.flag("m") == Stated::Unread;
    let word = |object: &Members<'_, '_>| object.kind("m") == Stated::Unread;
    let id = |object: &Members<'_, '_>| object.id("m") == Stated::Unread;
    let object = |outer: &Members<'_, '_>| matches!(outer.object("m", &[]), Stated::Unread);
    let list = |outer: &Members<'_, '_>| matches!(outer.list("m", &[]), Stated::Unread);
    let long = format!("\"{}\"", "9".repeat(LONGEST + 1));
    type Read<'t> = &'t dyn Fn(&Members<'_, '_>) -> bool;
    let cases: [(&str, Read<'_>, &str); 22] = [
        ("1e30", &amount, "a number that is too large"),
        ("1e400", &amount, "a number that is too large"),
        ("\"a secret\"", &amount, "a text that is no amount"),
        ("\"1,000.00\"", &amount, "a text that is no amount"),
        (&long, &amount, "a text that is too long"),
        ("true", &amount, "a flag"),
        ("{}", &amount, "an object"),
        ("[1]", &amount, "a list"),
        ("\"no\"", &flag, "a text that is no flag"),
        ("1", &flag, "a number"),
        ("5", &word, "a number"),
        ("true", &word, "a flag"),
        ("\"\\ud800\"", &word, "a text with a broken escape"),
        ("1.5", &id, "a number"),
        ("{\"id\":1}", &id, "an object"),
        ("false", &id, "a flag"),
        ("40.0", &object, "a number"),
        ("[{}]", &object, "a list"),
        ("\"x\"", &object, "a text"),
        ("5", &list, "a number"),
        ("[{},5]", &list, "a list of other things than objects"),
        ("[[{}]]", &list, "a list of other things than objects"),
    ];
    for (raw, is_unread, form) in cases {
        assert_eq!(reading(raw, is_unread), (true, vec![format!("m: {form}")]), "{raw}");
    }
}

#[test]
fn places_are_named_from_the_outside() {
    let notes = Notes::default();
    let json = br#"{"a":{"b":[{"c":{}},{"c":[]},{"d":1}]},"a2":1,"a2":1,"w":{"c":{}}}"#;
    let object = Members::of(json, &["a", "a2", "w"], &notes).unwrap();
    let a = object.object("a", &["b"]).into_stated().unwrap();
    for each in a.list("b", &["c"]).into_stated().unwrap() {
        let _ = each.amount("c");
    }
    assert_eq!(object.amount("a2"), Stated::Unread);
    let _ = object.wrapped("w", &["c"]).into_stated().unwrap().amount("c");
    let noted: Vec<_> = notes.into_unread().iter().map(ToString::to_string).collect();
    assert_eq!(noted, ["a.b[].c: an object", "a.b[].c: a list", "a2: there twice", "c: an object"]);
}

#[test]
fn objects_and_lists_may_be_missing_in_many_ways() {
    let many = |raw: &str| {
        reading(raw, |object| object.list("m", &[]).into_stated().map(|things| things.len())).0
    };
    for (json, expected) in [
        ("[]", Some(0)),
        ("[{},{}]", Some(2)),
        ("{}", Some(1)),
        ("null", None),
        ("\"\"", None),
        ("\" \\n\"", None),
    ] {
        assert_eq!(many(json), expected, "{json}");
    }
    assert!(reading("{}", |object| object.object("m", &[]).into_stated().is_some()).0);
}

#[test]
fn what_is_no_object_is_no_answer() {
    for json in ["", "[]", "5", "\"x\"", "{\"a\":1", "{\"a\":1} x", "{\"a\":01}", "<a/>"] {
        let notes = Notes::default();
        assert!(Members::of(json.as_bytes(), &["a"], &notes).is_err(), "{json}");
    }
}

#[test]
fn an_answer_that_is_wrong_throughout_is_noted_in_part() {
    let members: Vec<String> = (0..40).map(|nth| format!(r#"{{"n{nth}":{{}}}}"#)).collect();
    let json = format!(r#"{{"m":[{}]}}"#, members.join(","));
    let notes = Notes::default();
    const NAMES: [&str; 12] =
        ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n11"];
    let object = Members::of(json.as_bytes(), &["m"], &notes).unwrap();
    for each in object.list("m", &NAMES).into_stated().unwrap() {
        for name in NAMES {
            let _ = each.amount(name);
        }
    }
    assert_eq!(notes.into_unread().len(), NOTED);
}

#[test]
fn a_list_that_is_too_long_is_unread_and_never_cut() {
    for (length, is_read) in [(MOST_LISTED, true), (MOST_LISTED + 1, false)] {
        let raw = format!("[{}]", vec!["{}"; length].join(","));
        let (read, noted) = reading(&raw, |outer| match outer.list("m", &[]) {
            Stated::Stated(all) => Some(all.len()),
            Stated::Unread => None,
            Stated::Unstated => panic!("it is there"),
        });
        assert_eq!(read, is_read.then_some(length));
        assert_eq!(noted.len(), usize::from(!is_read), "{noted:?}");
    }
}
