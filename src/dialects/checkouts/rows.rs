//! The checkouts dialect's table of rules, in the order of preference.

use crate::rules::{RemedyKind, Row, RuleId, Toggle, Upstream};

const SINGLE_USE: &str =
    "Digital River API, Managing sources: Using secondary sources with a single use primary source";
const DETACHING: &str = "Digital River API, Managing sources: Detaching sources from checkouts";
const ATTACHING: &str = "Digital River API, Managing sources: Attaching sources to checkouts";
const COMBINING: &str =
    "Digital River API, Managing sources: Combining primary and secondary payment sources";
const SAVING: &str = "Digital River API, Managing sources: Restrictions on saving sources";
const USING_SAVED: &str =
    "Digital River API, Managing sources: Restrictions on using saved sources";
const SECONDARY: &str = "Digital River API, Managing sources: Secondary payment sources";
const DEFAULT: &str = "Digital River API, Managing sources: Setting the default payment source";
const CREATING: &str = "Commerce API, Managing sources: Creating secondary sources";
const LEGACY: &str = "Digital River API, Applying store credit (legacy)";

pub(super) const ROWS: &[Row] = &[
    Row {
        id: RuleId::AmbiguousRequest,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Accepts,
        meaning: "a governed call that two parsers could read differently",
        fires: "A governed call has duplicate keys for a governed field, two source ids that differ (path, query, body), `//`, dot segments, \
                encoded slashes or letters in its path, a body that is not JSON where a governed field may hide, or a header or a query \
                that overrides the method, the path or the protocol.",
        answer: "400, code `ambiguous_request`. Nothing reaches upstream.",
        instead: "Send the call in its plain form: one path without tricks, one id, one JSON object with each key once.",
        page: "Weir's own: a rule must not be avoidable by spelling",
    },
    Row {
        id: RuleId::SecondaryAfterSingleUsePrimary,
        default: Toggle::Reject,
        remedy: Some(RemedyKind::Wait),
        upstream: Upstream::Refuses,
        meaning: "store credit attached after a single-use primary",
        fires: "A secondary source is attached while the session's primary has `reusable: false`.",
        answer: "409 conflict, code `session_update_not_allowed`: Updating source is not allowed for the current session state.",
        instead: "Attach store credit first and the primary last; or detach the primary, attach the credit, and attach a new primary \
              (a detached single-use source is spent). A primary saved to the customer may come first.",
        page: SINGLE_USE,
    },
    Row {
        id: RuleId::SpentSource,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "attaching a cancelled, consumed or failed source",
        fires: "A source is attached whose state is `cancelled` (a single-use source once detached, or one removed from its customer), \
            `consumed` or `failed`.",
        answer: "409 conflict, code `source_status_invalid_for_session`: The source status is invalid for this session.",
        instead: "Create a new source and attach that.",
        page: DETACHING,
    },
    Row {
        id: RuleId::AmountExceedsTotal,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "store credit that would exceed the total",
        fires: "A secondary is attached whose amount exceeds what remains to be contributed, or, beside a reusable primary, \
            makes all secondaries together exceed the total.",
        answer: "409 conflict, code `session_source_amount_too_large`: Source amount(s) exceed session amount",
        instead: "Create store credit of at most `amountRemainingToBeContributed`.",
        page: ATTACHING,
    },
    Row {
        id: RuleId::PrimaryPairing,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "store credit combined with a primary of a type that does not go with it",
        fires: "A secondary is combined with a primary whose type is not in the pairing list (`policy.types`), in either order.",
        answer: "409 conflict, code `source_not_supported`, parameter `sourceId`.",
        instead: "Pay with a primary of a type that can be combined, or without store credit.",
        page: COMBINING,
    },
    Row {
        id: RuleId::SecondPrimary,
        default: Toggle::Monitor,
        remedy: None,
        upstream: Upstream::Accepts,
        meaning: "a different primary, which replaces the first and spends it if it is single-use",
        fires: "A primary is attached while a different primary is attached. Upstream allows it: the first is replaced.",
        answer: "Forwarded and reported by default; with `reject`: 409 conflict, code `session_update_not_allowed`.",
        instead: "Detach the first primary yourself, so that losing it is a decision.",
        page: ATTACHING,
    },
    Row {
        id: RuleId::SaveNonreusable,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "saving store credit, or a type that cannot be reused",
        fires: "A secondary, or a source of a type that cannot be reused (`policy.types`), is saved to a customer.",
        answer: "409 conflict, code `nonreusable_source`: Only a reusable source may be attached to a customer.",
        instead: "Attach the source to the checkout only.",
        page: SAVING,
    },
    Row {
        id: RuleId::SaveNotChargeable,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "saving a source that is not chargeable",
        fires: "A source whose state is not `chargeable` is saved: a redirect the shopper has not finished, or one removed from its customer.",
        answer: "409 conflict, code `source_not_chargeable`, parameter `sourceId`: Source '<id>' is not chargeable.",
        instead: "Wait until the source is `chargeable`; one removed from its customer never is again.",
        page: SAVING,
    },
    Row {
        id: RuleId::ForeignSavedSource,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "an order with a saved source of another customer, or of a checkout without one",
        fires: "`POST /orders`, or `POST /invoices/{id}/open`, for a checkout or an invoice that holds a saved source while its `customerId` is absent or another customer's.",
        answer: "409 conflict, code `source_in_use`, parameter `sourceId`: Source '<id>' is attached to a different customer.",
        instead: "Set the checkout's `customerId` to the customer the source is saved to.",
        page: USING_SAVED,
    },
    Row {
        id: RuleId::UnderfundedOrder,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "an order while money is missing",
        fires: "`POST /orders`, or `POST /invoices/{id}/open`, while the payment session is not `requires_confirmation`, or money remains to be contributed.",
        answer: "400 bad_request, code `order_submit_failed`: Payment session status is invalid.",
        instead: "Attach sources until `amountRemainingToBeContributed` is 0.",
        page: SECONDARY,
    },
    Row {
        id: RuleId::DefaultSourceNotSaved,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "a default source that is not saved to the customer",
        fires: "`POST /customers/{id}` or `POST /customers` sets `defaultSourceId` to a source that is not saved to that customer.",
        answer: "409 conflict, code `invalid_parameter`, parameter `defaultSourceId`.",
        instead: "Save the source with `POST /customers/{id}/sources/{sourceId}` first.",
        page: DEFAULT,
    },
    Row {
        id: RuleId::SecondarySourceShape,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "creating store credit without amount, type, or the object named after the type",
        fires: "`POST /sources` of a secondary type without `amount`, without `type`, or without the empty object named after the type.",
        answer: "400 bad_request, code `missing_parameter`, parameter = the missing name.",
        instead: "Send `type`, `amount` and an empty object named after the type: `{\"type\": \"customerCredit\", \"amount\": 5, \"customerCredit\": {}}`.",
        page: CREATING,
    },
    Row {
        id: RuleId::CreditAmountRepeated,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "a second credit amount (versions before 2021-03-23)",
        fires: "`creditAmount` is sent when the checkout has one.",
        answer: "409 conflict, code `creditAmount_already_updated`: Credit amount has already been updated.",
        instead: "Set the credit once; to change it, start a new checkout.",
        page: LEGACY,
    },
    Row {
        id: RuleId::CreditAmountAfterSingleUsePrimary,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "a credit amount after a single-use primary (versions before 2021-03-23)",
        fires: "`creditAmount` is sent while the checkout's primary has `reusable: false`.",
        answer: "409 conflict, code `source_not_supported`, parameter `sourceId`: The source status is invalid for this session.",
        instead: "Set the credit before, or in the same call as, the primary.",
        page: LEGACY,
    },
    Row {
        id: RuleId::InvoiceBillingOptimization,
        default: Toggle::Reject,
        remedy: None,
        upstream: Upstream::Refuses,
        meaning: "store credit on an invoice with billing optimization",
        fires: "A secondary is attached to an invoice whose `billingOptimization` is true.",
        answer: "409 conflict, code `source_not_supported`, parameter `sourceId`.",
        instead: "Turn billing optimization off before the store credit is attached.",
        page: COMBINING,
    },
];
