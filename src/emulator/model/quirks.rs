//! The ways in which the vendor is odd: one value, which flags, control routes and tests all set.
//!
//! Nothing is odd by default. A quirk has one name everywhere and is written `name`, or
//! `name=value` where it takes one.

use super::{doc::Doc, refusal::Refusal};
use std::{fmt, str::FromStr};

/// The ways in which the vendor is odd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// How `GET /sources/{id}` is denied to a shopper's token; `None` shows the source.
    pub deny_shopper_reads: Option<Denial>,
    /// Whether restricted keys change things and read nothing, instead of the reverse.
    pub order_only_keys: bool,
    /// Whether removing or detaching what is not there succeeds.
    pub lenient_removals: bool,
    /// Whether a cart shows its primary without the source's id.
    pub nameless_primaries: bool,
    /// Whether a GET of the carts API may name another method, and a callback, in its query.
    pub jsonp: bool,
    /// Whether computed amounts are written as sums of doubles come out.
    pub noisy_amounts: bool,
    /// Whether amounts are rounded to the decimals of their currency, and not always to two.
    pub currency_decimals: bool,
    /// When an attached store credit takes effect; `None` means at once.
    pub late_credit: Option<Landing>,
    /// Reads that fail although nothing is wrong with them.
    pub failing_reads: Option<FailingReads>,
}

/// How a read is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// 401: the credential is not known.
    Unauthorized,
    /// 403: the credential may not make the call.
    Forbidden,
}

/// When a late credit takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// After so many further calls about its session, reads included.
    AfterCalls(u32),
    /// When the control route, or [`Emulator::land`](crate::emulator::Emulator::land), says so.
    WhenTold,
}

/// Which reads fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailingReads {
    /// The status they answer; 429 comes with `Retry-After: 1`.
    pub status: u16,
    /// How many more fail; `None` means all.
    pub left: Option<u32>,
}

/// A quirk, as help and pages describe it.
#[derive(Clone, Copy, Debug)]
pub struct QuirkWords {
    /// Its name, with the value that it takes.
    pub form: &'static str,
    /// What the vendor does with it: facts, a sentence each.
    pub about: &'static [&'static str],
}

impl Quirks {
    /// Every quirk, in the order in which they are shown.
    pub const ALL: [QuirkWords; 9] = [
        QuirkWords {
            form: "deny-shopper-reads[=STATUS]",
            about: &[
                "A shopper's token may not read a source.",
                "GET /sources/{id} answers 403, or 401 if that is the status given.",
            ],
        },
        QuirkWords {
            form: "order-only-keys",
            about: &[
                "Restricted keys (rk_…) change checkouts, invoices, customers and orders.",
                "Every read with them answers 403.",
            ],
        },
        QuirkWords {
            form: "lenient-removals",
            about: &["Removing or detaching what is not there answers 204 instead of 404."],
        },
        QuirkWords {
            form: "nameless-primaries",
            about: &["A cart shows its primary, and what that pays, without a sourceId."],
        },
        QuirkWords {
            form: "jsonp",
            about: &[
                "On carts, method=post, put or delete in the query of a GET is the method.",
                "With callback=f in the query the answer is the script f(…).",
            ],
        },
        QuirkWords {
            form: "noisy-amounts",
            about: &[
                "Totals, primaries' shares and remainders are one step of a double too low.",
                "10.3 is written 10.299999999999999.",
                "A remainder of nothing is written 2.842170943040401e-14.",
            ],
        },
        QuirkWords {
            form: "currency-decimals",
            about: &[
                "Amounts are rounded to the decimals of their currency: JPY 0, USD 2, KWD 3.",
                "Without this quirk lines and taxes are rounded to two decimals.",
            ],
        },
        QuirkWords {
            form: "late-credit[=CALLS]",
            about: &[
                "An attach of store credit is answered at once and takes effect later.",
                "It takes effect after so many further calls about its session, reads included.",
                "Without a number it takes effect when the control route says so.",
                "What the vendor would refuse by then is dropped without a word.",
            ],
        },
        QuirkWords {
            form: "failing-reads=STATUS[xTIMES]",
            about: &[
                "Reads answer that status, which is 429 or from 500 to 599.",
                "503x3 fails the next three reads, 503 all reads until it is turned off.",
                "429 comes with Retry-After: 1.",
            ],
        },
    ];

    /// Sets the quirk of that name: `None` turns it off, an empty value is its bare name.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Refusal> {
        let wrong = || Refusal::new(400, "invalid_parameter", explain(name)).about(name);
        let is_on = || match value {
            None => Ok(false),
            Some("") => Ok(true),
            Some(_) => Err(wrong()),
        };
        match name {
            "deny-shopper-reads" => {
                self.deny_shopper_reads = optional(value, read_denial, wrong)?;
            }
            "order-only-keys" => self.order_only_keys = is_on()?,
            "lenient-removals" => self.lenient_removals = is_on()?,
            "nameless-primaries" => self.nameless_primaries = is_on()?,
            "jsonp" => self.jsonp = is_on()?,
            "noisy-amounts" => self.noisy_amounts = is_on()?,
            "currency-decimals" => self.currency_decimals = is_on()?,
            "late-credit" => self.late_credit = optional(value, read_landing, wrong)?,
            "failing-reads" => self.failing_reads = optional(value, read_failing, wrong)?,
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// Returns every quirk by its name, with its value in text: `None` is off, and an empty text
    /// is on without a value.
    pub(crate) fn each(&self) -> [(&'static str, Option<String>); 9] {
        let bare = |on: bool| on.then(String::new);
        [
            ("deny-shopper-reads", self.deny_shopper_reads.map(|denial| denial.to_string())),
            ("order-only-keys", bare(self.order_only_keys)),
            ("lenient-removals", bare(self.lenient_removals)),
            ("nameless-primaries", bare(self.nameless_primaries)),
            ("jsonp", bare(self.jsonp)),
            ("noisy-amounts", bare(self.noisy_amounts)),
            ("currency-decimals", bare(self.currency_decimals)),
            ("late-credit", self.late_credit.map(|landing| landing.to_string())),
            ("failing-reads", self.failing_reads.map(|reads| reads.to_string())),
        ]
    }

    /// Sets the quirks that a document names by members: `false` is off, `true` the bare name, and
    /// anything else its value.
    pub(crate) fn read(mut self, doc: &Doc) -> Result<Self, Refusal> {
        for (name, value) in doc.members() {
            match value {
                Doc::Null | Doc::Bool(false) => self.set(name, None),
                Doc::Bool(true) => self.set(name, Some("")),
                // No quirk takes a list or an object: neither has a text.
                value => self.set(name, Some(value.text().unwrap_or("?"))),
            }?;
        }
        Ok(self)
    }

    /// Shows every quirk as [`Quirks::read`] reads it.
    pub(crate) fn to_doc(self) -> Doc {
        self.each().into_iter().fold(Doc::object(), |doc, (name, value)| match value {
            None => doc.with(name, false),
            Some(value) if value.is_empty() => doc.with(name, true),
            Some(value) => doc.with(name, value),
        })
    }

    /// Returns what the removal of something that is not there comes to.
    pub(crate) fn absent(&self, refusal: Refusal) -> Result<(), Refusal> {
        if self.lenient_removals { Ok(()) } else { Err(refusal) }
    }

    /// Takes one failing read from those that are left, and returns its status.
    pub(crate) fn fail_a_read(&mut self) -> Option<u16> {
        let failing = self.failing_reads.as_mut()?;
        let status = failing.status;
        match &mut failing.left {
            Some(left) if *left > 1 => *left -= 1,
            Some(_) => self.failing_reads = None,
            None => {}
        }
        Some(status)
    }
}

/// Reads the value of a quirk that is on.
fn optional<T>(
    value: Option<&str>,
    read: fn(&str) -> Option<T>,
    wrong: impl Fn() -> Refusal,
) -> Result<Option<T>, Refusal> {
    value.map(|value| read(value).ok_or_else(wrong)).transpose()
}

/// Says what a quirk takes, or which quirks there are.
fn explain(name: &str) -> String {
    let forms = Quirks::ALL.map(|words| words.form);
    let is_named = |form: &&&str| form.split(['[', '=']).next() == Some(name);
    match forms.iter().find(is_named) {
        Some(form) => format!("Write the quirk as {form}."),
        None => format!("There is no quirk '{name}'. The quirks are {}.", forms.join(", ")),
    }
}

fn read_denial(value: &str) -> Option<Denial> {
    match value {
        "" | "403" => Some(Denial::Forbidden),
        "401" => Some(Denial::Unauthorized),
        _ => None,
    }
}

fn read_landing(value: &str) -> Option<Landing> {
    if value.is_empty() { Some(Landing::WhenTold) } else { count(value).map(Landing::AfterCalls) }
}

fn read_failing(value: &str) -> Option<FailingReads> {
    let (status, left) = match value.split_once('x') {
        Some((status, times)) => (status, Some(count(times)?)),
        None => (value, None),
    };
    let status = status.parse().ok().filter(|status| matches!(status, 429 | 500..=599))?;
    Some(FailingReads { status, left })
}

/// Reads a number of calls: from one to a million.
fn count(text: &str) -> Option<u32> {
    Doc::from(text).count().filter(|count| *count > 0)
}

impl FromStr for Quirks {
    type Err = String;

    /// Reads a list with commas, as a flag takes it: `noisy-amounts,late-credit=2`.
    fn from_str(list: &str) -> Result<Self, String> {
        let mut quirks = Self::default();
        for quirk in list.split(',').map(str::trim).filter(|quirk| !quirk.is_empty()) {
            let (name, value) = quirk.split_once('=').unwrap_or((quirk, ""));
            quirks.set(name, Some(value)).map_err(|refusal| refusal.text)?;
        }
        Ok(quirks)
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthorized => "401",
            Self::Forbidden => "403",
        })
    }
}

impl fmt::Display for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AfterCalls(calls) => calls.fmt(f),
            Self::WhenTold => Ok(()),
        }
    }
}

impl fmt::Display for FailingReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.left {
            Some(left) => write!(f, "{}x{left}", self.status),
            None => self.status.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "deny-shopper-reads=401,order-only-keys,lenient-removals,\
                       nameless-primaries,jsonp,noisy-amounts,currency-decimals,late-credit=2,failing-reads=503x3";

    fn odd() -> Quirks {
        Quirks {
            deny_shopper_reads: Some(Denial::Unauthorized),
            order_only_keys: true,
            lenient_removals: true,
            nameless_primaries: true,
            jsonp: true,
            noisy_amounts: true,
            currency_decimals: true,
            late_credit: Some(Landing::AfterCalls(2)),
            failing_reads: Some(FailingReads { status: 503, left: Some(3) }),
        }
    }

    #[test]
    fn a_list_says_every_quirk() {
        assert_eq!(ALL.parse(), Ok(odd()));
        assert_eq!("".parse(), Ok(Quirks::default()));
        let bare = "deny-shopper-reads, late-credit, failing-reads=429".parse();
        let expected = Quirks {
            deny_shopper_reads: Some(Denial::Forbidden),
            late_credit: Some(Landing::WhenTold),
            failing_reads: Some(FailingReads { status: 429, left: None }),
            ..Quirks::default()
        };
        assert_eq!(bare, Ok(expected));
    }

    #[test]
    fn what_is_shown_reads_back() {
        let bare: Quirks = "deny-shopper-reads,late-credit,failing-reads=429".parse().unwrap();
        for quirks in [Quirks::default(), odd(), bare] {
            assert_eq!(Quirks::default().read(&quirks.to_doc()).ok(), Some(quirks));
            assert_eq!(odd().read(&quirks.to_doc()).ok(), Some(quirks), "false turns off");
        }
    }

    #[test]
    fn the_words_name_every_quirk_in_the_order_in_which_they_are_shown() {
        let names = Quirks::ALL.map(|words| words.form.split(['[', '=']).next().unwrap());
        assert_eq!(names, Quirks::default().each().map(|(name, _)| name));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (list, told) in [
            ("jsonp=1", "Write the quirk as jsonp."),
            ("late-credit=0", "Write the quirk as late-credit[=CALLS]."),
            ("late-credit=soon", "Write the quirk as late-credit[=CALLS]."),
            ("deny-shopper-reads=404", "Write the quirk as deny-shopper-reads[=STATUS]."),
            ("failing-reads", "Write the quirk as failing-reads=STATUS[xTIMES]."),
            ("failing-reads=200", "Write the quirk as failing-reads=STATUS[xTIMES]."),
            ("failing-reads=503x0", "Write the quirk as failing-reads=STATUS[xTIMES]."),
        ] {
            assert_eq!(list.parse::<Quirks>(), Err(told.to_owned()), "{list}");
        }
        let told = "noisy".parse::<Quirks>().unwrap_err();
        assert!(told.starts_with("There is no quirk 'noisy'. The quirks are deny-"), "{told}");
    }

    #[test]
    fn failing_reads_are_used_up() {
        let mut quirks: Quirks = "failing-reads=503x2".parse().unwrap();
        let failed = [quirks.fail_a_read(), quirks.fail_a_read(), quirks.fail_a_read()];
        assert_eq!((failed, quirks), ([Some(503), Some(503), None], Quirks::default()));
        let mut quirks: Quirks = "failing-reads=429".parse().unwrap();
        assert!((0..9).all(|_| quirks.fail_a_read() == Some(429)));
    }
}
