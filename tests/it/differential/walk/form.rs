//! In which forms a caller says who it is.

use crate::testbed::Ask;
use proptest::prelude::*;

/// Who calls, and how it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `Authorization` without a scheme.
    Bare,
    /// `X-API-KEY`.
    ApiKeyHeader,
    /// `token` in the query.
    Token,
    /// A cookie, which only the merchant's site understands.
    Cookie,
    /// A cookie, and the `apiKey` of a whole site in the query.
    SiteKey,
    /// The same merchant's second key, or the same shopper's next token.
    Second,
    /// The same merchant's restricted key.
    Restricted,
    /// The key of the shopper's browser.
    Public,
    /// The key, or a shopper's token, of another merchant.
    Foreign,
    /// A credential that upstream does not know.
    Wrong,
    /// No credential.
    Nothing,
}

/// The credentials of one walk.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) first: String,
    pub(crate) second: String,
    pub(crate) restricted: String,
    pub(crate) public: String,
    pub(crate) foreign: String,
}

impl Keys {
    pub(crate) fn of_a_merchant() -> Self {
        Self {
            first: "sk_test_acme".to_owned(),
            second: "sk_test_acme_2".to_owned(),
            restricted: "rk_test_acme".to_owned(),
            public: "pk_test_acme".to_owned(),
            foreign: "sk_test_globex".to_owned(),
        }
    }
}

impl Form {
    /// Whether Weir recognises the credential.
    pub(crate) fn is_recognised(self) -> bool {
        !matches!(self, Self::Cookie | Self::SiteKey | Self::Nothing)
    }

    /// The credential that Weir recognises, which is the same in every spelling.
    pub(crate) fn credential(self, keys: &Keys) -> String {
        match self {
            Self::Second => keys.second.clone(),
            Self::Bearer | Self::Bare | Self::ApiKeyHeader | Self::Token => keys.first.clone(),
            _ => format!("{self:?}"),
        }
    }

    /// The call, by this caller.
    pub(crate) fn of(self, ask: Ask, keys: &Keys) -> Ask {
        let first = &keys.first;
        match self {
            Self::Bearer => ask.with("authorization", &format!("Bearer {first}")),
            Self::Bare => ask.with("authorization", first),
            Self::ApiKeyHeader => ask.with("x-api-key", first),
            Self::Token => with_query(ask, &format!("token={first}")),
            Self::Cookie => ask.with("cookie", &format!("caller={first}")),
            Self::SiteKey => {
                with_query(ask, "apiKey=site").with("cookie", &format!("caller={first}"))
            }
            Self::Second => ask.with("authorization", &format!("Bearer {}", keys.second)),
            Self::Restricted => ask.with("authorization", &format!("Bearer {}", keys.restricted)),
            Self::Public => ask.with("authorization", &format!("Bearer {}", keys.public)),
            Self::Foreign => ask.with("authorization", &format!("Bearer {}", keys.foreign)),
            Self::Wrong => ask.with("authorization", "Bearer nobody's"),
            Self::Nothing => ask,
        }
    }
}

fn with_query(mut ask: Ask, more: &str) -> Ask {
    let mark = if ask.path.contains('?') { '&' } else { '?' };
    ask.path = format!("{}{mark}{more}", ask.path);
    ask
}

pub(crate) fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        20 => Just(Form::Bearer),
        2 => Just(Form::Bare),
        2 => Just(Form::ApiKeyHeader),
        4 => Just(Form::Token),
        4 => Just(Form::Cookie),
        2 => Just(Form::SiteKey),
        4 => Just(Form::Second),
        1 => Just(Form::Restricted),
        1 => Just(Form::Public),
        2 => Just(Form::Foreign),
        1 => Just(Form::Wrong),
        1 => Just(Form::Nothing),
    ]
}
