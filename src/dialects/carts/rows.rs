//! The carts dialect's table of rules, in the order of preference.

use crate::rules::{RemedyKind, Row, RuleId, Toggle};

const ATTACHING: &str =
    "Commerce API, Managing sources: Attaching multiple payment sources to the cart";
const COMBINING: &str =
    "Commerce API, Managing sources: Combining primary and secondary payment sources";
const SECONDARY: &str = "Commerce API, Managing sources: Secondary payment sources";
const AMOUNTS: &str = "Commerce API, Managing sources: Amount contribution of the entire order";
const CREATING: &str = "Commerce API, Managing sources: Creating secondary sources";

pub(super) const ROWS: &[Row] = &[
    Row {
        id: RuleId::AmbiguousRequest,
        default: Toggle::Reject,
        remedy: None,
        meaning: "a governed call that two parsers could read differently",
        fires: "A governed call has duplicate keys for a governed field, two source ids that differ (path, query, body), `//`, dot segments, \
                encoded slashes or letters in its path, a body that is not JSON where a governed field may hide, or a header or a query \
                that overrides the method, the path or the protocol.",
        answer: "400, code `ambiguous_request`. Nothing reaches upstream.",
        instead: "Send the call in its plain form: one path without tricks, one id, one JSON object with each key once.",
        page: "Weir's own: a rule must not be avoidable by spelling",
    },
    Row {
        id: RuleId::PrimaryBeforeSecondary,
        default: Toggle::Reject,
        remedy: Some(RemedyKind::Repair),
        meaning: "store credit attached after a primary, which upstream would silently ignore",
        fires: "A secondary source is attached to a cart that holds a primary. Upstream answers 200 and ignores the credit when the cart is submitted.",
        answer: "409, code `apply-payment-failure`; with `reorder`, Weir detaches the primary, attaches the credit and attaches the primary again.",
        instead: "Detach the primary, attach the store credit, attach the primary again: on carts a detached source is not spent.",
        page: ATTACHING,
    },
    Row {
        id: RuleId::SecondPrimary,
        default: Toggle::Reject,
        remedy: Some(RemedyKind::Replace),
        meaning: "a different primary while one is attached",
        fires: "A primary is attached, or applied with the shopper, while a different primary is attached to the cart.",
        answer: "409, code `apply-payment-failure`; with `reorder`, Weir detaches the first and attaches the new one.",
        instead: "Detach the first primary, then attach the new one.",
        page: ATTACHING,
    },
    Row {
        id: RuleId::OneSecondary,
        default: Toggle::Reject,
        remedy: None,
        meaning: "a primary beside two or more secondaries",
        fires: "A primary is attached to a cart that holds two or more secondaries, or a second secondary is attached beside a primary.",
        answer: "409, code `apply-payment-failure`.",
        instead: "Combine the credits into one secondary source, or pay with secondaries alone.",
        page: COMBINING,
    },
    Row {
        id: RuleId::PrimaryPairing,
        default: Toggle::Reject,
        remedy: None,
        meaning: "store credit combined with a primary of a type that does not go with it",
        fires: "A secondary is combined with a primary whose type is not in the pairing list (`policy.types`), in either order.",
        answer: "409, code `apply-payment-failure`.",
        instead: "Pay with a primary of a type that can be combined, or without store credit.",
        page: COMBINING,
    },
    Row {
        id: RuleId::SpentSource,
        default: Toggle::Reject,
        remedy: None,
        meaning: "attaching a cancelled, consumed or failed source",
        fires: "A consumed, cancelled or failed source is attached, or applied with the shopper.",
        answer: "409, code `apply-payment-failure`.",
        instead: "Create a new source and attach that.",
        page: ATTACHING,
    },
    Row {
        id: RuleId::SaveNonreusable,
        default: Toggle::Reject,
        remedy: None,
        meaning: "saving store credit, or a type that cannot be reused",
        fires: "A secondary, or a source of a type that cannot be reused (`policy.types`), is saved as a payment option, or put behind one.",
        answer: "409, code `apply-payment-failure`, subcode `nonreusable_source`.",
        instead: "Attach the source to the cart only.",
        page: SECONDARY,
    },
    Row {
        id: RuleId::SaveNotChargeable,
        default: Toggle::Reject,
        remedy: None,
        meaning: "saving a source that is not chargeable",
        fires: "A source whose state is not `chargeable` is saved: a redirect the shopper has not finished, or one removed from its customer.",
        answer: "409, code `apply-payment-failure`, subcode `source_not_chargeable`.",
        instead: "Wait until the source is `chargeable`; one removed from its customer never is again.",
        page: SECONDARY,
    },
    Row {
        id: RuleId::AmountExceedsTotal,
        default: Toggle::Reject,
        remedy: None,
        meaning: "store credit that would exceed the total",
        fires: "A secondary is attached to a cart whose secondaries together would exceed its total.",
        answer: "409, code `apply-payment-failure`, subcode `session_source_amount_too_large`.",
        instead: "Create store credit of at most `amountRemainingToBeContributed`.",
        page: AMOUNTS,
    },
    Row {
        id: RuleId::UnderfundedOrder,
        default: Toggle::Reject,
        remedy: None,
        meaning: "an order while money is missing",
        fires: "`submit-cart` while `paymentSession` is not `requires_confirmation`, or money remains to be contributed.",
        answer: "409, code `submit-cart-failed`.",
        instead: "Attach sources until `amountRemainingToBeContributed` is 0.",
        page: AMOUNTS,
    },
    Row {
        id: RuleId::LostCredit,
        default: Toggle::Reject,
        remedy: Some(RemedyKind::Resequence),
        meaning: "a submit while store credit stands that came after the primary, and would be lost",
        fires: "`submit-cart` or `resume-cart` while the cart holds a primary and a secondary that joined after it: by what Weir saw, or by the cart's own \
                figures (the methods contribute more than the session's `amountContributed`, or the primary contributes the whole total). \
                Where the cart cannot be read, what was seen of it last counts.",
        answer: "409, code `submit-cart-failed`; with `reorder`, Weir detaches the primary, attaches it again and submits the cart.",
        instead: "Detach the primary, attach it again, then submit the cart.",
        page: ATTACHING,
    },
    Row {
        id: RuleId::SecondarySourceOwner,
        default: Toggle::Monitor,
        remedy: Some(RemedyKind::Strip),
        meaning: "store credit created with an owner, whose address may end up on the cart",
        fires: "`POST /sources` of a secondary type carries `owner`.",
        answer: "Forwarded and reported by default; `strip` forwards it without `owner`; `reject`: 400 bad_request, code `invalid_parameter`, parameter `owner`.",
        instead: "Create store credit without `owner`.",
        page: CREATING,
    },
    Row {
        id: RuleId::SecondaryAmountEdit,
        default: Toggle::Reject,
        remedy: None,
        meaning: "changing the amount of existing store credit",
        fires: "`POST`, `PUT` or `PATCH /sources/{id}` of a secondary source carries `amount`.",
        answer: "409 conflict, code `session_update_not_allowed`.",
        instead: "Detach it, create store credit with the right amount, attach that.",
        page: SECONDARY,
    },
];
