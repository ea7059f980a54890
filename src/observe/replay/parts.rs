//! The parts of a call's body that a rule looks at, as a line of the decision log writes them.

use super::form::{Told, form, stated, told};
use crate::rules::{
    Amount, CustomerId, Funding, NewSource, Owner, PaidWith, SourceId, SourceType, Version,
};
use serde::{Deserialize, Serialize};

/// The sources that pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PaidForm {
    Attached,
    Resumed,
    Listed(Vec<SourceId>),
}

/// An owner of saved sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OwnerForm {
    Customer(CustomerId),
    Shopper,
}

/// The version of the API that a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum VersionForm {
    Legacy,
    Nested,
}

form! {
    /// The members of a body about paying.
    FundingForm {
        source: Option<SourceId>,
        customer: Told<Option<CustomerId>>,
        credit_amount: Option<Amount>,
        changes_total: bool,
        billing_optimization: Told<bool>,
        version: Told<VersionForm>,
    }
}

form! {
    /// The members of a new source.
    NewForm {
        kind: Option<SourceType>,
        has_amount: bool,
        has_type_object: bool,
        has_owner: bool,
    }
}

impl PaidForm {
    pub(super) fn of(paid_with: PaidWith) -> Self {
        match paid_with {
            PaidWith::Attached => Self::Attached,
            PaidWith::Resumed => Self::Resumed,
            PaidWith::Listed(sources) => Self::Listed(sources),
        }
    }

    pub(super) fn paid_with(self) -> PaidWith {
        match self {
            Self::Attached => PaidWith::Attached,
            Self::Resumed => PaidWith::Resumed,
            Self::Listed(sources) => PaidWith::Listed(sources),
        }
    }
}

impl OwnerForm {
    pub(super) fn of(owner: Owner) -> Self {
        match owner {
            Owner::Customer(id) => Self::Customer(id),
            Owner::Shopper => Self::Shopper,
        }
    }

    pub(super) fn owner(self) -> Owner {
        match self {
            Self::Customer(id) => Owner::Customer(id),
            Self::Shopper => Owner::Shopper,
        }
    }
}

impl VersionForm {
    fn of(version: Version) -> Self {
        match version {
            Version::Legacy => Self::Legacy,
            Version::Nested => Self::Nested,
        }
    }

    fn version(self) -> Version {
        match self {
            Self::Legacy => Version::Legacy,
            Self::Nested => Version::Nested,
        }
    }
}

impl FundingForm {
    pub(super) fn of(funding: &Funding) -> Self {
        let Funding { source, customer, credit_amount, changes_total, .. } = funding;
        let Funding { billing_optimization, version, .. } = funding;
        Self {
            source: source.clone(),
            customer: told(customer),
            credit_amount: *credit_amount,
            changes_total: *changes_total,
            billing_optimization: told(billing_optimization),
            version: told(&version.map(VersionForm::of)),
        }
    }

    pub(super) fn funding(self) -> Funding {
        Funding {
            source: self.source,
            customer: stated(self.customer),
            credit_amount: self.credit_amount,
            changes_total: self.changes_total,
            billing_optimization: stated(self.billing_optimization),
            version: stated(self.version).map(VersionForm::version),
        }
    }
}

impl NewForm {
    pub(super) fn of(new: NewSource) -> Self {
        let NewSource { kind, has_amount, has_type_object, has_owner } = new;
        Self { kind, has_amount, has_type_object, has_owner }
    }

    pub(super) fn source(self) -> NewSource {
        let Self { kind, has_amount, has_type_object, has_owner } = self;
        NewSource { kind, has_amount, has_type_object, has_owner }
    }
}
