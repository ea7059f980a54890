//! Everything that the vendor remembers, in one place behind one lock.

use super::{
    cart::Cart,
    checkout::Checkout,
    customer::Customer,
    doc::Doc,
    funding::Funding,
    kind::Kind,
    late::LateCredits,
    mint::Mint,
    noise::{noisy, noisy_nothing},
    options::Options,
    order::Order,
    pricing::{Pricing, decimals, round},
    quirks::Quirks,
    refusal::Refusal,
    shopper::Shoppers,
    source::Source,
};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

pub(crate) struct World {
    pub(crate) options: Options,
    /// In what the vendor is odd now.
    pub(crate) quirks: Quirks,
    pub(crate) mint: Mint,
    pub(crate) sources: BTreeMap<String, Source>,
    pub(crate) checkouts: BTreeMap<String, Checkout>,
    pub(crate) invoices: BTreeMap<String, Checkout>,
    pub(crate) carts: BTreeMap<String, Cart>,
    /// By merchant and id, because merchants choose ids themselves.
    pub(crate) customers: BTreeMap<(String, String), Customer>,
    pub(crate) orders: BTreeMap<String, Order>,
    /// Fulfillments and refunds as they were answered, with their merchant.
    pub(crate) settled: BTreeMap<String, (String, Doc)>,
    pub(crate) shoppers: Shoppers,
    /// Credits whose attach was answered and has not taken effect.
    pub(crate) late: LateCredits,
    /// The currency of every payment session, by the session's id.
    currencies: BTreeMap<String, String>,
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            mint: Mint::new(options.seed),
            quirks: options.quirks,
            options,
            sources: BTreeMap::new(),
            checkouts: BTreeMap::new(),
            invoices: BTreeMap::new(),
            carts: BTreeMap::new(),
            customers: BTreeMap::new(),
            orders: BTreeMap::new(),
            settled: BTreeMap::new(),
            shoppers: Shoppers::default(),
            late: LateCredits::default(),
            currencies: BTreeMap::new(),
        }
    }

    /// Returns a source of the merchant; another merchant's is not found.
    pub(crate) fn source(&self, merchant: &str, id: &str) -> Result<&Source, Refusal> {
        self.sources
            .get(id)
            .filter(|source| source.merchant == merchant)
            .ok_or_else(|| Refusal::not_found("Source", id))
    }

    pub(crate) fn source_mut(&mut self, merchant: &str, id: &str) -> Result<&mut Source, Refusal> {
        self.sources
            .get_mut(id)
            .filter(|source| source.merchant == merchant)
            .ok_or_else(|| Refusal::not_found("Source", id))
    }

    /// Returns the attached primary source of a payment session.
    pub(crate) fn primary(&self, funding: &Funding) -> Option<&Source> {
        self.sources.get(&funding.primary()?.source)
    }

    /// Returns a checkout or invoice of the merchant.
    pub(crate) fn checkout(
        &self,
        merchant: &str,
        kind: Kind,
        id: &str,
    ) -> Result<&Checkout, Refusal> {
        let (checkouts, what) = if kind == Kind::Invoice {
            (&self.invoices, "Invoice")
        } else {
            (&self.checkouts, "Checkout")
        };
        checkouts
            .get(id)
            .filter(|checkout| checkout.merchant == merchant)
            .ok_or_else(|| Refusal::not_found(what, id).about("id"))
    }

    /// Returns all invoices, or all checkouts.
    pub(crate) fn checkouts_mut(&mut self, kind: Kind) -> &mut BTreeMap<String, Checkout> {
        if kind == Kind::Invoice { &mut self.invoices } else { &mut self.checkouts }
    }

    pub(crate) fn customer(&self, merchant: &str, id: &str) -> Result<&Customer, Refusal> {
        self.customers
            .get(&(merchant.to_owned(), id.to_owned()))
            .ok_or_else(|| Refusal::not_found("Customer", id).about("id"))
    }

    pub(crate) fn customer_mut(
        &mut self,
        merchant: &str,
        id: &str,
    ) -> Result<&mut Customer, Refusal> {
        self.customers
            .get_mut(&(merchant.to_owned(), id.to_owned()))
            .ok_or_else(|| Refusal::not_found("Customer", id).about("id"))
    }

    pub(crate) fn order(&self, merchant: &str, id: &str) -> Result<&Order, Refusal> {
        self.orders
            .get(id)
            .filter(|order| order.merchant == merchant)
            .ok_or_else(|| Refusal::not_found("Order", id).about("orderId"))
    }

    pub(crate) fn currency_of_session(&self, id: &str) -> Option<String> {
        self.currencies.get(id).cloned()
    }

    /// Puts off the attach of a source, if it is store credit and the vendor attaches that late.
    pub(crate) fn put_off(&mut self, kind: Kind, session: &str, source: &Source) -> bool {
        match self.quirks.late_credit.filter(|_| source.secondary()) {
            Some(landing) => {
                self.late.add(kind, session, &source.id, landing);
                true
            }
            None => false,
        }
    }

    /// Returns a computed amount as doubles have it, where the vendor's amounts are noisy.
    pub(crate) fn noise(&self, amount: Decimal) -> Option<Doc> {
        (self.quirks.noisy_amounts && !amount.is_zero()).then(|| noisy(amount))
    }

    /// Returns what is left to pay as doubles have it, where the vendor's amounts are noisy.
    pub(crate) fn noise_of_remainder(&self, funding: &Funding) -> Option<Doc> {
        let rest = funding.remaining();
        let is_paid = self.quirks.noisy_amounts && rest.is_zero() && !funding.total.is_zero();
        if is_paid { Some(noisy_nothing()) } else { self.noise(rest) }
    }

    /// Returns how many decimals amounts of a currency have.
    pub(crate) fn decimals(&self, currency: &str) -> u32 {
        decimals(currency, self.quirks.currency_decimals)
    }

    /// Returns the amount of a new credit: as it was sent, or in the decimals of its currency.
    pub(crate) fn credit_amount(&self, amount: Decimal, currency: &str) -> Decimal {
        if self.quirks.currency_decimals { round(amount, self.decimals(currency)) } else { amount }
    }

    /// Returns how the amounts of lines in a currency come about.
    pub(crate) fn pricing(&self, currency: &str) -> Pricing {
        Pricing { tax_rate: self.options.tax_rate, decimals: self.decimals(currency) }
    }

    /// Opens a payment session with nothing attached.
    pub(crate) fn open_session(&mut self, kind: Kind, currency: &str) -> Funding {
        let session = self.mint.uuid();
        self.currencies.insert(session.clone(), currency.to_owned());
        Funding {
            secret: self.mint.secret(&session),
            session,
            currency: currency.to_owned(),
            total: Decimal::ZERO,
            attached: Vec::new(),
            complete: false,
            late_credit_is_lost: kind == Kind::Cart,
        }
    }

    /// Brings the records of the attached sources in line with their session: what a primary
    /// contributes is its amount.
    pub(crate) fn update_attached(&mut self, funding: &Funding) {
        for one in &funding.attached {
            if let Some(source) = self.sources.get_mut(&one.source) {
                source.session = Some(funding.session.clone());
                source.currency = Some(funding.currency.clone());
                source.amount = Some(funding.share(one));
            }
        }
    }

    /// Releases a detached source: a saved one is free again, and a single-use one is spent if
    /// `spend` says so (checkouts).
    pub(crate) fn release(&mut self, id: &str, spend: bool) {
        let Some(source) = self.sources.get_mut(id) else {
            return;
        };
        if !source.secondary() {
            source.amount = None;
        }
        if source.reusable {
            source.session = None;
        } else if spend && !source.spent() {
            source.state = "cancelled";
        }
    }
}
