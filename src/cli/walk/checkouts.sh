WEIR=http://{weir}
EMULATOR=http://{emulator}
SECRET='Authorization: Bearer sk_test_acme'
PUBLIC='Authorization: Bearer pk_test_acme'
id_of() { sed 's/^{"id":"\([^"]*\)".*/\1/'; }
show() { grep -iE '^(HTTP|weir-decision:|weir-rule:)'; }

echo "== A checkout over 26.89, store credit of 11, a card. The right order: the credit first, the card last, then the order."
CHECKOUT=$(curl -s $WEIR/checkouts -H "$SECRET" -d '{"currency":"USD","items":[{"skuId":"sku","quantity":2,"aggregatePrice":26.89}]}' | id_of)
CREDIT=$(curl -s $WEIR/sources -H "$SECRET" -d '{"type":"customerCredit","amount":11,"customerCredit":{}}' | id_of)
CARD=$(curl -s $WEIR/sources -H "$PUBLIC" -d '{"type":"creditCard","creditCard":{"number":"4111111111111111"}}' | id_of)
curl -si -X POST $WEIR/checkouts/$CHECKOUT/sources/$CREDIT -H "$SECRET" | show
curl -si -X POST $WEIR/checkouts/$CHECKOUT/sources/$CARD -H "$SECRET" | show
curl -si $WEIR/orders -H "$SECRET" -d "{\"checkoutId\":\"$CHECKOUT\"}" | show

echo "== The wrong order: the card first."
reject> echo "== Weir refuses the credit in the vendor's own words, and upstream never sees it."
reorder> echo "== Weir answers the card and keeps it back. The credit goes before it; the order sends it first."
monitor> echo "== Weir passes the credit on and says what it saw. It is upstream that refuses."
off> echo "== No rule is looked at. It is upstream that refuses the credit."
CHECKOUT=$(curl -s $WEIR/checkouts -H "$SECRET" -d '{"currency":"USD","items":[{"skuId":"sku","quantity":2,"aggregatePrice":26.89}]}' | id_of)
CREDIT=$(curl -s $WEIR/sources -H "$SECRET" -d '{"type":"customerCredit","amount":11,"customerCredit":{}}' | id_of)
CARD=$(curl -s $WEIR/sources -H "$PUBLIC" -d '{"type":"creditCard","creditCard":{"number":"4111111111111111"}}' | id_of)
curl -si -X POST $WEIR/checkouts/$CHECKOUT/sources/$CARD -H "$SECRET" | show
reorder> curl -si -X POST $WEIR/checkouts/$CHECKOUT/sources/$CREDIT -H "$SECRET" | show
reorder> curl -si $WEIR/orders -H "$SECRET" -d "{\"checkoutId\":\"$CHECKOUT\"}" | show
reject,monitor,off> curl -si -X POST $WEIR/checkouts/$CHECKOUT/sources/$CREDIT -H "$SECRET"; echo
