//! Everything the vendor remembers, in one place behind one lock.

use std::collections::BTreeMap;

use super::{
    Kind, Options, carts::Cart, checkouts::Checkout, customers::Customer, doc::Doc,
    funding::Funding, mint::Mint, orders::Order, refusal::Refusal, shoppers::Shoppers,
    sources::Source,
};

pub(super) struct World {
    pub(super) options: Options,
    pub(super) mint: Mint,
    pub(super) sources: BTreeMap<String, Source>,
    pub(super) checkouts: BTreeMap<String, Checkout>,
    pub(super) invoices: BTreeMap<String, Checkout>,
    pub(super) carts: BTreeMap<String, Cart>,
    /// By merchant and id: merchants choose ids themselves.
    pub(super) customers: BTreeMap<(String, String), Customer>,
    pub(super) orders: BTreeMap<String, Order>,
    /// Fulfillments and refunds as they were answered, with their merchant.
    pub(super) settled: BTreeMap<String, (String, Doc)>,
    pub(super) shoppers: Shoppers,
    /// The currency of every payment session, by its id.
    pub(super) currencies: BTreeMap<String, String>,
}

impl World {
    pub(super) fn new(options: Options) -> World {
        World {
            mint: Mint::new(options.seed),
            options,
            sources: BTreeMap::new(),
            checkouts: BTreeMap::new(),
            invoices: BTreeMap::new(),
            carts: BTreeMap::new(),
            customers: BTreeMap::new(),
            orders: BTreeMap::new(),
            settled: BTreeMap::new(),
            shoppers: Shoppers::default(),
            currencies: BTreeMap::new(),
        }
    }

    /// A source of that merchant; another merchant's is not found.
    pub(super) fn source(&self, merchant: &str, id: &str) -> Result<&Source, Refusal> {
        self.sources
            .get(id)
            .filter(|source| source.merchant == merchant)
            .ok_or_else(|| Refusal::not_found("Source", id))
    }

    pub(super) fn source_mut(&mut self, merchant: &str, id: &str) -> Result<&mut Source, Refusal> {
        self.sources
            .get_mut(id)
            .filter(|source| source.merchant == merchant)
            .ok_or_else(|| Refusal::not_found("Source", id))
    }

    pub(super) fn currency_of_session(&self, id: &str) -> Option<String> {
        self.currencies.get(id).cloned()
    }

    /// A new payment session with nothing attached.
    pub(super) fn open_session(&mut self, kind: Kind, currency: &str) -> Funding {
        let session = self.mint.uuid();
        self.currencies.insert(session.clone(), currency.to_owned());
        Funding {
            secret: self.mint.secret(&session),
            session,
            currency: currency.to_owned(),
            total: rust_decimal::Decimal::ZERO,
            attached: Vec::new(),
            complete: false,
            late_credit_is_lost: kind == Kind::Cart,
        }
    }

    /// Brings the sources' own records in line with a session that has changed: what a primary
    /// contributes is its amount.
    pub(super) fn sync(&mut self, funding: &Funding) {
        for one in &funding.attached {
            if let Some(source) = self.sources.get_mut(&one.source) {
                source.session = Some(funding.session.clone());
                source.currency = Some(funding.currency.clone());
                source.amount = Some(funding.share(one));
            }
        }
    }

    /// A detached source: a saved one is free again, a single-use one is spent if `spend`
    /// (checkouts).
    pub(super) fn let_go(&mut self, id: &str, spend: bool) {
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

    /// The whole state, for assertions and `GET /_emulator/state`.
    pub(super) fn snapshot(&self) -> Doc {
        fn each<'a, T: 'a>(
            items: impl IntoIterator<Item = (&'a String, &'a T)>,
            show: impl Fn(&T) -> Doc,
        ) -> Doc {
            Doc::Object(items.into_iter().map(|(id, item)| (id.clone(), show(item))).collect())
        }
        let customers = self
            .customers
            .iter()
            .map(|((merchant, id), customer)| (format!("{merchant}/{id}"), customer.to_doc(self)))
            .collect();
        let lost = self.orders.values().flat_map(|order| order.lost_docs());
        Doc::object()
            .with("sources", each(&self.sources, |source| source.to_doc(true)))
            .with(
                "checkouts",
                each(&self.checkouts, |checkout| {
                    self.session_doc(Kind::Checkout, &checkout.id).unwrap_or(Doc::Null)
                }),
            )
            .with(
                "invoices",
                each(&self.invoices, |invoice| {
                    self.session_doc(Kind::Invoice, &invoice.id).unwrap_or(Doc::Null)
                }),
            )
            .with(
                "carts",
                each(&self.carts, |cart| {
                    self.session_doc(Kind::Cart, &cart.id).unwrap_or(Doc::Null)
                }),
            )
            .with("customers", Doc::Object(customers))
            .with("orders", each(&self.orders, |order| order.to_doc(self, false)))
            .with("lostCredits", Doc::list(lost))
    }

    /// One session for assertions: who is attached in which order, who pays what, and its state.
    pub(super) fn session_doc(&self, kind: Kind, id: &str) -> Option<Doc> {
        let (funding, merchant, customer) = match kind {
            Kind::Checkout => {
                self.checkouts.get(id).map(|c| (&c.funding, &c.merchant, &c.customer))?
            }
            Kind::Invoice => {
                self.invoices.get(id).map(|c| (&c.funding, &c.merchant, &c.customer))?
            }
            Kind::Cart => self.carts.get(id).map(|c| (&c.funding, &c.merchant, &None))?,
            Kind::Customer => return None,
        };
        let lost: Vec<&str> = funding.lost().map(|one| one.source.as_str()).collect();
        let sources = funding.attached.iter().map(|one| {
            let source = self.sources.get(&one.source);
            Doc::object()
                .with("id", &one.source)
                .with_some("type", source.map(|source| source.kind.as_str()))
                .with("secondary", one.secondary)
                .with("amount", Doc::money(funding.share(one)))
                .with_some("reusable", source.map(|source| source.reusable))
                .with_some("state", source.map(|source| source.state))
                .with("willBeLost", lost.contains(&one.source.as_str()))
        });
        Some(
            Doc::object()
                .with("id", id)
                .with("kind", kind.name())
                .with("merchant", merchant)
                .with_some("customerId", customer.as_deref())
                .with("sessionId", &funding.session)
                .with("currency", &funding.currency)
                .with("total", Doc::money(funding.total))
                .with("contributed", Doc::money(funding.contributed()))
                .with("remaining", Doc::money(funding.remaining()))
                .with("state", funding.state())
                .with("sources", Doc::list(sources)),
        )
    }
}
