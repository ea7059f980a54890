//! Merchant keys of the checkouts API.
//!
//! A key is `pk_` (public), `sk_` (confidential) or `rk_` (restricted), then optionally `test_` or
//! `live_`, then the merchant's name up to the next underscore: `sk_test_acme` and `pk_acme_web`
//! are both keys of `acme`. There is no list of keys: any key of that form is valid.

use super::refusal::Refusal;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Creates primary sources, and reads a source whose client secret it holds.
    Public,
    /// Makes every call.
    Confidential,
    /// Reads only.
    Restricted,
    /// Changes only: what a restricted key is where the vendor's quirks say so.
    OrderOnly,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) merchant: String,
    pub(crate) role: Role,
}

impl Key {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (prefix, rest) = text.split_once('_')?;
        let role = match prefix {
            "pk" => Role::Public,
            "sk" => Role::Confidential,
            "rk" => Role::Restricted,
            _ => return None,
        };
        let rest =
            rest.strip_prefix("test_").or_else(|| rest.strip_prefix("live_")).unwrap_or(rest);
        let merchant = rest.split('_').next().filter(|name| !name.is_empty())?;
        Some(Self { merchant: merchant.to_owned(), role })
    }

    /// Makes a restricted key one that changes things and reads nothing.
    pub(crate) fn order_only(mut self) -> Self {
        if self.role == Role::Restricted {
            self.role = Role::OrderOnly;
        }
        self
    }

    /// Refuses calls that this key may not make: a restricted key only reads, and a public key
    /// does not even read.
    pub(crate) fn allow(&self, mutation: bool) -> Result<(), Refusal> {
        match self.role {
            Role::Confidential => Ok(()),
            Role::Restricted if !mutation => Ok(()),
            Role::OrderOnly if mutation => Ok(()),
            _ => Err(Refusal::forbidden()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_merchant_and_role() {
        for (text, merchant, role) in [
            ("pk_acme", "acme", Role::Public),
            ("sk_test_acme", "acme", Role::Confidential),
            ("sk_live_globex_2", "globex", Role::Confidential),
            ("rk_acme_reports", "acme", Role::Restricted),
        ] {
            assert_eq!(Key::parse(text), Some(Key { merchant: merchant.into(), role }), "{text}");
        }
        for bad in ["", "acme", "xx_acme", "sk_", "sk_test_"] {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
    }
}
