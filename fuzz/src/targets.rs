//! The targets as functions. Each returns whether its input was understood, so that a test can tell
//! that a corpus reaches both ends.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use weir::internals::{
    config,
    dialects::{self, Call, Classified, DecodedBody, Dialects, decoded_body},
    edge::{ReadProxyHeader, read_proxy_header},
    rules::Intent,
    sessions,
};

/// What a governed body may have at most.
const LIMIT: usize = 1 << 20;

const APPLY: &str = "/v1/shoppers/me/carts/active/apply-payment-method";
const ACTIVE: &str = "/v1/shoppers/me/carts/active";

/// A head: the method and the target in the first line, then fields. Understood: the call is
/// governed.
pub fn path(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut lines = text.lines();
    let Some((method, target)) = lines.next().and_then(|line| line.split_once(' ')) else {
        return false;
    };
    let (Ok(method), Ok(uri)) = (method.parse::<Method>(), target.parse::<Uri>()) else {
        return false;
    };
    let fields = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    });
    let headers = HeaderMap::from_iter(fields);
    let first = classified(&method, &uri, &headers);
    assert_eq!(first, classified(&method, &uri, &headers), "the same head, read twice");
    first == "governed"
}

/// The body of an update of a checkout. Understood: it has a meaning.
pub fn checkouts_body(data: &[u8]) -> bool {
    read_both_ways(Method::POST, "/checkouts/1", "application/json", data)
}

/// The body of an apply of a payment method to a cart, in JSON.
pub fn carts_body(data: &[u8]) -> bool {
    read_both_ways(Method::POST, APPLY, "application/json", data)
}

/// The same in XML, and as the answer to a read of the cart.
pub fn xml(data: &[u8]) -> bool {
    // A read has a meaning whatever its body is: only its answer counts.
    read_both_ways(Method::GET, ACTIVE, "application/xml", data);
    read_both_ways(Method::POST, APPLY, "application/xml", data)
}

/// The query of an apply of a payment method.
pub fn query(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(uri) = format!("{APPLY}?{text}").parse::<Uri>() else { return false };
    let headers = HeaderMap::new();
    let Classified::Governed(call) =
        dialects::classify(Dialects::built_in(), &Method::POST, &uri, &headers)
    else {
        return false;
    };
    matches!(meaning(&call, &headers, b""), Ok(Some(_)))
}

/// A configuration file. Understood: it can be used as far as its text tells.
pub fn configuration(data: &[u8]) -> bool {
    std::str::from_utf8(data).is_ok_and(|text| config::check_text(text, dialects::policy()) == 0)
}

/// A stored record. Understood: it is one, and what is written of it is read as the same.
pub fn stored(data: &[u8]) -> bool {
    sessions::reads_as_record(data)
}

/// The first bytes of a connection. Understood: they begin with a whole PROXY header, which is read
/// as the same however much of what follows has come, and of which no part is whole or broken.
pub fn proxy_header(data: &[u8]) -> bool {
    let read = read_proxy_header(data);
    let ReadProxyHeader::Whole { length, .. } = read else {
        // More bytes do not mend what is broken, and fewer were a part of it or broken as well.
        let broken = matches!(read, ReadProxyHeader::Broken(_));
        let more = read_proxy_header(&[data, b"\r\n"].concat());
        assert!(!broken || matches!(more, ReadProxyHeader::Broken(_)), "{more:?}");
        return false;
    };
    assert!(length <= data.len(), "it ends where nothing is");
    assert_eq!(read, read_proxy_header(&data[..length]), "what follows it changes it");
    for part in 0..length {
        assert_eq!(read_proxy_header(&data[..part]), ReadProxyHeader::Part, "its first {part}");
    }
    true
}

fn classified(method: &Method, uri: &Uri, headers: &HeaderMap) -> &'static str {
    match dialects::classify(Dialects::built_in(), method, uri, headers) {
        Classified::Governed(_) => "governed",
        Classified::Ungoverned => "ungoverned",
        _ => "ambiguous",
    }
}

/// Reads a body as a request's and as the answer to it.
fn read_both_ways(method: Method, target: &'static str, media: &'static str, data: &[u8]) -> bool {
    let headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::ACCEPT, HeaderValue::from_static(media)),
    ]);
    let uri = Uri::from_static(target);
    let Classified::Governed(call) =
        dialects::classify(Dialects::built_in(), &method, &uri, &headers)
    else {
        panic!("{target} is governed");
    };
    let read = meaning(&call, &headers, data);
    assert_eq!(
        format!("{read:?}"),
        format!("{:?}", meaning(&call, &headers, data)),
        "the same body, read twice"
    );
    let Ok(Some(intent)) = read else { return false };
    let _ = call.read_answer(&intent, StatusCode::OK, &headers, data, LIMIT);
    let _ = call.error_code(&headers, data, LIMIT);
    true
}

fn meaning(call: &Call, headers: &HeaderMap, data: &[u8]) -> Result<Option<Intent>, String> {
    let body: DecodedBody<'_> = decoded_body(headers, data, LIMIT);
    call.intent(headers, &body).map_err(|why| format!("{why:?}"))
}
